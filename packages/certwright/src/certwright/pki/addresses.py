"""IP addresses and URIs as Go reads and writes them.

Source: Go `net.ParseIP`, `net.IP.String`, `net/url` (`Parse`, `URL.String`).
"""

from __future__ import annotations

import ipaddress
import re
import string
from typing import Final

from certwright.errors import InvalidError
from certwright.resources.gotext import quote

__all__ = ["canonical_ip", "canonical_uri", "ip_bytes", "ip_text", "uri_host"]

_V4_IN_V6: Final = bytes(10) + b"\xff\xff"
_UNRESERVED: Final = frozenset((string.ascii_letters + string.digits + "-_.~").encode())
_PATH_KEPT: Final = _UNRESERVED | frozenset(b"$&+,/:;=@")
_PATH_VALID: Final = _PATH_KEPT | frozenset(b"!'()*[]%")
_FRAGMENT_KEPT: Final = _UNRESERVED | frozenset(b"$&+,/:;=?@!()*")
_FRAGMENT_VALID: Final = _FRAGMENT_KEPT | frozenset(b"'[]%")
_USER_KEPT: Final = _UNRESERVED | frozenset(b"$&+,;=")
_USER_VALID: Final = _UNRESERVED | frozenset(b":!$&'()*+,;=%@")
_HOST_KEPT: Final = _UNRESERVED | frozenset(b"!$&'()*+,;=:[]<>\"")
_SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_HEX_PAIR: Final = re.compile(rb"[0-9A-Fa-f]{2}")
_AUTHORITY: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//([^/?#]*)")
_PORT: Final = re.compile(rb"(?::[0-9]*)?")


def ip_bytes(text: str) -> bytes | None:
    """Return the 4 or 16 bytes of an address, or None if it is none; mapped IPv4 is IPv4."""
    if "%" in text:
        return None
    try:
        packed = ipaddress.ip_address(text).packed
    except ValueError:
        return None
    return packed[12:] if packed.startswith(_V4_IN_V6) and len(packed) == 16 else packed


def ip_text(packed: bytes) -> str:
    """Return the canonical text of 4 or 16 bytes."""
    if len(packed) == 16 and packed.startswith(_V4_IN_V6):
        packed = packed[12:]
    return str(ipaddress.ip_address(packed))


def canonical_ip(text: str) -> str:
    """Return the canonical text of an address; what is none stays as it is."""
    packed = ip_bytes(text)
    return text if packed is None else ip_text(packed)


def canonical_uri(text: str) -> str:
    """Return the URI as Go writes it after reading it: scheme in small letters, odd bytes escaped.

    Raises:
        InvalidError: Go does not read it; the text is Go's.
    """
    try:
        return _uri(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    except InvalidError as error:
        raise InvalidError(f"parse {quote(text)}: {error}") from None


def uri_host(canonical: str) -> bytes:
    """Return the host of a canonical URI with its port, escapes undone; empty if it has none."""
    match = _AUTHORITY.match(canonical)
    if not match:
        return b""
    host = match[1].rpartition("@")[2]
    return _unescape(host.encode("utf-8", "surrogateescape"))


def _uri(raw: bytes) -> bytes:
    raw, _, fragment = raw.partition(b"#")
    if any(byte < 0x20 or byte == 0x7F for byte in raw):
        raise InvalidError("net/url: invalid control character in URL")
    scheme, rest = b"", raw
    if match := _SCHEME.fullmatch(raw):
        scheme, rest = match[1].lower(), match[2]
    elif raw.startswith(b":"):
        raise InvalidError("missing protocol scheme")
    rest, question, query = rest.partition(b"?")
    out = scheme + b":" if scheme else b""
    if scheme and not rest.startswith(b"/"):
        out += rest
    else:
        out = _hierarchy(out, scheme, rest)
    out += question + query
    return (
        out + b"#" + _escaped_as_read(fragment, _FRAGMENT_KEPT, _FRAGMENT_VALID)
        if fragment
        else out
    )


def _hierarchy(out: bytes, scheme: bytes, rest: bytes) -> bytes:
    if not scheme and not rest.startswith(b"/") and b":" in rest.partition(b"/")[0]:
        raise InvalidError("first path segment in URL cannot contain colon")
    if rest.startswith(b"//") and (scheme or not rest.startswith(b"///")):
        authority, slash, path = rest[2:].partition(b"/")
        rest = slash + path
        user, at, host = authority.rpartition(b"@")
        if authority or rest:
            out += b"//" + (_user(user) + b"@" if at else b"") + _host(host)
    return out + (rest if rest == b"*" else _escaped_as_read(rest, _PATH_KEPT, _PATH_VALID))


def _user(raw: bytes) -> bytes:
    if not _USER_VALID.issuperset(raw):
        raise InvalidError("net/url: invalid userinfo")
    name, colon, password = raw.partition(b":")
    return _escape(_unescape(name), _USER_KEPT) + colon + _escape(_unescape(password), _USER_KEPT)


def _host(raw: bytes) -> bytes:
    if raw.startswith(b"["):
        end = raw.rfind(b"]")
        if end < 0:
            raise InvalidError("missing ']' in host")
        port = raw[end + 1 :]
    else:
        colon = raw.rfind(b":")
        port = raw[colon:] if colon >= 0 else b""
    if not _PORT.fullmatch(port):
        shown = quote(port.decode("utf-8", "replace"))
        raise InvalidError(f"invalid port {shown} after host")
    for at, byte in enumerate(raw):
        if byte == 0x25 and raw[at + 1 : at + 2] < b"8" and raw[at : at + 3] != b"%25":
            raise _bad_escape(raw[at + 1 :])
        if byte < 0x80 and byte not in _HOST_KEPT and byte != 0x25:
            shown = quote(chr(byte))
            raise InvalidError(f"invalid character {shown} in host name")
    return _escape(_unescape(raw), _HOST_KEPT)


def _escaped_as_read(raw: bytes, kept: frozenset[int], valid: frozenset[int]) -> bytes:
    """Return an encoded part: as it was written if that is a valid encoding, else encoded anew."""
    value = _unescape(raw)
    return raw if valid.issuperset(raw) else _escape(value, kept)


def _unescape(raw: bytes) -> bytes:
    first, *parts = raw.split(b"%")
    out = bytearray(first)
    for part in parts:
        if not _HEX_PAIR.match(part):
            raise _bad_escape(part)
        out.append(int(part[:2], 16))
        out += part[2:]
    return bytes(out)


def _bad_escape(part: bytes) -> InvalidError:
    shown = quote("%" + part[:2].decode("utf-8", "surrogateescape"))
    return InvalidError(f"invalid URL escape {shown}")


def _escape(value: bytes, kept: frozenset[int]) -> bytes:
    return b"".join(bytes((byte,)) if byte in kept else b"%%%02X" % byte for byte in value)
