"""Strategies: what a service is told about sampling, and the port of who tells.

Source: jaeger-idl `proto/api_v2/sampling.proto`; reference jaeger.md 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "FixedStrategies",
    "OperationStrategies",
    "OperationStrategy",
    "Probabilistic",
    "RateLimiting",
    "Strategy",
    "StrategyProvider",
]


@dataclass(frozen=True, slots=True)
class Probabilistic:
    """Sample a share of the traces."""

    probability: float
    """0 to 1. What a file says outside of that is passed on, as Jaeger does; clients refuse it."""


@dataclass(frozen=True, slots=True)
class RateLimiting:
    """Sample so many traces a second."""

    traces_per_second_max: int
    """A signed number of 32 bits."""


@dataclass(frozen=True, slots=True)
class OperationStrategy:
    """What holds for one operation of a service."""

    operation: str
    probability: float


@dataclass(frozen=True, slots=True)
class OperationStrategies:
    """What holds for the operations of a service, and for those without an entry."""

    default_probability: float
    """For operations without an entry."""
    operations: tuple[OperationStrategy, ...] = ()
    """In the order they are sent; names are not repeated by us."""
    lower_bound_traces_per_second: float = 0.0
    """At least so many of each operation are sampled, whatever the probability."""
    upper_bound_traces_per_second: float = 0.0
    """At most; 0 is no limit."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """The whole answer to one service."""

    sampler: Probabilistic | RateLimiting
    """What holds where `operations` says nothing, and for clients that do not know operations."""
    operations: OperationStrategies | None = None
    """None if all operations are alike."""


class StrategyProvider(Protocol):
    """Knows the strategy of every service: from a file, computed, or asked from a collector."""

    async def get_strategy(self, service: str, /) -> Strategy:
        """Return what holds for `service`; one that nobody named gets the default.

        Answers at once where it can: clients ask every minute, from each process.

        Raises:
            LymerError: It is not known now. The client keeps what it has.
        """


@dataclass(frozen=True, slots=True)
class FixedStrategies:
    """A provider that says the same to everybody."""

    strategy: Strategy

    async def get_strategy(self, service: str, /) -> Strategy:
        """See `StrategyProvider.get_strategy`."""
        return self.strategy
