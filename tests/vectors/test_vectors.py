"""Every stored vector is read by the code as it says. The stored files are the wire: other teams test against them."""

from __future__ import annotations

import hmac
import json
import subprocess
import sys
import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from certs.anchor import newer, open_anchor
from certs.forms import root_from_der
from certs.logkey import LogKey
from certs.proof import Parent, Submission, proof_input, proves_log_key, proves_secret
from certs.suites import SUITES
from node.evidence.check import check_evidence
from node.evidence.result import Result, Verdict
from sync import limits
from sync.chain import BadRun, Opened, OpenedRun, adoption_message, open_run
from sync.core import Core, Identity, Seams
from sync.errors import RemoteFault
from sync.forks import evidence_arrived
from sync.payload import decode_records, inflate
from sync.ports import Rebuilt
from sync.reasons import Reason
from sync.registry import Registry
from sync.rows import RowBatch, Undecodable, digest_rows, row_hash
from sync.schema import CellType, Column, RowSchema
from sync.statements import heads_digest
from sync.suites import PAYLOAD, SEAL, anchor_message, genesis, key_id
from sync.values import FeedName, Kind, Route
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody, EnrolmentRecord, EntryHeader
from sync.wire.v1.frame_pb2 import Entry, Evidence, FeedHead, Frame, Run
from tests.unit.tiers.kit import CATALOGUE
from tests.vectors.world import CITY, NATION, PROVINCE, Forge, city_feed, key
from tiers.judging import TierJudge

FOLDER = Path(__file__).parent
SUITE = SUITES[1]
FEDERATION = "cn-demo"


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


def _cases(name: str, part: str) -> list[Any]:
    return [pytest.param(case, id=sentence) for sentence, case in _load(name)[part].items()]


def _cells(cells: list[Any]) -> tuple[Any, ...]:
    return tuple(bytes.fromhex(c["bytes"]) if isinstance(c, dict) else c for c in cells)


def test_stored_vectors_are_what_the_script_builds() -> None:
    """A change of the wire does not slip in: the script's --check finds it."""
    script = FOLDER.parent / "tools" / "vectors.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- what is hashed and signed by itself ---


@pytest.mark.parametrize("case", _cases("keys", "good"))
def test_a_key_comes_from_its_seed_and_has_its_id(case: dict[str, Any]) -> None:
    """Key id = hash of suite and public key."""
    log_key = LogKey.from_seed(bytes.fromhex(case["seed"]))
    assert log_key.public_key.hex() == case["public_key"]
    assert key_id(SUITE, log_key.public_key).hex() == case["key_id"]


@pytest.mark.parametrize("case", _cases("headers", "good"))
def test_a_header_has_its_hash_and_its_seal_verifies(case: dict[str, Any]) -> None:
    """The hash is over the bytes as they came, unknown fields included."""
    header = bytes.fromhex(case["header"])
    assert EntryHeader.FromString(header).origin
    assert SUITE.hash(b"tiersync.v1.header\0" + header).hex() == case["header_hash"]
    message = SEAL + bytes.fromhex(case["header_hash"])
    assert SUITE.verify(bytes.fromhex(case["public_key"]), bytes.fromhex(case["seal"]), message)


@pytest.mark.parametrize("case", _cases("headers", "genesis"))
def test_a_feed_begins_with_its_genesis(case: dict[str, Any]) -> None:
    """Federation, origin, publication, addressee and epoch are all inside."""
    names = (case["federation"], case["origin"], case["publication"], case["addressee"])
    fields = [*(n.encode() for n in names), bytes.fromhex(case["epoch"])]
    by_hand = sha256(b"tiersync.v1.genesis\0" + b"".join(len(f).to_bytes(4, "big") + f for f in fields)).hexdigest()
    assert genesis(SUITE, *names, bytes.fromhex(case["epoch"])).hex() == case["hash"] == by_hand


@pytest.mark.parametrize("case", _cases("headers", "adoption"))
def test_the_old_key_signs_the_adoption_of_the_new_one(case: dict[str, Any]) -> None:
    """prev, version and the new key's id are inside the message."""
    new = bytes.fromhex(case["new_public_key"])
    message = adoption_message(SUITE, bytes.fromhex(case["prev"]), case["version"], new)
    assert message.hex() == case["message"]
    assert SUITE.verify(bytes.fromhex(case["old_public_key"]), bytes.fromhex(case["old_signature"]), message)


@pytest.mark.parametrize("case", _cases("rows", "good"))
def test_a_row_has_its_hash(case: dict[str, Any]) -> None:
    """Version and cells in schema order, nils at the end cut off."""
    number = row_hash(case["version"], _cells(case["cells"]))
    assert f"{number:064x}" == case["row_hash"] == sha256(bytes.fromhex(case["hashed"])).hexdigest()


def test_the_digest_of_rows_is_their_sum() -> None:
    """In any order; of no rows it is zero."""
    stored = _load("rows")
    rows = [(c["version"], _cells(c["cells"])) for c in stored["good"].values()]
    assert digest_rows(rows).hex() == digest_rows(reversed(rows)).hex() == stored["digest"]
    assert digest_rows([]).hex() == stored["empty_digest"]


@pytest.mark.parametrize("case", _cases("statements", "good"))
def test_a_statement_is_signed_over_the_hash_of_its_body(case: dict[str, Any]) -> None:
    """Heads statement and receipt, each with its own domain."""
    message = bytes.fromhex(case["message"])
    assert message.endswith(b"\0" + SUITE.hash(bytes.fromhex(case["body"])))
    assert SUITE.verify(bytes.fromhex(case["public_key"]), bytes.fromhex(case["signature"]), message)


@pytest.mark.parametrize("case", _cases("statements", "digests"))
def test_a_list_of_heads_has_one_digest_in_any_order(case: dict[str, Any]) -> None:
    """Sorted by publication and addressee, each field with its length."""
    heads = [FeedHead.FromString(bytes.fromhex(h)) for h in case["heads"]]
    assert heads_digest(SUITE, heads).hex() == heads_digest(SUITE, heads[::-1]).hex() == case["digest"]
    assert sha256(bytes.fromhex(case["hashed"])).hexdigest() == case["digest"]


@pytest.mark.parametrize("case", _cases("enrolment", "good"))
def test_the_proof_of_an_invite_is_over_its_exact_input(case: dict[str, Any]) -> None:
    """HMAC with the secret, and the log key's own signature."""
    raw = {n: bytes.fromhex(case[n]) for n in ("nonce", "csr", "ca_csr", "log_public_key", "possession", "proof")}
    submission = Submission(token=case["token"], suite=case["suite"], **raw)
    fingerprints = bytes.fromhex(case["root_fingerprint"]), bytes.fromhex(case["leaf_fingerprint"])
    parent = Parent(case["federation"], *fingerprints)
    assert proof_input(submission, parent).hex() == case["input"]
    secret = bytes.fromhex(case["secret"])
    assert hmac.digest(secret, bytes.fromhex(case["input"]), "sha256").hex() == case["proof"]
    assert proves_secret(secret, submission, parent)
    assert proves_log_key(submission, parent, SUITES)


# --- anchors ---


def _anchor_reason(data: bytes) -> Reason:
    root = root_from_der(bytes.fromhex(_load("anchors")["root"]))
    try:
        open_anchor(data, root, FEDERATION)
    except RemoteFault as fault:
        return fault.reason
    return Reason.NONE


@pytest.mark.parametrize("case", _cases("anchors", "good"))
def test_an_anchor_opens_under_its_root(case: dict[str, Any]) -> None:
    """The signature is over ANCHOR and the hash of the body."""
    data = bytes.fromhex(case["anchor"])
    assert _anchor_reason(data) is Reason.NONE
    body = Anchor.FromString(data).body
    assert AnchorBody.FromString(body).serial == case["serial"]
    assert anchor_message(sha256(body).digest()).startswith(b"tiersync.v1.anchor\0")


@pytest.mark.parametrize("case", _cases("anchors", "refused"))
def test_an_anchor_that_is_not_one_is_refused(case: dict[str, Any]) -> None:
    """With its reason."""
    assert _anchor_reason(bytes.fromhex(case["anchor"])).name == case["reason"]


@pytest.mark.parametrize("case", _cases("anchors", "after"))
def test_an_anchor_after_another_is_newer_or_refused(case: dict[str, Any]) -> None:
    """certs.anchor and the registry of the core say the same."""
    held = AnchorBody.FromString(Anchor.FromString(bytes.fromhex(_load("anchors")["held"])).body)
    offered = AnchorBody.FromString(Anchor.FromString(bytes.fromhex(case["anchor"])).body)
    registry = Registry(FEDERATION)
    assert registry.set_anchor(held) is Reason.NONE
    assert registry.set_anchor(offered).name == case["reason"]
    if case["reason"] == "NONE":
        newer(offered, held)
    else:
        with pytest.raises(RemoteFault) as caught:
            newer(offered, held)
        assert caught.value.reason.name == case["reason"]


# --- payloads ---


def _demo() -> RowSchema:
    said = _load("payloads")["schema"]
    columns = (Column(name, CellType(kind), nullable, length) for name, kind, nullable, length in said["columns"])
    return RowSchema(said["dataset"], 1, tuple(columns), tuple(said["key"]))


def _decode(case: dict[str, Any]) -> RowBatch | Undecodable:
    payload = bytes.fromhex(case["payload"])
    header = EntryHeader(
        codec=case["codec"],
        rows=case["rows"],
        plain_size=case["plain_size"],
        payload_size=len(payload),
        schema_version=1,
    )
    return decode_records(header, inflate(header, payload), {"demo": _demo()}.get)


@pytest.mark.parametrize("case", _cases("payloads", "good"))
def test_a_payload_means_its_rows(case: dict[str, Any]) -> None:
    """Cells in the order of the payload's columns, removals after puts."""
    found = _decode(case)
    assert isinstance(found, RowBatch)
    assert not found.bad
    assert list(found.columns) == case["columns"]
    assert found.puts == [_cells(row) for row in case["puts"]]
    assert [(list(e.key), e.kind.value, e.reason) for e in found.ends] == [tuple(e) for e in case["ends"]]
    assert SUITE.hash(PAYLOAD + bytes.fromhex(case["payload"])).hex() == case["payload_digest"]


@pytest.mark.parametrize("case", _cases("payloads", "rows_refused"))
def test_a_bad_row_is_refused_and_the_good_one_beside_it_lives(case: dict[str, Any]) -> None:
    """The first row is bad, the second good."""
    found = _decode(case)
    assert isinstance(found, RowBatch)
    assert [(b.place, b.reason.name) for b in found.bad] == [(0, case["reason"])]
    assert [row[0] for row in found.puts] == ["case-0002"]


@pytest.mark.parametrize("case", _cases("payloads", "wide"))
def test_a_row_that_claims_millions_of_cells_is_refused_before_any_is_built(case: dict[str, Any]) -> None:
    """Beyond its plain bytes, it takes no memory to say so."""
    payload = b"".join(bytes.fromhex(part) * times for part, times in case["parts"])
    fields = {name: case[name] for name in ("codec", "rows", "plain_size")}
    header = EntryHeader(payload_size=len(payload), schema_version=1, **fields)
    plain, demo = inflate(header, payload), _demo()
    tracemalloc.start()
    try:
        found = decode_records(header, plain, {"demo": demo}.get)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(found, RowBatch)
    assert [(b.place, b.reason.name) for b in found.bad] == [(0, case["reason"])]
    assert (found.puts, found.ends) == ([], [])
    assert peak < limits.MIB


@pytest.mark.parametrize("case", _cases("payloads", "refused"))
def test_a_payload_that_lies_about_its_shape_is_not_valid(case: dict[str, Any]) -> None:
    """Refused as a whole, with its reason, and without memory beyond the limits."""
    with pytest.raises(RemoteFault) as caught:
        _decode(case)
    assert caught.value.reason.name == case["reason"]


# --- runs ---


def _registry() -> Registry:
    stored = _load("runs")
    made = Registry(FEDERATION)
    made.set_anchor(AnchorBody.FromString(bytes.fromhex(stored["anchor_body"])))
    for said in stored["records"]:
        reason, detail = made.admit(said["sealer"], EnrolmentRecord.FromString(bytes.fromhex(said["record"])))
        assert reason is Reason.NONE, detail
    return made


def _core() -> Core:
    """A core that holds nothing but the registry: enough to judge what proves itself."""
    nobody: Any = None
    seams = Seams(SUITES, key("nobody"), nobody, nobody, nobody, nobody, lambda _: None)
    core = Core(Identity(FEDERATION, PROVINCE, NATION, bytes(16), bytes(16), ""), seams, Rebuilt(bytes(16)))
    core.registry = _registry()
    return core


def _open(run: Run) -> OpenedRun | BadRun:
    demo = _demo()
    return open_run(run, _registry(), SUITES, lambda _, d: demo if d == "demo" else None, lambda _: True)


def _told(opened: Opened) -> Any:
    content = opened.content
    if isinstance(content, RowBatch):
        return [len(content.puts), len(content.ends), len(content.bad)]
    return content.reason.name if isinstance(content, Undecodable) else None


@pytest.mark.parametrize("case", _cases("runs", "good"))
def test_a_good_run_opens(case: dict[str, Any]) -> None:
    """With its head, the seals that are kept, and what each entry holds."""
    run = Run.FromString(bytes.fromhex(case["run"]))
    opened = _open(run)
    assert isinstance(opened, OpenedRun), opened
    assert (opened.first_seq, opened.last.seq) == (case["first_seq"], case["last_seq"])
    assert opened.last.header_hash.hex() == case["head"]
    assert [o.entry.seq for o in opened.entries if o.entry.seal] == case["kept_seals"]
    assert [_told(o) for o in opened.entries] == case["rows"]
    assert [o.entry.header for o in opened.entries] == [e.header for e in run.entries]


@pytest.mark.parametrize("case", _cases("runs", "refused"))
def test_a_run_that_is_not_valid_is_refused(case: dict[str, Any]) -> None:
    """With its reason; never an exception, never half of it."""
    opened = _open(Run.FromString(bytes.fromhex(case["run"])))
    assert isinstance(opened, BadRun)
    assert opened.reason.name == case["reason"], opened.detail


@pytest.mark.parametrize("case", _cases("runs", "crowded"))
def test_a_message_of_too_many_parts_is_refused_before_any_is_built(case: dict[str, Any]) -> None:
    """By counting: as objects they would take 100 times their bytes."""
    kind = Kind(case["kind"])
    publication, route = {
        Kind.REGISTRY: ("registry", Route.EVERYWHERE),
        Kind.REFUSALS: ("refusals", Route.NODE),
        Kind.MOVE: ("moves", Route.NODE),
    }.get(kind, ("demo.parent", Route.PARENT))
    payload = bytes.fromhex(case["start"]) + bytes.fromhex(case["part"]) * case["times"]
    forge = Forge(FeedName(CITY, publication, NATION if route is Route.NODE else ""), key(CITY), route)
    opened = _open(forge.run([forge.entry(payload, kind=kind, codec=2, rows=case["rows"])]))
    assert isinstance(opened, BadRun)
    assert opened.reason.name == case["reason"], opened.detail


@pytest.mark.parametrize("case", _cases("runs", "measured"))
def test_a_run_is_measured_as_a_whole_and_from_seal_to_seal(case: dict[str, Any]) -> None:
    """By what its headers say, before anything is inflated, by a relay too."""
    forge = city_feed()
    entries = []
    for group in case["groups"]:
        fields = {name: group[name] for name in ("plain_size", "rows")}
        zeros = group["header_field"]
        extra = b"\xa2\x06" + bytes([zeros & 0x7F | 0x80, zeros >> 7]) + bytes(zeros) if zeros else b""
        for number in range(1, group["times"] + 1):
            sealed = group["sealed"] and number == group["times"]
            entries.append(forge.entry(bytes(group["payload"]), sealed=sealed, extra=extra, **fields))
    opened = open_run(forge.run(entries), _registry(), SUITES, lambda _, __: None, lambda _: False)
    if "reason" in case:
        assert isinstance(opened, BadRun)
        assert opened.reason.name == case["reason"], opened.detail
    else:
        assert isinstance(opened, OpenedRun), opened
        assert [o.entry.seq for o in opened.entries if o.entry.seal] == case["kept_seals"]


@pytest.mark.parametrize("case", _cases("runs", "frames"))
def test_a_frame_says_its_kind_whatever_else_is_in_it(case: dict[str, Any]) -> None:
    """Unknown kinds have none."""
    assert Frame.FromString(bytes.fromhex(case["frame"])).WhichOneof("kind") == case["kind"]


def test_a_run_of_a_million_empty_entries_is_refused_by_count() -> None:
    """Two bytes each on the wire, so that a message of 2 MiB can hold them: none is looked at."""
    run = Run.FromString(b"\x1a\x00" * (limits.MESSAGE_BYTES_MAX // 2))
    opened = _open(run)
    assert isinstance(opened, BadRun)
    assert opened.reason is Reason.LIMIT_EXCEEDED


def test_a_run_above_two_mebibytes_is_refused() -> None:
    """By the bytes of its headers, payloads and seals."""
    forge = city_feed()
    entries = [forge.entry(bytes(1000 * 1024), sealed=n == 2) for n in range(3)]
    opened = _open(forge.run(entries))
    assert isinstance(opened, BadRun)
    assert opened.reason is Reason.LIMIT_EXCEEDED


def test_an_entry_above_one_mebibyte_is_refused() -> None:
    """Header and payload together."""
    forge = city_feed()
    opened = _open(forge.run([forge.entry(bytes(limits.ENTRY_BYTES_MAX))]))
    assert isinstance(opened, BadRun)
    assert opened.reason is Reason.LIMIT_EXCEEDED


# --- registry, evidence ---


@pytest.mark.parametrize("case", _cases("registry", "cases"))
def test_a_registry_record_counts_or_is_refused(case: dict[str, Any]) -> None:
    """By who sealed it and what stands above it."""
    record = EnrolmentRecord.FromString(bytes.fromhex(case["record"]))
    reason, detail = _registry().admit(case["sealer"], record)
    assert reason.name == case["reason"], detail


@pytest.mark.parametrize("case", _cases("evidence", "cases"))
def test_evidence_proves_a_fork_or_nothing(case: dict[str, Any]) -> None:
    """Two branches under the origin's seals that disagree about one seq."""
    evidence = Evidence.FromString(bytes.fromhex(case["evidence"]))
    assert evidence_arrived(_core(), evidence) is case["proves"]


def test_evidence_of_more_headers_than_the_limit_proves_nothing() -> None:
    """512 headers a branch."""
    cases = _load("evidence")["cases"]
    evidence = Evidence.FromString(bytes.fromhex(cases["two sealed entries of one seq"]["evidence"]))
    forge = city_feed()
    made = [forge.records([], sealed=n == 512) for n in range(513)]
    evidence.one.ClearField("entries")
    evidence.one.entries.extend(Entry(header=e.header, seal=e.seal) for e in made)
    assert not evidence_arrived(_core(), evidence)


# --- evidence of a task ---


def _checked(case: dict[str, Any]) -> Result:
    trusted = bytes.fromhex(_load("task_evidence")["root"])
    return check_evidence(bytes.fromhex(case["file"]), TierJudge(CATALOGUE), trusted)


@pytest.mark.parametrize("case", _cases("task_evidence", "good"))
def test_the_evidence_of_a_task_proves_each_move(case: dict[str, Any]) -> None:
    """With no node at hand: the root's fingerprint is enough."""
    result = _checked(case)
    assert (result.verdict, result.findings) == (Verdict.GOOD, [])
    bodies = [told.step.body for told in result.moves]
    assert [[m.number, m.move, m.by_node, m.accepted, m.state] for m in bodies] == case["moves"]


@pytest.mark.parametrize("case", _cases("task_evidence", "refused"))
def test_evidence_that_was_tampered_with_is_found_out(case: dict[str, Any]) -> None:
    """And the sort of tampering has its name."""
    result = _checked(case)
    assert result.verdict is Verdict.BAD
    assert case["found"] in {found.code for found in result.findings if found.wrong}
