"""The sampling threshold of a trace state in SQL: how it is read, and how ours is written.

A threshold T rejects T of 2^56 traces: what is left has the probability 1 - T / 2^56, and stands
for the reciprocal of that. Randomness R is `rv`, or the last 7 bytes of the trace id; what was
sampled consistently has R >= T.
Source: OpenTelemetry specification, trace/tracestate-probability-sampling.md and
trace/tracestate-handling.md.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "RANDOMNESS_TEXT",
    "THRESHOLD",
    "THRESHOLD_TEXT",
    "WEIGHT",
    "number_of",
    "rate_of",
    "threshold_before",
    "with_threshold",
]

_ALL: Final = "72057594037927936"
"""2^56."""
_DIGITS: Final = 14
_OT: Final = "(?:^|,)[ \\\\t]*ot=(?:[^,]*;)?"
_END: Final = "(?:[;, \\\\t]|$)"
THRESHOLD_TEXT: Final = f"extract(trace_state, '{_OT}th:([0-9a-fA-F]{{1,14}}){_END}')"
"""The digits of a threshold, trailing zeros left out; empty if there is none."""
RANDOMNESS_TEXT: Final = f"extract(trace_state, '{_OT}rv:([0-9a-fA-F]{{14}}){_END}')"
"""The digits of an explicit randomness; empty if there is none."""


def number_of(digits: str) -> str:
    """Return the number that hex digits are, the first of them first; 0 if there are none."""
    return f"reinterpretAsUInt64(reverse(unhex(concat('00', rightPad({digits}, {_DIGITS}, '0')))))"


THRESHOLD: Final = number_of(THRESHOLD_TEXT)
WEIGHT_MAX: Final = 1_048_576
"""One span stands for at most so many: a single hostile threshold must not drown all others."""
WEIGHT: Final = f"if(trace_state = '', 1., least(1 / (1 - {THRESHOLD} / {_ALL}), {WEIGHT_MAX}.))"
"""How many spans one stands for: the reciprocal of its sampling probability, 1 if it has none."""
_HASH: Final = "bitShiftRight(sipHash64('rv', trace_id), 8)"
_MEMBERS: Final = (
    "arrayFilter(m -> m != '', arrayMap(m -> trimBoth(m), splitByChar(',', trace_state)))"
)
_OTHERS: Final = f"arrayFilter(m -> NOT startsWith(m, 'ot='), {_MEMBERS})"
_OURS: Final = (
    "arrayFilter(s -> s != '' AND NOT startsWith(s, 'th:'), arrayMap(s -> trimBoth(s), "
    f"splitByChar(';', substring(arrayFirst(m -> startsWith(m, 'ot='), {_MEMBERS}), 4))))"
)
_VALUE_CHARACTERS_MAX: Final = 256
_MEMBERS_MAX: Final = 32


def with_threshold(rate: str) -> str:
    """Return the trace state of a span of which `rate` were kept, among those that came so far.

    Thresholds multiply, as of a proportional downstream sampler. What was never sampled before gets
    a randomness that agrees with the threshold, as our draw was no function of the trace id that
    others know; what was, keeps its own. Other members stay, behind ours; an entry that would be
    too long is left as it was.
    """
    left = f"greatest(toUInt64(round(({_ALL} - {THRESHOLD}) * {rate})), 1)"
    digits = f"replaceRegexpOne(leftPad(lower(hex({_ALL} - {left})), {_DIGITS}, '0'), '0+$', '')"
    threshold = f"concat('th:', if({left} = {_ALL}, '0', {digits}))"
    random = f"{_ALL} - 1 - least(toUInt64(toFloat64({_HASH}) / {_ALL} * {left}), {left} - 1)"
    randomness = (
        f"if({THRESHOLD} = 0 AND {RANDOMNESS_TEXT} = '', "
        f"[concat('rv:', leftPad(lower(hex({random})), {_DIGITS}, '0'))], [])"
    )
    ours = f"arrayStringConcat(arrayConcat({_OURS}, [{threshold}], {randomness}), ';')"
    return (
        f"if(length({ours}) > {_VALUE_CHARACTERS_MAX}, toString(trace_state), "
        f"arrayStringConcat(arraySlice(arrayConcat([concat('ot=', {ours})], {_OTHERS}), 1, "
        f"{_MEMBERS_MAX}), ','))"
    )


def rate_of(rates: str) -> str:
    """Return the part of traces like this span's that was kept; 1 if it was not kept by chance.

    Args:
        rates: A statement of (trace_id, rate), each trace once, always in the same order.
    """
    # A Float32 as it is printed: 0.1 is 0.1, not 0.10000000149.
    return (
        f"transform(trace_id, (SELECT arrayPushBack(groupArray(trace_id), toFixedString('', 16)) "
        f"FROM ({rates})), (SELECT arrayPushBack(groupArray(toFloat64(toString(rate))), 1.) "
        f"FROM ({rates})), 1.)"
    )


def threshold_before(rate: str) -> str:
    """Return a trace state with the threshold that a span had before `with_threshold`."""
    left = f"least(toUInt64(round(({_ALL} - {THRESHOLD}) / {rate})), {_ALL})"
    return f"concat('ot=th:', leftPad(lower(hex({_ALL} - {left})), {_DIGITS}, '0'))"
