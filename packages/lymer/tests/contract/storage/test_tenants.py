"""Tenants: whatever their names are, and whenever their segments are stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from contract.storage.conftest import Store
from lymer.tenancy import DEFAULT_TENANT, TENANT_BYTES_MAX, is_tenant
from make import make_request, make_span, span_hex, trace_hex, write_segment_file

T1, T2 = trace_hex(1), trace_hex(2)
CRAFTED: Final = [
    DEFAULT_TENANT,
    "lymer",
    "Lymer",
    "lymer_t_",
    "../lymer",
    "..",
    ".",
    "/",
    "a",
    "A",
    "a b",
    "'; DROP DATABASE lymer; --",
    '"',
    "`",
    "\\",
    "{db}",
    "%00",
    "61",
    "~" * TENANT_BYTES_MAX,
    "~" * (TENANT_BYTES_MAX - 1),
]
"""Names that want to be another's, a path, or SQL."""


SHARDED: Final = [one for one in CRAFTED if one in {DEFAULT_TENANT, "A", "~" * TENANT_BYTES_MAX}
                  or not {*one}.isdisjoint("'\"`\\{%")]  # fmt: skip
"""On a server there are no paths, and a name is a database of each of two shards and of both."""


@pytest.fixture
def put(store: Store, tmp_path: Path) -> Callable[..., None]:
    """Return a function that stores a call from shop to cart of a tenant, one segment each."""
    made = iter(range(1_795_365_821_000_000, 1_795_365_822_000_000))

    def write(tenant: str, trace: int = 1, *, value: str = "1") -> None:
        parent = make_span(trace, 1, attrs={"secret": value})
        child = make_span(trace, 2, 1, attrs={"secret": value})
        requests = (make_request(parent), make_request(child, service="cart"))
        store.write_segment(
            write_segment_file(tmp_path, *requests, segment_id=next(made), tenant=tenant)
        )

    return write


# What it asks in its turn, `clickhouse` is asked by `remote`; a server stands in `two-shards`.
@pytest.mark.parametrize("store_name", ["memory", "remote", "two-shards"], indirect=True)
@pytest.mark.timeout(400)
def test_crafted_names_are_names(store_name: str, store: Store, put: Callable[..., None]) -> None:
    """Neither path nor SQL nor each other: every tenant has its own trace and no other."""
    assert all(map(is_tenant, CRAFTED[1:]))
    tenants = SHARDED if store_name == "two-shards" else CRAFTED
    for number, tenant in enumerate(tenants, start=1):
        put(tenant, number, value=str(number))

    every = [trace_hex(number) for number in range(1, len(tenants) + 1)]
    for number, tenant in enumerate(tenants, start=1):
        reader = store.tenants.for_tenant(tenant)
        found = reader.get_traces(every, raw=True, skeleton=False)
        assert {trace_hex(number)} == {*found.trace_id}, tenant
        assert [link.call_count for link in reader.get_dependencies(0, 2**62)] == [1]
        assert sum(one.call_count for one in reader.get_red(0, 2**62, "")) == 2


def test_a_segment_is_recovered_for_its_tenant(store: Store, tmp_path: Path) -> None:
    """Once, however often; its number may be known of another tenant."""
    mine = write_segment_file(tmp_path, make_request(make_span(1, 1)), tenant="a")
    store.write_segment(write_segment_file(tmp_path, make_request(make_span(2, 2)), tenant="b"))
    mine.path.write_bytes(
        write_segment_file(tmp_path, make_request(make_span(1, 1)), tenant="a").path.read_bytes()
    )

    store.recover_segment(mine)
    store.recover_segment(mine)

    reader = store.tenants.for_tenant("a")
    assert reader.get_traces([T1, T2], raw=True, skeleton=True).span_id == [span_hex(1)]
    assert reader.get_summaries([T1])[0].span_count == 1
