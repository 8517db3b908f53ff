"""Flags and variables of Jaeger v1 that set nothing here, by their first words, and what to use.

Jaeger and its operator hand a process every flag of the storage it is configured for; none of them
may end a start. Source: Jaeger v1.76, `cmd/*/app/flags.go`, `internal/storage/v1/*/options.go`;
jaeger-operator `pkg/deployment`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["foreign_remark", "foreign_variables"]

_EMBEDDED: Final = "spans are kept by the embedded engine in storage.data_dir"
_FAMILIES: Final = (
    ("es-archive", f"{_EMBEDDED}, archived traces too"),
    ("es", f"{_EMBEDDED}, not in Elasticsearch or OpenSearch"),
    ("opensearch", f"{_EMBEDDED}, not in OpenSearch"),
    ("cassandra-archive", f"{_EMBEDDED}, archived traces too"),
    ("cassandra", f"{_EMBEDDED}, not in Cassandra"),
    ("badger", f"{_EMBEDDED}; storage.retention_seconds says how long"),
    ("memory", "traces are kept on disk by age, not by number: storage.retention_seconds"),
    ("grpc-storage", f"{_EMBEDDED}, not behind a storage plugin"),
    ("grpc-storage-plugin", f"{_EMBEDDED}, not behind a storage plugin"),
    ("kafka", "it concerns parts of Kafka's client that are built otherwise"),
    ("ingester", "it concerns parts of Jaeger that are built otherwise"),
    ("downsampling", "nothing is dropped unseen: tail_sampling.policies_file decides what is kept"),
    ("prometheus", "rate, errors and duration are counted from the spans themselves"),
    ("metrics-storage", "rate, errors and duration are counted from the spans themselves"),
    ("span-storage", _EMBEDDED),
    ("dependency-storage", "dependencies are counted as spans arrive"),
    ("sampling", "sampling.* of Lymer's settings say how clients sample"),
    ("config-file", "give the file's settings to --config in Lymer's words, or as flags"),
    ("log-level", "--log-level or LYMER__LOGS__LEVEL says how much is logged"),
    ("plugin", _EMBEDDED),
    ("collector", "it concerns parts of Jaeger that are built otherwise"),
    ("query", "it concerns parts of Jaeger that are built otherwise"),
    ("reporter", "it concerns parts of Jaeger that are built otherwise"),
    ("processor", "it concerns parts of Jaeger that are built otherwise"),
    ("http-server", "it concerns parts of Jaeger that are built otherwise"),
    ("admin", "it concerns parts of Jaeger that are built otherwise"),
    ("multi-tenancy", "tenancy.* of Lymer's settings say how tenants are told apart"),
)
"""First words of a flag → what to tell who uses it. The longest that fits counts."""

_VARIABLE: Final = re.compile(
    r"(ES|ES_ARCHIVE|OPENSEARCH|CASSANDRA|CASSANDRA_ARCHIVE|BADGER|KAFKA_PRODUCER|KAFKA_CONSUMER"
    r"|INGESTER|GRPC_STORAGE|GRPC_STORAGE_PLUGIN|DOWNSAMPLING|PROMETHEUS|MEMORY)_[A-Z0-9_]+"
    r"|LOG_LEVEL|(SPAN|DEPENDENCY|METRICS|SAMPLING)_STORAGE_TYPE|SAMPLING_CONFIG_TYPE"
)
"""Variables that are told about; others of such names belong to somebody else more often."""


def foreign_remark(flag: str) -> str:
    """Return what to say about a flag, named without dashes, or empty if it is none of Jaeger's."""
    fitting = [
        (family, remark)
        for family, remark in _FAMILIES
        if flag == family or flag.startswith((family + ".", family + "-"))
    ]
    return max(fitting, default=("", ""), key=lambda one: len(one[0]))[1]


def foreign_variables(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (variable, what to say) of those that Jaeger reads and Lymer does not, sorted."""
    found = []
    for name in sorted(names):
        if _VARIABLE.fullmatch(name):
            remark = foreign_remark(name.lower().replace("_", "-"))
            found.append((name, remark or _EMBEDDED))
    return found
