"""Which AnyValue bytes a typed text can mean: `500` is the integer, the double, and the string."""

from __future__ import annotations

import base64
import binascii
import math
import re
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final

from opentelemetry.proto.common.v1 import common_pb2

from lymer.wire.span_rows import ADDRESS_KEYS

__all__ = ["address_meanings", "any_value_meanings"]

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?\Z")
_SPECIAL_FLOATS: Final = {"NaN": "nan", "+Inf": "inf", "-Inf": "-inf"}
_AnyValue: Any = common_pb2.AnyValue


def any_value_meanings(text: str) -> list[bytes]:
    """Return the protobuf bytes of every AnyValue whose text form is `text`.

    The text form is that of the OpenTelemetry Collector's `pcommon.Value.AsString`: integers in
    decimal, `true`, base64 for bytes. Of some values there are too many encodings of one text
    (`select.types_of_many_meanings`): these are not among them.
    """
    meanings = [_AnyValue(string_value=text)]
    if text in {"true", "false"}:
        meanings.append(_AnyValue(bool_value=text == "true"))
    if _INTEGER.match(text) and -(2**63) <= int(text) < 2**63:
        meanings.append(_AnyValue(int_value=int(text)))
    if _FLOAT.match(text) or text in _SPECIAL_FLOATS:
        number = float(_SPECIAL_FLOATS.get(text, text))
        # Two doubles are written alike, and a processor says the negative NaN for 0/0.
        signs = (1, -1) if number == 0 or math.isnan(number) else (math.copysign(1, number),)
        meanings += [_AnyValue(double_value=math.copysign(number, sign)) for sign in signs]
    content = _base64(text)
    if content is not None:
        meanings.append(_AnyValue(bytes_value=content))
    encoded = [bytes(meaning.SerializeToString()) for meaning in meanings]
    if not text:
        encoded.append(b"")  # a KeyValue without a value
    return encoded


def address_meanings(key: str, text: str) -> list[bytes]:
    """Return the numbers that Jaeger's JSON shows as the IPv4 address `text` under `key`."""
    if key.removeprefix("resource.") not in ADDRESS_KEYS:
        return []
    try:
        number = int(IPv4Address(text))
    except AddressValueError:
        return []
    numbers = (number, number - 2**32)  # as an int32 it may be negative
    meanings = [_AnyValue(int_value=one) for one in numbers]
    meanings += [_AnyValue(double_value=one) for one in numbers]
    return [bytes(meaning.SerializeToString()) for meaning in meanings]


def _base64(text: str) -> bytes | None:
    if len(text) % 4 or not text:
        return b"" if text == "" else None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
