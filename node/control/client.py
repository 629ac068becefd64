"""The other end of the control socket, for the CLI, the loader, the demo, the bench and tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
import msgspec

from node.caller import caller
from node.control.place import ATTACH_PART_BYTES, CALLER_SAID, LANGUAGE_ASKED, MESSAGE_BYTES_MAX, socket_path
from node.control.v1 import control_pb2 as pb
from node.control.v1 import control_pb2_grpc as rpc
from node.faults import Code, RelayedFault, UserFault
from node.storable import check_storable, unstorable
from node.texts import N_, current
from sync.values import Key, Row

_encode = msgspec.msgpack.Encoder().encode
_rows = msgspec.msgpack.Decoder(list[tuple[Any, ...]])


class ControlClient:
    """An open connection to a running node. Use as an async context manager. Raises UserFault for everything."""

    def __init__(self, home: Path) -> None:
        self._path = socket_path(home)
        self._channel: grpc.aio.Channel | None = None
        self._stub: rpc.ControlAsyncStub | None = None

    async def __aenter__(self) -> ControlClient:
        if not self._path.exists():
            raise not_running(self._path)
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            # Else a node that was just started is held for dead because an earlier channel found it so.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self._channel = grpc.aio.insecure_channel(f"unix:{self._path}", options=options)
        self._stub = rpc.ControlStub(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._channel is not None:
            await self._channel.close()

    @property
    def stub(self) -> rpc.ControlAsyncStub:
        """The generated stub, for streams of one's own (bench)."""
        assert self._stub is not None, "use as an async context manager"
        return self._stub

    async def put(
        self,
        dataset: str,
        columns: Sequence[str],
        rows: Sequence[Row],
        voids: Sequence[Key] = (),
        void_reason: str = "",
        *,
        dry_run: bool = False,
        load: int = 0,
        lines: Sequence[int] = (),
    ) -> pb.PutResult:
        """One transaction."""
        request = put_request(dataset, columns, rows, voids, void_reason, dry_run=dry_run, load=load, lines=lines)
        async with aclosing(self.put_many([request])) as results:
            async for result in results:
                return result
        raise not_running(self._path)

    async def put_many(
        self, requests: Iterable[pb.PutRows] | AsyncIterator[pb.PutRows]
    ) -> AsyncGenerator[pb.PutResult, None]:
        """Transactions in order, several under way; one result each.

        Close it (contextlib.aclosing) when leaving before its end. What `requests` raises is raised after the results
        of what came before.
        """
        call: Any = self.stub.Put(metadata=_asked())
        sending = asyncio.create_task(_send_all(call, requests), name="send puts")
        try:
            async for result in call:
                if result.error:
                    raise _relayed(json.loads(result.message))
                yield result
            await sending
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from error
        finally:
            # grpc would leave a task of its own behind, where the call was over before the requests were.
            call.cancel()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def query(
        self, dataset: str, filter_json: str = "", columns: Sequence[str] = (), limit: int = 0, origin: str = ""
    ) -> tuple[list[str], list[Row]]:
        """(columns, rows)."""
        check_storable([dataset, filter_json, *columns, limit, origin])
        request = pb.QueryRequest(dataset=dataset, filter=filter_json, columns=columns, limit=limit, origin=origin)
        names: list[str] = []
        rows: list[Row] = []
        call = self.stub.Query(request, metadata=_asked())
        try:
            async for page in call:
                names = list(page.columns)
                rows.extend(_rows.decode(page.rows))
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from error
        finally:
            call.cancel()
        return names, rows

    async def status(self) -> dict[str, Any]:
        """The node's status now."""
        async with aclosing(self.follow(follow=False)) as told:
            async for status in told:
                return status
        raise not_running(self._path)

    async def follow(self, every_ms: int = 100, *, follow: bool = True) -> AsyncGenerator[dict[str, Any], None]:
        """The status, again whenever something was committed, at most this often.

        Close it (contextlib.aclosing) when leaving before its end.
        """
        call = self.stub.Status(pb.StatusRequest(follow=follow, at_most_every_ms=every_ms), metadata=_asked())
        try:
            async for reply in call:
                yield json.loads(reply.json)
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from error
        finally:
            call.cancel()

    async def until(self, enough: Callable[[dict[str, Any]], bool], every_ms: int = 20) -> dict[str, Any]:
        """Waits until the status satisfies; the waiting is pushed by the node, not polled."""
        async with aclosing(self.follow(every_ms)) as told:
            async for status in told:
                if enough(status):
                    return status
        raise not_running(self._path)

    async def command(
        self, name: str, progress: Callable[[dict[str, Any]], None] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Runs a named command; its result. Raises UserFault with the node's own number and words."""
        call = self.stub.Command(pb.CommandRequest(name=name, arguments=json.dumps(arguments)), metadata=_asked())
        try:
            async for reply in call:
                if reply.error:
                    raise _relayed(json.loads(reply.message))
                value: dict[str, Any] = json.loads(reply.json)
                if reply.last:
                    return value
                if progress is not None:
                    progress(value)
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from error
        finally:
            call.cancel()
        raise not_running(self._path)

    async def attach(self, data: bytes, *, dry_run: bool = False) -> dict[str, Any]:
        """Brings a file as an attachment; what became of it, once it is durable. Raises UserFault."""
        parts = range(0, max(1, len(data)), ATTACH_PART_BYTES)
        requests = [pb.AttachPart(data=data[at : at + ATTACH_PART_BYTES], dry_run=dry_run) for at in parts]
        try:
            reply = await self.stub.Attach(iter(requests), metadata=_asked())
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from error
        if reply.error:
            raise _relayed(json.loads(reply.message))
        taken: dict[str, Any] = json.loads(reply.json)
        return taken

    async def read_attachment(self, name: str) -> AsyncGenerator[bytes, None]:
        """The bytes of an attachment that is here, in parts. Raises UserFault."""
        try:
            async for part in self.stub.ReadAttachment(pb.AttachmentRequest(hash=name), metadata=_asked()):
                yield part.data
        except grpc.aio.AioRpcError as error:
            raise self._fault(error) from error

    def _fault(self, error: grpc.aio.AioRpcError) -> UserFault:
        """What the node said, or that it is not there."""
        details = error.details() or ""
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION and details.startswith("{"):
            return _relayed(json.loads(details))
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return not_running(self._path)
        return UserFault(
            Code.NODE_NOT_RUNNING, N_("The node broke off ({detail})."), N_("See the node's log."), detail=details
        )


def _asked() -> tuple[tuple[str, str | bytes], ...]:
    """Metadata: the language of this process, at this moment, for the node's errors, and whose process it is."""
    return ((LANGUAGE_ASKED, current().language), (CALLER_SAID, caller().encode("utf-8", "replace")))


async def _send_all(call: Any, requests: Iterable[pb.PutRows] | AsyncIterator[pb.PutRows]) -> None:
    """Until the requests or the call come to their end; why the call did is said where its results are read."""
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        try:
            if isinstance(requests, AsyncIterator):
                async for request in requests:
                    await call.write(request)
            else:
                for request in requests:
                    await call.write(request)
        finally:
            await call.done_writing()


def put_request(
    dataset: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    voids: Sequence[Key] = (),
    void_reason: str = "",
    *,
    dry_run: bool = False,
    load: int = 0,
    lines: Sequence[int] = (),
) -> pb.PutRows:
    """A transaction as the socket carries it. Raises UserFault BAD_ARGUMENT for what no store can hold."""
    try:
        return pb.PutRows(
            dataset=dataset,
            columns=columns,
            rows=_encode(rows),
            void_keys=_encode(voids) if voids else b"",
            void_reason=void_reason,
            dry_run=dry_run,
            load_id=str(load) if load else "",
            lines=lines,
        )
    except (UnicodeEncodeError, OverflowError) as error:
        raise unstorable() from error


def not_running(path: Path) -> UserFault:
    """No node answers at this socket."""
    return UserFault(
        Code.NODE_NOT_RUNNING,
        N_("No node is running here: nothing answers at {path}."),
        N_("Start it with `tiersync run`, or name the right home with --home."),
        path=path,
    )


def _relayed(value: Mapping[str, Any]) -> UserFault:
    error = value["error"]
    return RelayedFault(int(str(error["code"]).lstrip("E")), str(error["message"]), str(error["next"]))
