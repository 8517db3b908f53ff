"""What one setting may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.config.rules import (
    BASE_PATH,
    FOLDER,
    HOST,
    SWITCH,
    URL,
    Rule,
    choice,
    count,
    duration,
    size,
)

_SIZE = size(0, 1 << 50)
_DURATION = duration(0, 1e9)


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        pytest.param(_SIZE, "24MiB", 24 << 20, id="binary unit"),
        pytest.param(_SIZE, "20MB", 20_000_000, id="decimal unit"),
        pytest.param(_SIZE, "1.5 KiB", 1536, id="fraction and space"),
        pytest.param(_SIZE, "64k", 65536, id="one letter is binary"),
        pytest.param(_SIZE, "1048576", 1 << 20, id="bare bytes"),
        pytest.param(_DURATION, "500ms", 0.5, id="milliseconds"),
        pytest.param(_DURATION, "72h", 259200.0, id="hours"),
        pytest.param(_DURATION, "7d", 604800.0, id="days"),
        pytest.param(_DURATION, "1h30m", 5400.0, id="several units"),
        pytest.param(_DURATION, "30", 30.0, id="bare seconds"),
        pytest.param(_DURATION, "0.25", 0.25, id="bare fraction of a second"),
        pytest.param(count(0, 65535), "4_317", 4317, id="grouped digits"),
        pytest.param(choice("info", "debug"), "INFO", "info", id="case is forgiven"),
        pytest.param(SWITCH, "on", True, id="YAML's other word for true"),
        pytest.param(SWITCH, "False", False, id="case of a truth value"),
        pytest.param(HOST, "[::1]", "::1", id="brackets of an address"),
        pytest.param(HOST, "0.0.0.0", "0.0.0.0", id="every address"),
        pytest.param(BASE_PATH, "/tracing/", "/tracing", id="trailing slash"),
        pytest.param(BASE_PATH, "/", "", id="root is no base path"),
        pytest.param(URL, "http://localhost:8123/", "http://localhost:8123", id="url"),
        pytest.param(FOLDER, "a/b", Path("a/b"), id="folder"),
    ],
)
def test_text_is_decoded(rule: Rule[Any], text: str, value: object) -> None:
    """Each form people write gives the value they mean."""
    assert value == rule.decode(text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param(_SIZE, "24 parsecs", id="unknown unit of size"),
        pytest.param(_SIZE, "-1", id="negative size"),
        pytest.param(_SIZE, "1e9", id="scientific size"),
        pytest.param(_DURATION, "7y", id="unknown unit of time"),
        pytest.param(_DURATION, "1h 3x", id="rest after a duration"),
        pytest.param(_DURATION, "", id="no duration"),
        pytest.param(_DURATION, "nan", id="not a number"),
        pytest.param(_DURATION, "inf", id="infinite"),
        pytest.param(duration(3600, 7200), "59m", id="below the range"),
        pytest.param(duration(3600, 7200), "3h", id="above the range"),
        pytest.param(count(0, 65535), "65536", id="no port"),
        pytest.param(SWITCH, "1", id="a number is no truth value"),
        pytest.param(count(0, 65535), "-1", id="negative count"),
        pytest.param(count(0, 65535), "٣", id="digits of another script"),
        pytest.param(choice("info", "debug"), "loud", id="unknown word"),
        pytest.param(HOST, "localhost:4317", id="host with a port"),
        pytest.param(HOST, "a b", id="host with a space"),
        pytest.param(BASE_PATH, "tracing", id="path without a slash"),
        pytest.param(BASE_PATH, "/a//b", id="empty part of a path"),
        pytest.param(BASE_PATH, '/"><script>', id="markup in a path"),
        pytest.param(URL, "localhost:8123", id="url without a scheme"),
        pytest.param(FOLDER, " ", id="no folder"),
        pytest.param(FOLDER, "a\0b", id="zero byte in a folder"),
    ],
)
def test_what_a_setting_cannot_be_is_refused(rule: Rule[Any], text: str) -> None:
    """Text that stands for no value, or for one out of range, raises ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the rule's contract: the message may be empty
        rule.decode(text)


@given(st.integers(0, 1 << 50))
def test_a_size_survives_being_shown(size: int) -> None:
    """What `encode` writes, `decode` reads back."""
    assert size == _SIZE.decode(str(_SIZE.encode(size)))


@given(st.integers(0, 10**12))
def test_a_duration_survives_being_shown(milliseconds: int) -> None:
    """What `encode` writes, `decode` reads back, to the microsecond."""
    shown = _DURATION.encode(milliseconds / 1000)

    assert milliseconds / 1000 == pytest.approx(_DURATION.decode(shown), abs=1e-6)


@given(st.text(max_size=40))
def test_no_text_breaks_a_rule(text: str) -> None:
    """Any text is decoded or refused, nothing else happens."""
    rules: list[Rule[Any]] = [_SIZE, _DURATION, count(0, 9), choice("a"), HOST, BASE_PATH, URL]
    for rule in rules:
        try:
            rule.decode(text)
        except ValueError:
            continue
