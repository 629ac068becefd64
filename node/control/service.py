"""The local control service: a Unix socket (0600) in the home. CLI, loader, demo and bench use it while the node runs.

Whoever may open the socket runs the node: the file's mode is the permission. Once people are declared, each call is
asked for its caller too (node/hands.py).
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import msgspec

from node.app import Node
from node.caller import account
from node.control.place import (
    ATTACH_PART_BYTES,
    CALLER_SAID,
    LANGUAGE_ASKED,
    MESSAGE_BYTES_MAX,
    SOCKET_FILE,
    SOCKET_PATH_MAX,
)
from node.control.v1 import control_pb2 as pb
from node.control.v1 import control_pb2_grpc as rpc
from node.faults import UserFault, translated
from node.hands import Hand, hand_of, need, need_either
from node.jobs import PutResult
from node.queries import PAGE_ROWS, QueryWish, query
from node.reads import BY_MAX, QUESTION_S, Read
from node.status import status_now
from node.storable import check_storable, unstorable, visible
from node.texts import LANGUAGES, translator
from sync.errors import InputFault
from sync.phrase import as_phrase
from sync.reasons import Reason
from sync.schema import RowSchema
from sync.values import Row
from tiers.people import Act

PUTS_UNDER_WAY_MAX = 8
STATUS_EVERY_S_MIN = 0.02

Command = Callable[[Node, Hand, Mapping[str, Any]], AsyncIterator[Mapping[str, Any]]]
"""A named command, which asks itself whether the hand that gives it may: yields progress values, the last one being the
result. Raises UserFault and the core's faults."""

_rows = msgspec.msgpack.Decoder(list[tuple[Any, ...]])
_encode = msgspec.msgpack.Encoder().encode


class ControlServer:
    """Serves one node's control socket."""

    def __init__(self, node: Node, commands: Mapping[str, Command]) -> None:
        self._node = node
        self._commands = commands
        self._server: grpc.aio.Server | None = None
        self._path = node.home / SOCKET_FILE

    async def start(self) -> None:
        """Listens. The node holds the home's lock, so a socket file that is there is a left-over."""
        pointer = self._node.home / f"{SOCKET_FILE}.path"
        pointer.unlink(missing_ok=True)
        if len(str(self._path)) > SOCKET_PATH_MAX:
            self._path = Path(tempfile.mkdtemp(prefix="tiersync-")) / SOCKET_FILE
            pointer.write_text(str(self._path), "utf-8")
        self._path.unlink(missing_ok=True)
        limits = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.max_send_message_length", -1)]
        self._server = grpc.aio.server(options=limits)
        rpc.add_ControlServicer_to_server(_Servicer(self._node, self._commands), self._server)
        self._server.add_insecure_port(f"unix:{self._path}")
        await self._server.start()
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Ends calls and takes the socket away."""
        if self._server is not None:
            await self._server.stop(0.5)
        self._path.unlink(missing_ok=True)


class _Servicer(rpc.ControlServicer):
    def __init__(self, node: Node, commands: Mapping[str, Command]) -> None:
        self._node = node
        self._commands = commands

    async def Put(  # noqa: N802 - the generated name
        self, request_iterator: AsyncIterator[pb.PutRows], context: Any
    ) -> AsyncIterator[pb.PutResult]:
        """Transactions in order; several are under way at once, so that the writer never waits for this loop."""
        room = asyncio.Semaphore(PUTS_UNDER_WAY_MAX)
        under_way: asyncio.Queue[tuple[pb.PutRows, asyncio.Future[PutResult]] | None] = asyncio.Queue()
        failed = asyncio.Event()

        async def take() -> None:
            try:
                async for request in request_iterator:
                    await room.acquire()
                    if failed.is_set():
                        # Read on all the same: the caller may be writing, and has to see our last reply.
                        room.release()
                    else:
                        under_way.put_nowait((request, self._put(request)))
            finally:
                # Never waits: who would make room may be gone.
                under_way.put_nowait(None)

        taking = asyncio.create_task(take(), name="take puts")
        try:
            need(self._node, _hand(context), Act.BRING)
            while (item := await under_way.get()) is not None:
                request, result = item
                yield _put_result(request, await result)
                room.release()
            await taking
        except Exception as error:
            fault = _user_fault(error)
            failed.set()
            yield pb.PutResult(error=fault.code.number, message=_words(context, fault))
            room.release()
            await asyncio.wait([taking])
        finally:
            taking.cancel()
            await asyncio.wait([taking])
            while not under_way.empty():
                if (item := under_way.get_nowait()) is not None:
                    _let_go(item[1])

    def _put(self, request: pb.PutRows) -> asyncio.Future[PutResult]:
        schema = self._schema(request.dataset)
        if schema is None:
            return self._node.put_soon(request.dataset, ())
        try:
            keys = _rows.decode(request.void_keys) if request.void_keys else []
            rows = self._rows_of(request, schema)
        except (msgspec.MsgspecError, InputFault) as error:
            return _failed(error)
        load = int(request.load_id) if request.load_id else 0
        return self._node.put_soon(request.dataset, rows, keys, request.void_reason, dry_run=request.dry_run, load=load)

    def _rows_of(self, request: pb.PutRows, schema: RowSchema) -> Sequence[Row]:
        if not request.rows:
            return ()
        columns = tuple(request.columns)
        typed = self._node.door.read_rows(schema.dataset, request.rows) if columns in ((), schema.names) else None
        return in_schema_order(schema, columns, _rows.decode(request.rows)) if typed is None else typed

    def _schema(self, dataset: str) -> RowSchema | None:
        found = self._node.catalogue.datasets.get(dataset)
        return found.schema if found else None

    async def Status(  # noqa: N802 - the generated name
        self, request: pb.StatusRequest, context: Any
    ) -> AsyncIterator[pb.StatusReply]:
        """Once, or again whenever something was committed."""
        pause = max(STATUS_EVERY_S_MIN, request.at_most_every_ms / 1000)
        try:
            need(self._node, _hand(context), Act.SEE)
        except UserFault as fault:
            await _abort(context, fault)
        while True:
            changed = self._node.changed
            yield pb.StatusReply(json=json.dumps(await status_now(self._node), ensure_ascii=False))
            if not request.follow:
                return
            await changed.wait()
            await asyncio.sleep(pause)

    async def Query(  # noqa: N802 - the generated name
        self, request: pb.QueryRequest, context: Any
    ) -> AsyncIterator[pb.QueryPage]:
        """Rows in pages, read beside the writer."""
        try:
            need(self._node, _hand(context), Act.SEE)
            wish = QueryWish(request.dataset, request.filter, tuple(request.columns), request.limit, request.origin)
            columns, rows = await self._node.read(lambda reader: query(self._node.catalogue, reader, wish), QUESTION_S)
            told = (",".join(wish.columns), wish.filter, wish.origin)
            self._node.note_read(Read(_caller(context), wish.dataset, len(rows), *told))
            for start in range(0, max(1, len(rows)), PAGE_ROWS):
                yield pb.QueryPage(columns=columns, rows=_encode(rows[start : start + PAGE_ROWS]))
        except Exception as error:
            await _abort(context, error)

    async def Command(  # noqa: N802 - the generated name
        self, request: pb.CommandRequest, context: Any
    ) -> AsyncIterator[pb.CommandReply]:
        """A named command with JSON arguments; progress, then the result."""
        run = self._commands.get(request.name)
        try:
            if run is None:
                raise InputFault(Reason.MALFORMED, f"command '{request.name}' is not known to this node's version")
            arguments = _arguments(request.arguments)
            held: Mapping[str, Any] | None = None
            async for value in run(self._node, _hand(context), arguments):
                if held is not None:
                    yield pb.CommandReply(json=json.dumps(held, ensure_ascii=False))
                held = value
            yield pb.CommandReply(json=json.dumps(held or {}, ensure_ascii=False), last=True)
        except Exception as error:
            fault = _user_fault(error)
            yield pb.CommandReply(last=True, error=fault.code.number, message=_words(context, fault))

    async def Attach(  # noqa: N802 - the generated name
        self, request_iterator: AsyncIterator[pb.AttachPart], context: Any
    ) -> pb.CommandReply:
        """A file becomes an attachment; the answer comes once it is durable."""
        try:
            need_either(self._node, _hand(context), Act.WORK, Act.BRING)
            data, dry_run = await self._whole(request_iterator)
            taken = await self._node.attach(data, _caller(context), dry_run=dry_run)
        except Exception as error:
            fault = _user_fault(error)
            return pb.CommandReply(last=True, error=fault.code.number, message=_words(context, fault))
        return pb.CommandReply(last=True, json=json.dumps(taken.shown(), ensure_ascii=False))

    async def _whole(self, parts: AsyncIterator[pb.AttachPart]) -> tuple[bytes, bool]:
        """All of a file; of one that is too large no more than shows it."""
        data, dry_run = bytearray(), False
        async for part in parts:
            dry_run = dry_run or part.dry_run
            if len(data) <= self._node.config.attachments.file_bytes_max:
                data += part.data
        return bytes(data), dry_run

    async def ReadAttachment(  # noqa: N802 - the generated name
        self, request: pb.AttachmentRequest, context: Any
    ) -> AsyncIterator[pb.AttachPart]:
        """An attachment that is here, in parts."""
        try:
            need(self._node, _hand(context), Act.SEE)
            held = await self._node.attachment(request.hash, _caller(context))
            offset = 0
            while part := await self._node.attachments.read(held.hash, offset, ATTACH_PART_BYTES):
                offset += len(part)
                yield pb.AttachPart(data=part)
        except Exception as error:
            await _abort(context, error)


def _arguments(text: str) -> Mapping[str, Any]:
    """A command's arguments; what no store can hold goes no further than here. Raises UserFault BAD_ARGUMENT."""
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise unstorable() from error
    check_storable(arguments)
    return arguments if isinstance(arguments, dict) else {}


def in_schema_order(schema: RowSchema, columns: tuple[str, ...], rows: Sequence[Row]) -> list[Row]:
    """Rows whose cells stand in the order of `columns` as whole rows; absent columns are empty.

    Raises InputFault UNKNOWN_COLUMN; a row of another length is left for the door to reject.
    """
    if not columns or columns == schema.names:
        return list(rows)
    unknown = [c for c in columns if c not in schema.names]
    if unknown:
        raise InputFault(Reason.UNKNOWN_COLUMN, f"column '{unknown[0]}' of dataset '{schema.dataset}'")
    at = {name: i for i, name in enumerate(columns)}
    places = [at.get(name, -1) for name in schema.names]
    size = len(columns)
    return [tuple(None if p < 0 else row[p] for p in places) if len(row) == size else row for row in rows]


def _put_result(request: pb.PutRows, result: PutResult) -> pb.PutResult:
    lines = request.lines
    rejected = [
        pb.Reject(
            index=r.place,
            line=lines[r.place] if r.place < len(lines) else 0,
            reason=int(r.reason),
            detail=r.detail,
            key=r.key,
            words=as_phrase(r.detail).words,
        )
        for r in result.rejected
    ]
    warned = [
        pb.Reject(
            index=w.place,
            line=lines[w.place] if w.place < len(lines) else 0,
            detail=w.detail,
            key=w.key,
            words=w.detail.words,
        )
        for w in result.warned
    ]
    return pb.PutResult(
        accepted=result.accepted,
        unchanged=result.unchanged,
        rejected=rejected,
        group=result.group,
        warned=warned,
        warnings=result.warnings,
    )


def _failed(error: Exception) -> asyncio.Future[PutResult]:
    future: asyncio.Future[PutResult] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def _let_go(result: asyncio.Future[PutResult]) -> None:
    """Nobody waits for it any more, and asyncio complains of an error that nobody looked at."""
    if not result.cancel() and not result.cancelled():
        result.exception()


def _user_fault(error: Exception) -> UserFault:
    fault = translated(error)
    if fault is None:
        # A mistake of ours: grpc logs it with its traceback, the caller sees UNKNOWN.
        raise error
    return fault


async def _abort(context: Any, error: Exception) -> None:
    """The call fails with the fault as JSON in its details; the client rebuilds it."""
    fault = _user_fault(error)
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, _words(context, fault))


def _hand(context: Any) -> Hand:
    return hand_of(_caller(context), account())


def _caller(context: Any) -> str:
    said = dict(context.invocation_metadata() or ()).get(CALLER_SAID, b"")
    return visible(said.decode("utf-8", "replace"))[:BY_MAX] if isinstance(said, bytes) else ""


def _words(context: Any, fault: UserFault) -> str:
    """A fault as JSON, in the language that the caller asked for; the node's where it asked for none."""
    asked = dict(context.invocation_metadata() or ()).get(LANGUAGE_ASKED)
    language = next((one for one in LANGUAGES if one == asked), None)
    return json.dumps(fault.as_json(translator(language) if language else None))
