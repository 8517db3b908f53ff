"""Pages of summaries: a token says where the last one ended, and to which question it belongs.

The server keeps nothing: any query process can answer any page. While traces arrive no trace is
shown twice; one that gets a newer match moves to the front, where a new search finds it.
Source: Jaeger's RFC 0014; jaeger-idl pull request 213 (`Pagination` of `api_v3`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace
from typing import Final

from lymer.errors import QuestionError
from lymer.model.question import TraceQuestion
from lymer.query.checks import AnyQuestion
from lymer.storage.search_contract import Cursor

__all__ = ["PAGE_SIZE_MAX", "Page", "on_page", "token_after"]

PAGE_SIZE_MAX: Final = 10_000
"""Largest page, traces; more are not refused, but cut to this, as in Jaeger."""
_VERSION: Final = b"\x01"
_FINGERPRINT_BYTES: Final = 8
_KEY_BYTES: Final = 8
_TOKEN_BYTES: Final = len(_VERSION) + _FINGERPRINT_BYTES + _KEY_BYTES + 16
_NEWEST: Final = Cursor(2**63 - 1, "0" * 32)


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for of a search."""

    size: int
    """Traces, at least 1."""
    token: str = ""
    """Where to go on; empty begins."""


def on_page(question: AnyQuestion, page: Page) -> AnyQuestion:
    """Return the question that a page answers.

    Raises:
        QuestionError: The token is none, or of another question.
    """
    after = _read(page.token, _fingerprint(question)) if page.token else _NEWEST
    size = min(page.size, PAGE_SIZE_MAX)
    if isinstance(question, TraceQuestion):
        return replace(
            question,
            limit=size,
            after_start_unix_nano=after.key,
            after_trace_id=after.trace_id,
        )
    return replace(question, traces_max=size, after=after if page.token else None)


def token_after(question: AnyQuestion, last: Cursor) -> str:
    """Return the token of the page behind a trace of a question that was asked."""
    sent = (
        _VERSION
        + _fingerprint(question)
        + last.key.to_bytes(_KEY_BYTES)
        + bytes.fromhex(last.trace_id)
    )
    return base64.urlsafe_b64encode(sent).decode().rstrip("=")


def _fingerprint(question: AnyQuestion) -> bytes:
    """Return a hash of all that a question says, but for its place in the order."""
    if isinstance(question, TraceQuestion):
        asked: AnyQuestion = replace(
            question, limit=1, after_start_unix_nano=None, after_trace_id=""
        )
    else:
        asked = replace(question, traces_max=1, after=None)
    return hashlib.blake2b(repr(asked).encode(), digest_size=_FINGERPRINT_BYTES).digest()


def _read(token: str, fingerprint: bytes) -> Cursor:
    refusal = f"invalid pagination: {token[:100]!r} is no token of this search"
    try:
        sent = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise QuestionError(refusal) from error
    if len(sent) != _TOKEN_BYTES or not sent.startswith(_VERSION + fingerprint):
        raise QuestionError(refusal)
    rest = sent[len(_VERSION) + _FINGERPRINT_BYTES :]
    return Cursor(min(int.from_bytes(rest[:_KEY_BYTES]), 2**63 - 1), rest[_KEY_BYTES:].hex())
