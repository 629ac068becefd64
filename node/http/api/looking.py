"""The catalogue, traces, the node's status and its loads."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from node.commands.loads import list_loads, list_rejects
from node.commands.tokens import READ, WRITE
from node.commands.trace import nothing_known
from node.commands.trace import trace as ask_trace
from node.commands.work import view_of
from node.datasets import check_shown, dataset_shown, field_shown
from node.http.access import Grant
from node.http.api import cursor
from node.http.api.endpoint import Call, json_answer
from node.http.api.shapes import Datasets, Health, Loads
from node.status import status_now
from node.store.loads import LOAD_MAX

LOADS = 100
LOADS_MAX = 1_000
REJECTS_MAX = 10_000
_LIST = "loads"


async def health(call: Call) -> Response:
    """For whatever watches the node; says nothing else, for it asks for no token."""
    over = call.node.writer.stopped.done()
    answer = json_answer(Health("fail" if over else "pass"))
    answer.status_code = 503 if over else 200
    return answer


async def datasets(call: Call) -> Response:
    """What there is, as far as the token is good for it."""
    found = call.node.catalogue
    shown = [dataset_shown(found, one) for one in found.datasets.values() if _sees(call.granted, one.id)]
    return json_answer(Datasets(shown))


async def dataset(call: Call) -> Response:
    """One dataset with its columns and checks."""
    known = call.dataset
    if not _sees(call.granted, known.id):
        call.granted.need(READ, known.id)
    told = dataset_shown(call.node.catalogue, known)
    columns = [field_shown(one) for one in known.fields]
    return json_answer({**told, "columns": columns, "checks": [check_shown(one) for one in known.checks]})


def _sees(grant: Grant, name: str) -> bool:
    return grant.may(READ, name) or grant.may(WRITE, name)


async def trace(call: Call) -> Response:
    """One row's way, by its key or its number in the system it came from."""
    grant, node = call.granted, call.node
    arguments = {name: call.params[name] for name in ("what", "dataset", "origin")}
    if arguments["dataset"]:
        grant.need(READ, arguments["dataset"])
    found = await call.read(lambda reader: ask_trace(view_of(node, reader), arguments))
    rows = [row for row in found["rows"] if grant.may(READ, row["dataset"])]
    if not rows:
        raise nothing_known(arguments["what"])
    return json_answer({**found, "rows": rows})


async def status(call: Call) -> Response:
    """How the node stands."""
    return json_answer(await status_now(call.node))


async def loads(call: Call) -> Response:
    """What was loaded, the newest first: a page of all loads, less those of datasets that the token is not good for."""
    grant, most = call.granted, call.params["limit"] or LOADS
    before = cursor.unpack(_LIST, call.params["cursor"], int) if call.params["cursor"] else 0
    if not 0 <= before <= LOAD_MAX:
        before = 1
    asked = {"limit": most, "before": before}
    page = (await call.read(lambda reader: list_loads(view_of(call.node, reader), asked)))["loads"]
    following = cursor.pack(_LIST, page[-1]["load"]) if len(page) == most else None
    return json_answer(Loads([one for one in page if _of(grant, one)], following))


async def rejects(call: Call) -> Response:
    """Lines of a load that were not let in."""
    arguments = {"load": int(call.request.path_params["load"]), "limit": REJECTS_MAX}
    found = await call.read(lambda reader: list_rejects(view_of(call.node, reader), arguments))
    call.granted.need("watch", found["load"]["dataset"])
    return json_answer(found)


def _of(grant: Grant, load: dict[str, Any]) -> bool:
    return grant.may("watch", load["dataset"])
