"""How an outgoing link says who we are: a token or a password from a file, read again."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer.errors import StartupError
from lymer.transport.gate import read_tokens
from lymer.transport.watched_files import Marks, marks_of, read_file

__all__ = ["ClientAuth", "ClientAuthOptions"]


@dataclass(frozen=True, slots=True)
class ClientAuthOptions:
    """A token, or a user and a password."""

    bearer_token_file: Path | None = None
    """File that holds one token."""
    username: str = ""
    """Who we are, where there is no token."""
    password_file: Path | None = None
    """File that holds the user's password."""
    setting: str = "auth"
    """Path of the group of settings, for messages."""


class ClientAuth:
    """What each request must carry. `load` may run on any thread while it is asked."""

    def __init__(self, options: ClientAuthOptions) -> None:
        """Read the file.

        Raises:
            StartupError: It is missing, unreadable, empty or no token.
        """
        self.options = options
        self.marks_at_load: Final = self.marks()
        self._authorization = self._read()

    @property
    def name(self) -> str:
        """Path of the group of settings."""
        return self.options.setting

    def marks(self) -> Marks:
        """Return what tells whether the file has changed."""
        files = (self.options.bearer_token_file, self.options.password_file)
        return marks_of(file for file in files if file is not None)

    def load(self) -> str:
        """Read the file again; requests carry what is in it from now on."""
        self._authorization = self._read()
        return ""

    def headers(self) -> dict[str, str]:
        """Return what an HTTP request must carry now."""
        return {"Authorization": self._authorization}

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what a gRPC call must carry now."""
        return (("authorization", self._authorization),)

    def _read(self) -> str:
        options, setting = self.options, self.options.setting
        if options.bearer_token_file is not None:
            name = f"{setting}.bearer_token_file"
            tokens = read_tokens(options.bearer_token_file, name)
            if len(tokens) > 1:
                file = options.bearer_token_file
                raise StartupError(f'{file} ("{name}") holds {len(tokens)} tokens: one is sent')
            return f"Bearer {tokens[0]}"
        assert options.password_file is not None
        name = f"{setting}.password_file"
        try:
            password = read_file(options.password_file, name).decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise StartupError(f'{options.password_file} ("{name}") is no text') from error
        credentials = base64.b64encode(f"{options.username}:{password}".encode()).decode()
        return f"Basic {credentials}"
