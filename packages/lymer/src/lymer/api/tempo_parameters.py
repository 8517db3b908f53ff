"""Parameters of Tempo's API.

Source: Grafana Tempo, `pkg/api/http.go`; Grafana, `pkg/tsdb/tempo/traceql_query.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from lymer.errors import QuestionError
from lymer.language.literals import duration_nano, name_text, quoted

__all__ = ["legacy_question", "number", "step_of", "time_range"]

_SINCE_NANO: Final = 3_600 * 10**9
_NUMBER: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{1,9})?")
_INSTANT_MAX: Final = 2**62
"""Far enough, and room for what is added to it in 64 bits."""
_UNITS: Final = ((11, 10**9), (14, 10**6), (17, 10**3))
"""Digits of a number of seconds, milliseconds, microseconds; more are nanoseconds."""
_INTERVALS: Final = 240
_STEPS: Final = (3_600, 300, 60, 15, 5, 1)
_TAG: Final = re.compile(r"""(?<![^\s="])([^\s="]++)=("(?:[^"\\]|\\.)*"|\S*)""")


def number(parameters: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number that is not negative."""
    text = parameters.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise QuestionError(f"cannot read {name}: {text[:100]!r} is no whole number")
    return int(text)


def time_range(parameters: Mapping[str, str], now: int) -> tuple[int, int]:
    """Return the range that `start` and `end`, or `since`, name; without them the last hour."""
    since = parameters.get("since", "")
    length = duration_nano(since) if since else _SINCE_NANO
    if length is None:
        raise QuestionError(f"cannot read since: {since[:100]!r} is no duration")
    end = instant(parameters, "end", now)
    start = instant(parameters, "start", end - length)
    if end % 10**9 == 0 and "end" in parameters:
        end += 10**9 - 1  # a second is meant whole
    return start, end


def instant(parameters: Mapping[str, str], name: str, default: int) -> int:
    """Return a time, Unix nanoseconds, that is written as a number or as RFC 3339."""
    text = parameters.get(name, "")
    if not text or text == "0":
        return default
    if _NUMBER.fullmatch(text):
        whole, _, part = text.partition(".")
        unit = next((unit for digits, unit in _UNITS if len(whole) <= digits), 1)
        instant = int(whole) * unit + (int(float(f"0.{part}") * unit) if part else 0)
        return min(instant, _INSTANT_MAX)
    try:
        return max(int(datetime.fromisoformat(text).timestamp() * 1_000_000) * 1_000, 0)
    except (ValueError, OverflowError):
        raise QuestionError(f"cannot read {name}: {text[:100]!r} is no time") from None


def step_of(parameters: Mapping[str, str], time_range: tuple[int, int]) -> int:
    """Return the step, nanoseconds; without one, such that about 240 fit into the range."""
    text = parameters.get("step", "")
    if not text:
        return _default_step(time_range[1] - time_range[0])
    step = int(float(text) * 1e9) if _NUMBER.fullmatch(text) else duration_nano(text)
    if not step or step > _INSTANT_MAX:
        raise QuestionError(f"cannot read step: {text[:100]!r} is no duration")
    return step


def _default_step(length: int) -> int:
    if length < 60 * 10**9:
        return max(length // _INTERVALS // 50_000_000 * 50_000_000, 50_000_000)
    seconds = length // _INTERVALS // 10**9
    unit = next((one for one in _STEPS if seconds > one), 1)
    return max(seconds // unit * unit, 1) * 10**9


def legacy_question(parameters: Mapping[str, str]) -> str:
    """Return the question that `tags`, `minDuration` and `maxDuration` ask.

    Tags are in logfmt; a value matches anywhere in the attribute, whatever its case.
    """
    conditions = []
    for key, value in _TAG.findall(parameters.get("tags", "")):
        plain = value[1:-1].replace('\\"', '"') if value.startswith('"') else value
        name = {"name": "name", "root.name": "rootName"}.get(key, "." + name_text(key))
        if key == "root.service.name":
            name = "rootServiceName"
        conditions.append(f"{name} =~ {quoted('(?i).*' + re.escape(plain) + '.*')}")
        if key in {"status.code", "status"}:
            conditions[-1] = f"status = {plain if plain in {'ok', 'error', 'unset'} else 'error'}"
    for name, sign in (("minDuration", ">="), ("maxDuration", "<=")):
        if parameters.get(name):
            if duration_nano(parameters[name]) is None:
                raise QuestionError(
                    f"cannot read {name}: {parameters[name][:100]!r} is no duration"
                )
            conditions.append(f"traceDuration {sign} {parameters[name]}")
    return "{ " + " && ".join(conditions) + " }"
