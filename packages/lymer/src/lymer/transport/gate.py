"""Who may pass: bearer tokens and passwords, read from files, checked, read again.

A token is compared as a digest with a key of this process, so the time it takes says nothing of
the tokens. A password that was checked, right or wrong, is remembered as such a digest until the
file changes: bcrypt takes 50 ms or more on purpose, on a thread, and requests come often.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer.errors import OverloadedError, StartupError
from lymer.transport.htpasswd import has_plain_passwords, parse_htpasswd, password_fits
from lymer.transport.watched_files import Marks, marks_of, read_file

__all__ = ["Gate", "GateOptions", "read_tokens"]

_REMEMBERED_MAX: Final = 1024
_CHECKS_WAITING_MAX: Final = 64
"""Passwords that wait to be checked, about 5 s of work; further ones are told to come back."""
_HEADER_BYTES_MAX: Final = 8192
_TOKENS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class GateOptions:
    """Who may pass; equal options can share one `Gate`."""

    bearer_tokens_file: Path | None = None
    """One token a line."""
    bearer_tokens: tuple[str, ...] = ()
    """Tokens beside those of the file."""
    htpasswd_file: Path | None = None
    """Users and passwords."""
    setting: str = "auth"
    """Path of the group of settings, for messages and as a label."""


@dataclass(slots=True)
class _Content:
    """What the files hold, and what was found out with it."""

    tokens: frozenset[bytes]
    users: dict[str, str]
    others_can_read: bool
    """Whether users other than ours can read the file of passwords."""
    remembered: dict[bytes, bool]


class Gate:
    """Says who may pass. `load` may run on any thread; the rest is for one event loop."""

    def __init__(
        self, options: GateOptions, *, on_refusal: Callable[[str], None] = lambda _reason: None
    ) -> None:
        """Read and check the files; `on_refusal` gets the reason of each refusal.

        Raises:
            StartupError: A file is missing, unreadable, empty or not what it should be.
        """
        self.options = options
        self._on_refusal = on_refusal
        self._key: Final = secrets.token_bytes(32)
        self._checks_waiting = 0
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self.marks_at_load: Final = self.marks()
        self._content = self._read()

    @property
    def name(self) -> str:
        """Path of the group of settings."""
        return self.options.setting

    @property
    def challenges(self) -> tuple[str, ...]:
        """What to say to who was refused: a `WWW-Authenticate` each. Source: RFC 7235, 4.1."""
        options = self.options
        basic = ('Basic realm="Lymer", charset="UTF-8"',) if options.htpasswd_file else ()
        takes_tokens = options.bearer_tokens_file or options.bearer_tokens
        return (*basic, 'Bearer realm="Lymer"') if takes_tokens else basic

    def remark(self) -> str:
        """Return what an operator should know: passwords that others can read."""
        file = self.options.htpasswd_file
        if file is None or not has_plain_passwords(self._content.users):
            return ""
        if self._content.others_can_read:
            return f"{file} holds plain passwords and others can read it: chmod 600, or hash them"
        return f"{file} holds plain passwords: hash them with `htpasswd -B`"

    def marks(self) -> Marks:
        """Return what tells whether a file has changed."""
        files = (self.options.bearer_tokens_file, self.options.htpasswd_file)
        return marks_of(file for file in files if file is not None)

    def load(self) -> str:
        """Read the files again; requests are judged by them from now on."""
        self._content = self._read()
        return self.remark()

    def close(self) -> None:
        """Check no more passwords."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def refusal(self, authorization: str) -> str:
        """Say why a request may not pass: missing, scheme, bad_token, bad_password; or nothing.

        Args:
            authorization: Content of its header `Authorization`; empty if there is none.

        Raises:
            OverloadedError: Too many passwords wait to be checked.
        """
        reason = await self._judge(authorization)
        if reason:
            self._on_refusal(reason)
        return reason

    async def _judge(self, authorization: str) -> str:
        scheme, _, credentials = authorization.strip().partition(" ")
        if not scheme:
            return "missing"
        credentials = credentials.strip()
        content = self._content
        if len(credentials) > _HEADER_BYTES_MAX:
            return "scheme"
        match scheme.lower():
            case "bearer" if content.tokens:
                return "" if self._digest(credentials) in content.tokens else "bad_token"
            case "basic" if content.users:
                return "" if await self._password_fits(content, credentials) else "bad_password"
            case _:
                return "scheme"

    async def _password_fits(self, content: _Content, credentials: str) -> bool:
        digest = self._digest(credentials)
        known = content.remembered.get(digest)
        if known is not None:
            return known
        user, password = _user_and_password(credentials)
        # Somebody unknown takes as long as somebody known.
        kept = content.users.get(user) or next(iter(content.users.values()))
        if self._checks_waiting >= _CHECKS_WAITING_MAX:
            raise OverloadedError("too many passwords wait to be checked")
        self._checks_waiting += 1
        try:
            loop = asyncio.get_running_loop()
            fits = await loop.run_in_executor(self._executor, password_fits, kept, password)
        finally:
            self._checks_waiting -= 1
        fits = fits and user in content.users
        while len(content.remembered) >= _REMEMBERED_MAX:
            content.remembered.pop(next(iter(content.remembered)))
        content.remembered[digest] = fits
        return fits

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _read(self) -> _Content:
        options, setting = self.options, self.options.setting
        tokens: list[str] = list(options.bearer_tokens)
        if options.bearer_tokens_file is not None:
            name = f"{setting}.bearer_tokens_file"
            tokens += read_tokens(options.bearer_tokens_file, name)
        users: dict[str, str] = {}
        others_can_read = False
        if options.htpasswd_file is not None:
            name = f"{setting}.htpasswd_file"
            content = read_file(options.htpasswd_file, name)
            others_can_read = _others_can_read(options.htpasswd_file)
            try:
                users = parse_htpasswd(content.decode())
            except UnicodeDecodeError as error:
                raise StartupError(f'{options.htpasswd_file} ("{name}") is no text') from error
            except ValueError as error:
                raise StartupError(f'{options.htpasswd_file} ("{name}"): {error}') from error
        _check_tokens(tokens, f"{setting}.bearer_tokens")
        return _Content(frozenset(map(self._digest, tokens)), users, others_can_read, {})


def read_tokens(file: Path, setting: str) -> list[str]:
    """Return the tokens of a file, one a line; empty lines and those with `#` first are none.

    Raises:
        StartupError: It cannot be read, holds none, or holds what cannot be a token.
    """
    try:
        text = read_file(file, setting).decode("ascii")
    except UnicodeDecodeError as error:
        raise StartupError(f'{file} ("{setting}"): a token is letters, digits and signs') from error
    lines = (line.strip() for line in text.splitlines())
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise StartupError(f'no token is in {file} ("{setting}")')
    _check_tokens(tokens, setting)
    return tokens


def _check_tokens(tokens: Sequence[str], setting: str) -> None:
    if len(tokens) > _TOKENS_MAX:
        raise StartupError(f'"{setting}" holds more than {_TOKENS_MAX} tokens')
    for token in tokens:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise StartupError(
                f'"{setting}" holds a text with spaces or other signs that no header can carry: '
                "a token is letters, digits and signs, one a line"
            )


def _others_can_read(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False  # gone since it was read


def _user_and_password(credentials: str) -> tuple[str, str]:
    """Return what `Basic` carries; empty texts if it is broken. Source: RFC 7617, 2."""
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return user, password
