"""One e-mail address, read as Go's net/mail reads it, errors included.

A display name (`Barry <bg@example.com>`) and comments are read; groups are refused. Address
literals (`a@[192.0.2.1]`) are refused, as by the Go that cert-manager 1.12 is built with.

Source: Go 1.20 net/mail `ParseAddress`; RFC 5322, 3.4.
"""

from __future__ import annotations

from typing import Final

from certwright.errors import InvalidError
from certwright.pki.addresses import ip_bytes
from certwright.resources.gotext import quote

__all__ = ["parse_address"]

_SPECIALS: Final = frozenset('()<>[]:;@\\,"')
_COMMENT: Final = "mail: misformatted parenthetical comment"


def parse_address(text: str) -> str:
    """Return the address without its display name: `user@domain`.

    Raises:
        InvalidError: Go would refuse it; the text is Go's.
    """
    return _Parser(text).single()


def _is_visible(character: str) -> bool:
    return "!" <= character <= "~" or character >= "\x80"


def _is_atext(character: str, *, dot: bool) -> bool:
    if character == ".":
        return dot
    return character not in _SPECIALS and _is_visible(character)


class _Parser:
    def __init__(self, text: str) -> None:
        self._rest = text

    def single(self) -> str:
        addresses = self._address(group_allowed=True)
        self._skip_comments()
        if self._rest:
            raise InvalidError(f"mail: expected single address, got {quote(self._rest)}")
        if not addresses:
            raise InvalidError("mail: empty group")
        if len(addresses) > 1:
            raise InvalidError("mail: group with multiple addresses")
        return addresses[0]

    def _address(self, *, group_allowed: bool) -> list[str]:
        self._skip_space()
        if not self._rest:
            raise InvalidError("mail: no address")
        start = self._rest
        try:
            spec = self._addr_spec()
        except InvalidError:
            self._rest = start
        else:
            self._skip_space()
            if self._take("("):
                self._comment()
            return [spec]
        name = "" if self._rest.startswith("<") else self._phrase()
        self._skip_space()
        if group_allowed and self._take(":"):
            return self._group()
        if not self._take("<"):
            if all(_is_atext(character, dot=True) for character in name):
                raise InvalidError("mail: missing '@' or angle-addr")
            raise InvalidError("mail: no angle-addr")
        spec = self._addr_spec()
        if not self._take(">"):
            raise InvalidError("mail: unclosed angle-addr")
        return [spec]

    def _group(self) -> list[str]:
        found: list[str] = []
        self._skip_space()
        if self._take(";"):
            self._skip_comments()
            return found
        while True:
            self._skip_space()
            found += self._address(group_allowed=False)
            self._skip_comments()
            if self._take(";"):
                self._skip_comments()
                return found
            if not self._take(","):
                raise InvalidError("mail: expected comma")

    def _addr_spec(self) -> str:
        self._skip_space()
        if not self._rest:
            raise InvalidError("mail: no addr-spec")
        if self._rest.startswith('"'):
            try:
                local = self._quoted()
            except InvalidError:
                local = ""  # Go forgets why
            if not local:
                raise InvalidError("mail: empty quoted string in addr-spec")
        else:
            local = self._atom(permissive=False)
        if not self._take("@"):
            raise InvalidError("mail: missing @ in addr-spec")
        self._skip_space()
        if not self._rest:
            raise InvalidError("mail: no domain in addr-spec")
        literal = self._rest.startswith("[")
        domain = self._domain_literal() if literal else self._atom(permissive=False)
        return f"{local}@{domain}"

    def _domain_literal(self) -> str:
        """Read an address in brackets, as Go does since 1.22."""
        content, closed, rest = self._rest[1:].partition("]")
        for character in content:
            if character in "\\[" or not _is_visible(character):
                shown = quote(character)[1:-1]
                raise InvalidError(f"mail: bad character in domain-literal: '{shown}'")
        if not closed:
            raise InvalidError("mail: unclosed domain-literal")
        if ip_bytes(content) is None:
            raise InvalidError(f"mail: invalid IP address in domain-literal: {quote(content)}")
        self._rest = rest
        return f"[{content}]"

    def _phrase(self) -> str:
        words: list[str] = []
        while True:
            self._skip_space()
            if words and not self._rest:
                break
            try:
                quoted = self._rest.startswith('"')
                words.append(self._quoted() if quoted else self._atom(permissive=True))
            except InvalidError as error:
                if not words:
                    raise InvalidError(f"mail: missing word in phrase: {error}") from error
                break
        return " ".join(words)

    def _quoted(self) -> str:
        content: list[str] = []
        escaped = False
        for position, character in enumerate(self._rest[1:], start=1):
            is_text = _is_visible(character) or character in " \t"
            if escaped:
                if not is_text:
                    raise InvalidError(_bad_character(character))
                content.append(character)
                escaped = False
            elif character == '"':
                self._rest = self._rest[position + 1 :]
                return "".join(content)
            elif character == "\\":
                escaped = True
            elif is_text:
                content.append(character)
            else:
                raise InvalidError(_bad_character(character))
        raise InvalidError("mail: unclosed quoted-string")

    def _atom(self, *, permissive: bool) -> str:
        end = 0
        while end < len(self._rest) and _is_atext(self._rest[end], dot=True):
            end += 1
        if end == 0:
            raise InvalidError("mail: invalid string")
        atom, self._rest = self._rest[:end], self._rest[end:]
        if permissive:
            return atom
        if atom.startswith("."):
            raise InvalidError("mail: leading dot in atom")
        if ".." in atom:
            raise InvalidError("mail: double dot in atom")
        if atom.endswith("."):
            raise InvalidError("mail: trailing dot in atom")
        return atom

    def _skip_space(self) -> None:
        self._rest = self._rest.lstrip(" \t")

    def _skip_comments(self) -> None:
        self._skip_space()
        while self._take("("):
            self._comment()
            self._skip_space()

    def _comment(self) -> None:
        """Skip a comment whose `(` has been read; comments nest."""
        depth = 1
        position = 0
        while position < len(self._rest) and depth:
            character = self._rest[position]
            if character == "\\" and position + 1 < len(self._rest):
                position += 1
            elif character == "(":
                depth += 1
            elif character == ")":
                depth -= 1
            position += 1
        if depth:
            raise InvalidError(_COMMENT)
        self._rest = self._rest[position:]

    def _take(self, character: str) -> bool:
        if not self._rest.startswith(character):
            return False
        self._rest = self._rest[1:]
        return True


def _bad_character(character: str) -> str:
    shown = quote(character)[1:-1].replace('\\"', '"')
    return f"mail: bad character in quoted-string: '{shown}'"
