"""The port to the world outside the store: CAs, name servers, web servers.

A plan may end with a question (`reconcile.contract.Ask`); what is asked is in `acme.questions`.
Whoever implements this answers within a bounded time and never raises for what the world may do.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["NoOutside", "Outside"]


class Outside(Protocol):
    """Answers questions."""

    async def answer(self, question: Any, /) -> Any:
        """Return the answer that the question's docstring names."""


class NoOutside:
    """Nobody to ask: for loops that never do."""

    async def answer(self, question: Any, /) -> Any:
        """Fail.

        Raises:
            LookupError: Always.
        """
        raise LookupError(f"nobody answers {type(question).__name__} here")
