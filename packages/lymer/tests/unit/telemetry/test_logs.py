"""Logs as events with fields."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from lymer.telemetry.logs import EventLog, configure_logs


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("lymer")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)
    logging.captureWarnings(capture=False)


def _write(encoding: str, level: str = "info") -> tuple[EventLog, io.StringIO]:
    stream = io.StringIO()
    configure_logs(level, encoding, stream)
    return EventLog("lymer.journal.writer"), stream


def test_a_console_line_reads_from_left_to_right() -> None:
    """Instant, level, short name, event, fields."""
    log, stream = _write("console")

    log.info("segment sealed", segment=7, seconds=0.25, path="/a b", ok=True)

    instant, rest = stream.getvalue().split(" ", 1)
    assert len("2026-11-22T17:00:00.000Z") == len(instant)
    assert (
        rest
        == 'INFO    journal.writer: segment sealed segment=7 seconds=0.25 path="/a b" ok=True\n'
    )


def test_a_json_line_keeps_types() -> None:
    """Numbers stay numbers, and a field cannot overwrite the event."""
    log, stream = _write("json")

    log.warning("load failed", segment=7, ratio=float("nan"), event="x", cause=ValueError("no"))

    line = json.loads(stream.getvalue())
    del line["time"]
    assert line == {
        "level": "warning",
        "logger": "lymer.journal.writer",
        "event": "load failed",
        "segment": 7,
        "ratio": "nan",
        "field_event": "x",
        "cause": "no",
    }


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_nothing_written_can_forge_a_second_line(encoding: str) -> None:
    """Line breaks and escape codes of a sender are written as text."""
    log, stream = _write(encoding)

    log.info("bad body\nfake", detail="a\r\nERROR b\x1b[31m\u2028c")

    text = stream.getvalue()
    assert len(text.splitlines()) - text.count("\u2028") == 1
    assert "\x1b" not in text
    assert "\r" not in text


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_secrets_are_not_written(encoding: str) -> None:
    """Neither by a field's name nor inside a URL."""
    log, stream = _write(encoding)

    log.info(
        "connected to http://ada:hunter2@db:8123",
        url="https://u:hunter2@h/",
        db_password="hunter2",
        Authorization="Bearer hunter2",
        api_key="hunter2",
    )

    assert "hunter2" not in stream.getvalue()
    assert "db:8123" in stream.getvalue()


def test_a_long_field_is_cut() -> None:
    """A sender's bytes cannot fill the disk by being logged."""
    log, stream = _write("json")

    log.info("refused", body="x" * 1_000_000)

    assert len(stream.getvalue()) < 5000


def test_libraries_are_heard_from_warning_on() -> None:
    """Our own info is written, a library's is not, its warning is."""
    log, stream = _write("console")

    logging.getLogger("uvicorn").info("started")
    logging.getLogger("uvicorn").warning("odd %s", "request")
    log.debug("detail")
    log.info("ready")

    assert [
        line.split(" ", 2)[2].strip().removeprefix("WARNING ")
        for line in stream.getvalue().splitlines()
    ] == ["uvicorn: odd request", "journal.writer: ready"]


def test_a_percent_sign_in_an_event_is_text() -> None:
    """No event is taken for a format."""
    log, stream = _write("console")

    log.info("disk is 90% full", used="90%s")

    assert "disk is 90% full used=90%s" in stream.getvalue()


def test_an_exception_carries_its_stack() -> None:
    """In JSON it is one field of one line."""
    log, stream = _write("json")

    try:
        raise ValueError("broken")  # noqa: TRY301 - an exception with a stack is what is needed
    except ValueError as error:
        log.exception("bug", error)  # noqa: PLE1205, TRY401 - no logger of the library

    assert "ValueError: broken" in json.loads(stream.getvalue())["stack"]


def test_a_flood_becomes_a_few_lines_and_a_count() -> None:
    """A thousand of a kind; another kind in between is written."""
    stream = io.StringIO()
    configure_logs("info", "console", stream)
    log = EventLog("lymer.flood")
    for number in range(1000):
        log.warning("write failed", place=number)
    log.warning("something else")
    written = stream.getvalue().splitlines()
    (flood,) = logging.getLogger().handlers[0].filters
    flood.tell(("lymer.flood", "write failed"), logging.makeLogRecord({  # type: ignore[union-attr]
        "name": "lymer.flood", "msg": "write failed", "levelno": 30, "levelname": "WARNING",
    }))  # fmt: skip

    assert len(written) == 6
    assert "something else" in written[-1]
    assert "repeated=995" in stream.getvalue().splitlines()[-1]
