"""An application that is not there: what its requests call, how often, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["APPLICATION", "HOSTS_PER_SERVICE", "Call", "Entry", "hosts_of"]

HOSTS_PER_SERVICE: Final = 4
SERVER: Final = 2
CLIENT: Final = 3
PRODUCER: Final = 4
CONSUMER: Final = 5
INTERNAL: Final = 1


@dataclass(frozen=True, slots=True)
class Call:
    """A span and what it calls, one after the other."""

    service: str
    name: str
    kind: int
    own_millis: float
    """Median of the time it does not wait for what it calls."""
    calls: tuple[Call, ...] = field(default=())
    probability: float = 1.0
    """Part of the parents that make this call."""
    is_parallel: bool = False
    """Whether its calls run at the same time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of request from outside."""

    root: Call
    share: float
    """Part of all requests."""


def hosts_of(service: str) -> list[str]:
    """Return the hosts on which a service runs."""
    return [f"{service}-{number}" for number in range(HOSTS_PER_SERVICE)]


def _rpc(caller: str, callee: Call, *, probability: float = 1.0) -> Call:
    """Return a call over the network: a client span above the callee's server span."""
    return Call(caller, f"call {callee.service}", CLIENT, 0.4, (callee,), probability=probability)


def _serve(service: str, name: str, own: float, *calls: Call, parallel: bool = False) -> Call:
    return Call(service, name, SERVER, own, calls, is_parallel=parallel)


def _query(service: str, statement: str, own: float, *, probability: float = 1.0) -> Call:
    return Call(service, statement, CLIENT, own, probability=probability)


def _price() -> Call:
    return _serve("pricing", "GET /price", 3.0, _query("pricing", "SELECT prices", 2.0))


def _stock(name: str) -> Call:
    return _serve("inventory", name, 4.0, _query("inventory", "SELECT stock", 3.0))


def _user() -> Call:
    return _serve(
        "accounts",
        "GET /user",
        2.0,
        _query("accounts", "GET session", 0.6),
        _query("accounts", "SELECT users", 4.0, probability=0.15),
    )


_BROWSE: Final = _serve(
    "gateway",
    "GET /products",
    2.0,
    _rpc("gateway", _user()),
    _rpc(
        "gateway",
        _serve(
            "catalog",
            "GET /list",
            5.0,
            _query("catalog", "SELECT products", 6.0),
            _rpc("catalog", _price()),
            _rpc("catalog", _stock("GET /availability")),
            parallel=True,
        ),
    ),
)
_SEARCH: Final = _serve(
    "gateway",
    "GET /search",
    2.0,
    _rpc("gateway", _serve("search", "POST /query", 12.0, _query("search", "index lookup", 8.0))),
    _rpc("gateway", _serve("ads", "GET /ads", 3.0), probability=0.6),
)
_CHECKOUT: Final = _serve(
    "gateway",
    "POST /checkout",
    3.0,
    _rpc("gateway", _user()),
    _rpc(
        "gateway",
        _serve(
            "orders",
            "POST /orders",
            6.0,
            _rpc("orders", _stock("POST /reserve")),
            _rpc(
                "orders",
                _serve("payment", "POST /charge", 15.0, _query("payment", "card network", 30.0)),
            ),
            _query("orders", "INSERT orders", 5.0),
            Call(
                "orders",
                "orders publish",
                PRODUCER,
                0.8,
                (
                    Call(
                        "shipping",
                        "orders process",
                        CONSUMER,
                        9.0,
                        (_query("shipping", "INSERT parcels", 4.0),),
                    ),
                ),
            ),
        ),
    ),
)
_ACCOUNT: Final = _serve(
    "gateway",
    "GET /account",
    2.0,
    _rpc("gateway", _user()),
    _rpc("gateway", _serve("orders", "GET /orders", 4.0, _query("orders", "SELECT orders", 7.0))),
)

APPLICATION: Final = (
    Entry(_BROWSE, 0.4),
    Entry(_SEARCH, 0.3),
    Entry(_CHECKOUT, 0.15),
    Entry(_ACCOUNT, 0.15),
)
