"""The node's log."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import telemetry
from node.telemetry import FileSink, StreamSink, is_secret, make_logger, make_sink, plain
from tests.unit.node_base.fakes import HandClock


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log of a test goes."""
    with io.StringIO() as out:
        yield out


def test_a_line_is_json_with_time_level_and_event(stream: io.StringIO) -> None:
    """Time comes from the given clock; bound fields stand in every line; lower levels are left out."""
    log = make_logger(StreamSink(stream), HandClock(0), "info", node="n")
    log.info("link_up", peer="p", ms=3)
    log.debug("not_shown")
    assert lines(stream) == [
        {"at": "1970-01-01T00:00:00.000000Z", "level": "info", "event": "link_up", "node": "n", "peer": "p", "ms": 3}
    ]


def test_an_event_name_is_a_constant(stream: io.StringIO) -> None:
    """A text that is no event name becomes a field: peers cannot name events."""
    log = make_logger(StreamSink(stream), HandClock())
    log.info("Peer said: %s", "ok")
    log.info('x", "event": "node_started')
    assert [line["event"] for line in lines(stream)] == ["unnamed", "unnamed"]


def test_peer_strings_cannot_forge_a_line(stream: io.StringIO) -> None:
    """Line breaks, terminal codes and lone surrogates stay inside one JSON line."""
    log = make_logger(StreamSink(stream), HandClock())
    log.info("hello", peer='a\n{"event":"forged"}\x1b[2J\ud800')
    (line,) = lines(stream)
    assert line["peer"] == 'a\n{"event":"forged"}\x1b[2J\\ud800'


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "token",
        "key",
        "proof",
        "apiKey",
        "invite_token",
        "LOG_KEY",
        "private-key",
        "passphrase",
        "Authorization",
    ],
)
def test_secrets_are_hidden_by_name(name: str, stream: io.StringIO) -> None:
    """A field whose name has a secret word is replaced, at any depth."""
    assert is_secret(name)
    log = make_logger(StreamSink(stream), HandClock())
    log.info("made", **{name: "HIDEME"}, inner=[{name: "HIDEME"}])
    assert "HIDEME" not in stream.getvalue()


@pytest.mark.parametrize("name", ["key_id", "row_key", "peer", "monkey", "tokenizer", "keys_known"])
def test_harmless_names_are_shown(name: str) -> None:
    """Names that only sound alike are not hidden."""
    assert not is_secret(name)


def test_a_private_key_is_hidden_wherever_it_stands() -> None:
    """PEM of a private key is recognised by its text."""
    assert plain("-----BEGIN EC PRIVATE KEY-----\nMHc") == telemetry.HIDDEN


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(object()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
        max_leaves=20,
    )
)
def test_any_value_can_be_logged(value: object) -> None:
    """Whatever is given as a field becomes bounded JSON; logging never fails."""
    with io.StringIO() as out:
        make_logger(StreamSink(out), HandClock()).info("said", value=value)
        (line,) = lines(out)
        assert line["event"] == "said"


def test_values_are_bounded() -> None:
    """Long texts, long lists, deep nests and long bytes are cut."""
    assert len(str(plain("x" * 100_000))) < 3_000
    assert len(plain(list(range(1_000)))) == telemetry.ITEMS_MAX  # type: ignore[arg-type]  # a list
    assert plain(b"\x01\x02") == "0102"
    assert plain(bytes(1_000)) == "<1000 bytes>"
    deep: list[object] = []
    for _ in range(1_000):
        deep = [deep]
    assert "..." in json.dumps(plain(deep))


def test_a_file_is_rotated_at_its_size(tmp_path: Path) -> None:
    """A full file becomes .1, and so on up to the number kept; no line is cut or lost among those kept."""
    sink = FileSink(tmp_path / "logs" / "node.log", bytes_max=100, kept=2)
    for number in range(50):
        sink.write(f"line {number:04d}")
    sink.close()
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["node.log", "node.log.1", "node.log.2"]
    text = "".join((tmp_path / "logs" / name).read_text() for name in reversed(names))
    assert text.splitlines() == [f"line {number:04d}" for number in range(50)][-len(text.splitlines()) :]
    assert all(path.stat().st_size <= 100 for path in (tmp_path / "logs").iterdir())
    again = FileSink(tmp_path / "logs" / "node.log", bytes_max=100, kept=2)
    again.write("x" * 99)
    again.close()
    assert (tmp_path / "logs" / "node.log").read_text() == "x" * 99 + "\n"
    assert sink.lost == again.lost == 0


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """Lines that cannot be written are counted, and the caller goes on."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    sink = FileSink(blocked / "node.log", 100, 1)
    sink.write("x")
    assert sink.lost == 1
    closed = io.StringIO()
    closed.close()
    stream = StreamSink(closed)
    stream.write("x")
    assert stream.lost == 1


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    """Lines of several threads never mix."""
    sink = FileSink(tmp_path / "node.log", 1_000_000, 1)

    def work(letter: str) -> None:
        for _ in range(200):
            sink.write(letter * 50)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()
    written = (tmp_path / "node.log").read_text().splitlines()
    assert len(written) == 800
    assert all(len(line) == 50 and len(set(line)) == 1 for line in written)


def test_the_configured_sink(tmp_path: Path) -> None:
    """[log] target chooses between a file in the log folder and stderr."""
    sink = make_sink(tmp_path, "file", 1000, 2)
    assert isinstance(sink, FileSink)
    sink.write("x")
    sink.close()
    assert (tmp_path / telemetry.LOG_NAME).read_text() == "x\n"
    assert isinstance(make_sink(tmp_path, "stderr", 1000, 2), StreamSink)


def test_libraries_speak_in_the_same_log(stream: io.StringIO) -> None:
    """Warnings of the standard logging module come as library_said; their text is a field."""
    library = logging.getLogger("some.library")
    log = make_logger(StreamSink(stream), HandClock())
    with telemetry.libraries_heard(log):
        library.warning("lost %s", "peer")
        library.info("not shown")
    library.warning("not any more")
    ill = logging.LogRecord("some.library", logging.ERROR, "", 0, "bad %d", ("x",), None)
    telemetry.LibraryHandler(log).handle(ill)
    first, second = lines(stream)
    assert (first["event"], first["library"], first["text"]) == ("library_said", "some.library", "lost peer")
    assert (second["level"], second["text"]) == ("error", "bad %d")


def test_an_exception_is_one_line(stream: io.StringIO) -> None:
    """A traceback is a field of one line."""
    log = make_logger(StreamSink(stream), HandClock())
    try:
        raise ValueError("x")
    except ValueError:
        log.exception("failed")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "ValueError" in line["exception"]
