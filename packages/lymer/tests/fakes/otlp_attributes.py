"""OTLP attributes as plain values, for a test to compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

__all__ = ["attributes_of"]


def attributes_of(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Return key → value."""

    def value(entry: KeyValue) -> Any:
        kind = entry.value.WhichOneof("value")
        return getattr(entry.value, kind) if kind else None

    return {entry.key: value(entry) for entry in attributes}
