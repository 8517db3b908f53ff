"""Strategies asked from collectors: what an agent says about sampling.

Answers are kept for a while, as many processes ask about one service. While no collector answers,
the last answer stands, for a client that got an error would keep it too.

Source: Jaeger v1.62, `cmd/agent/app/configmanager/grpc`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from lymer.errors import LymerError, OverloadedError
from lymer.pipeline.collectors import Collectors
from lymer.sampling.strategies import Strategy
from lymer.sampling.strategy_proto import (
    METHOD,
    SERVICE,
    decode_strategy,
    encode_parameters,
)

__all__ = ["SERVICES_MAX", "RemoteSampling"]

SERVICES_MAX: Final = 10_000
"""Services whose strategy is remembered; beyond it the one not asked about for longest is
forgotten."""
_KEPT_SECONDS: Final = 10.0
"""So old an answer may be: clients ask once a minute."""
_FAILURE_KEPT_SECONDS: Final = 1.0
"""So long a collector that did not answer is not asked again about the same service."""
_CALL_SECONDS_MAX: Final = 3.0
"""Clients wait 10 s at most."""


@dataclass(slots=True)
class _Known:
    strategy: Strategy | None = None
    problem: str = ""
    """Why there was no answer last time; empty if there was."""
    until_seconds: float = 0.0
    """Loop time at which to ask again."""
    asking: asyncio.Task[None] | None = None


class RemoteSampling:
    """A `StrategyProvider` that asks collectors. Lives on one event loop."""

    def __init__(self, collectors: Collectors, *, kept_seconds: float = _KEPT_SECONDS) -> None:
        """Ask `collectors`, in turn, and remember what they say for `kept_seconds`."""
        self._collectors = collectors
        self._kept_seconds = kept_seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def get_strategy(self, service: str, /) -> Strategy:
        """See `StrategyProvider.get_strategy`.

        Raises:
            OverloadedError: No collector answers, and none ever has for this service.
        """
        known = self._known.get(service)
        if known is None:
            known = self._known[service] = _Known()
            if len(self._known) > SERVICES_MAX:
                self._known.popitem(last=False)
        self._known.move_to_end(service)
        loop = asyncio.get_running_loop()
        if loop.time() >= known.until_seconds:
            if known.asking is None:
                known.asking = loop.create_task(self._ask(service, known))
            # Several who ask at once share one question; one who goes away does not end it.
            await asyncio.shield(known.asking)
        if known.strategy is None:
            raise OverloadedError(known.problem)
        return known.strategy

    async def _ask(self, service: str, known: _Known) -> None:
        loop = asyncio.get_running_loop()
        try:
            link = self._collectors.choose(loop.time())
            if link is None:
                raise OverloadedError("no collector is known: their names cannot be looked up")
            body = await link.ask(
                f"/{SERVICE}/{METHOD}", encode_parameters(service), _CALL_SECONDS_MAX
            )
            known.strategy, known.problem = decode_strategy(body), ""
            known.until_seconds = loop.time() + self._kept_seconds
        except LymerError as error:
            known.problem = str(error)
            known.until_seconds = loop.time() + _FAILURE_KEPT_SECONDS
        finally:
            known.asking = None
