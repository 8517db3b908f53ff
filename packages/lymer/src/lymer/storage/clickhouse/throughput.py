"""The throughput of a tenant's operations in SQL, and what adaptive sampling computed from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from lymer.errors import StorageError
from lymer.model.throughput import OperationRate, Throughput
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.statements import statement
from lymer.storage.sampling_contract import OPERATIONS_PER_SERVICE_MAX

__all__ = [
    "HISTORY_MICROSECONDS",
    "MARK_RATES",
    "put_rates",
    "select_rates",
    "select_throughput",
]

HISTORY_MICROSECONDS: Final = 3600 * 1_000_000
"""How far back counting begins when it is switched on, or was off for longer."""
PROBABILITIES_MAX: Final = 10
"""Of one operation in one answer. Source: reference jaeger.md 3.3."""
MARK_RATES: Final = ""
"""Service of the row that says that nothing was computed."""
_RATES_BYTES_MAX: Final = 64 << 20


def select_throughput(
    engine: Engine, database: str, after_unix_seconds: int, upto_unix_seconds: int
) -> list[Throughput]:
    """Return the throughput of one tenant; see `SamplingStore.get_throughput`."""
    columns = engine.select(
        database,
        statement(
            "throughput",
            after=after_unix_seconds,
            upto=upto_unix_seconds,
            probabilities_max=PROBABILITIES_MAX,
            operations_max=OPERATIONS_PER_SERVICE_MAX,
        ),
        6,
    )
    found = [
        Throughput(
            _str(service), _str(name), count, frozenset(tags), frozenset(thresholds), bool(bare)
        )
        for service, name, count, tags, thresholds, bare in zip(*columns, strict=True)
    ]
    return sorted(found, key=lambda each: (each.service, each.operation))


def put_rates(
    engine: Engine, database: str, rates: Sequence[OperationRate], unix_nano: int
) -> None:
    """Keep `rates` as what was computed at an instant; see `SamplingStore.put_rates`."""
    rows = [
        [each.service, each.operation, each.probability, each.traces_per_second] for each in rates
    ]
    text = json.dumps([*rows, [MARK_RATES, "", 0.0, 0.0]])
    if len(text) > _RATES_BYTES_MAX:
        message = f"cannot keep sampling rates: {len(text)} bytes, the limit is {_RATES_BYTES_MAX}"
        raise StorageError(message)
    engine.command(
        database,
        statement("put_rates", at=unix_nano),
        {"rates": text},
        {"max_insert_threads": 1, "max_threads": 1},
    )


def select_rates(engine: Engine, database: str) -> list[OperationRate]:
    """Return what was computed last; see `SamplingStore.get_rates`."""
    columns = engine.select(
        database,
        statement("rates"),
        4,
    )
    return [
        OperationRate(_str(service), _str(operation), probability, qps)
        for service, operation, probability, qps in zip(*columns, strict=True)
    ]


def _str(sent: bytes) -> str:
    return sent.decode("utf-8", "replace")
