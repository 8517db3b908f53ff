"""Files of users and passwords as Apache's `htpasswd` writes them (pure but for bcrypt's work).

=================  ==================================
`$2y$`, `$2b$` …   bcrypt: `htpasswd -B`, the one to use
`$apr1$`           MD5 of Apache: `htpasswd -m`, its default; `openssl passwd -apr1`
`{SHA}`            SHA-1 without salt: `htpasswd -s`
anything else      the password itself: `htpasswd -p`
=================  ==================================

Source: Apache httpd 2.4, "Password Formats"; APR 1.7, `crypto/apr_md5.c`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import bcrypt

__all__ = ["has_plain_passwords", "parse_htpasswd", "password_fits"]

_BCRYPT: Final = ("$2y$", "$2b$", "$2a$")
_BCRYPT_LENGTH: Final = 60
_BCRYPT_BYTES_MAX: Final = 72
"""bcrypt looks at no more, and `htpasswd` cuts there."""
_APR1: Final = "$apr1$"
_SHA: Final = "{SHA}"
_APR1_LETTERS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_APR1_ORDER: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))


def parse_htpasswd(text: str) -> dict[str, str]:
    """Return user → password as it is kept.

    Raises:
        ValueError: A line is no `user:password`, holds a kind of hash that is not known, or its
            user stands twice. The message says which line and never what is in it.
    """
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        user, colon, kept = line.strip().partition(":")
        if not colon or not user or not kept:
            raise ValueError(f"line {number} is not user:password")
        if user in users:
            raise ValueError(f"line {number} has a user who stands above already")
        if not _is_known(kept):
            raise ValueError(
                f"line {number} has a kind of hash that is not known: use `htpasswd -B`"
            )
        users[user] = kept
    if not users:
        raise ValueError("no user is in it")
    return users


def _is_known(kept: str) -> bool:
    if kept.startswith(_BCRYPT):
        return len(kept) == _BCRYPT_LENGTH
    # What looks like a hash must never be taken for the password itself.
    return kept.startswith((_APR1, _SHA)) or kept[0] not in "${"


def has_plain_passwords(users: Mapping[str, str]) -> bool:
    """Say whether somebody's password is kept as it is."""
    return any(kept[0] not in "${" for kept in users.values())


def password_fits(kept: str, password: str) -> bool:
    """Say whether `password` is the one `kept` was made of; bcrypt takes its time over it."""
    given = password.encode()
    if kept.startswith(_BCRYPT):
        try:
            return bcrypt.checkpw(given[:_BCRYPT_BYTES_MAX], kept.encode())
        except ValueError:
            return False
    if kept.startswith(_APR1):
        made = _apr1(given, kept.removeprefix(_APR1).partition("$")[0])
    elif kept.startswith(_SHA):
        digest = hashlib.sha1(given, usedforsecurity=False).digest()
        made = _SHA + base64.b64encode(digest).decode()
    else:
        made = password
    return hmac.compare_digest(made.encode(), kept.encode())


def _apr1(password: bytes, salt: str) -> str:
    """Return Apache's own MD5 of a password, 1000 rounds of it."""
    salt_bytes = salt[:8].encode()
    mixed = _md5(password + salt_bytes + password)
    start = password + b"$apr1$" + salt_bytes
    start += (mixed * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        start += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = _md5(start)
    for turn in range(1000):
        piece = password if turn & 1 else digest
        piece += salt_bytes if turn % 3 else b""
        piece += password if turn % 7 else b""
        piece += digest if turn & 1 else password
        digest = _md5(piece)
    letters = "".join(
        _letters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _APR1_ORDER
    )
    return f"{_APR1}{salt[:8]}${letters}{_letters(digest[11], 2)}"


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _letters(number: int, count: int) -> str:
    return "".join(_APR1_LETTERS[number >> (6 * place) & 0x3F] for place in range(count))
