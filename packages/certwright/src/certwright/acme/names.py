"""Names of Orders and Challenges, as the original computes them: of what they are for.

Source: reference cert-manager.md 3.4 (ComputeName); Go encoding/json (fields in the order in which
they are declared).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from certwright.resources.go_types import fields_of
from certwright.resources.kinds import Manifest
from certwright.resources.meta import dns_safe_shorten_to_52

__all__ = ["adler32", "challenge_name", "go_json", "order_name"]

_LONG_NAME: Final = 52
_FNV_PRIME: Final = 16777619
_FNV_START: Final = 2166136261
_ADLER_MODULUS: Final = 65521


def order_name(request_name: str, spec: Manifest, field: str = "certificateRequestName") -> str:
    """Return the name of the Order for a CertificateRequest.

    Args:
        request_name: The CertificateRequest's.
        spec: The Order's; `request` does not count.
        field: What the name of a request is called where it is hashed too.
    """
    hashed = go_json({**spec, "request": None}, "OrderSpec")
    if len(request_name) >= _LONG_NAME:
        hashed = f'{{"{field}":{_scalar(request_name)},"spec":{hashed}}}'
    return _name(request_name, hashed)


def challenge_name(order: str, spec: Manifest) -> str:
    """Return the name of a Challenge of an Order; its `key` does not count."""
    return _name(order, go_json({**spec, "key": ""}, "ChallengeSpec"))


def adler32(text: str) -> str:
    """Return a label's value for a domain or a token. Source: Go `hash/adler32`, decimal."""
    low, high = 1, 0
    for byte in text.encode():
        low = (low + byte) % _ADLER_MODULUS
        high = (high + low) % _ADLER_MODULUS
    return str(high << 16 | low)


def go_json(value: Any, type_name: str) -> str:
    """Return JSON as Go writes a value of this type; what the type does not know comes last."""
    if isinstance(value, list):
        inner = type_name.removeprefix("[]")
        return f"[{','.join(go_json(entry, inner) for entry in value)}]"
    fields = fields_of(type_name)
    if not isinstance(value, Mapping) or fields is None:
        return _scalar(value)
    parts: list[str] = []
    for name, field in fields.items():
        if name in value:
            parts.append(f"{_scalar(name)}:{go_json(value[name], field.type)}")
        elif not field.is_pointer and fields_of(field.type):  # a struct is never left out
            parts.append(f"{_scalar(name)}:{go_json(_empty(field.type), field.type)}")
    rest = {name: child for name, child in value.items() if name not in fields}
    parts += [f"{_scalar(name)}:{_scalar(child)}" for name, child in sorted(rest.items())]
    return f"{{{','.join(parts)}}}"


def _empty(type_name: str) -> Manifest:
    """Return what Go writes of a type's zero value but for its own structs."""
    fields = fields_of(type_name) or {}
    return {
        name: ""
        for name, field in fields.items()
        if field.is_always_written and field.type == "string" and not field.is_pointer
    }


def _scalar(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _name(prefix: str, hashed: str) -> str:
    return f"{dns_safe_shorten_to_52(prefix)}-{_fnv1(hashed.encode())}"


def _fnv1(data: bytes) -> int:
    """Return the 32 bit hash FNV-1, which is not FNV-1a. Source: Go `hash/fnv` New32."""
    found = _FNV_START
    for byte in data:
        found = found * _FNV_PRIME & 0xFFFFFFFF ^ byte
    return found
