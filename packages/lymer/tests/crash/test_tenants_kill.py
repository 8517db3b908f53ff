"""Kill -9 under the load of many tenants: each finds all it was told is durable, and no more."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Final

import httpx

from e2e.lymer_process import NO_TLS, Lymer
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from make import make_request, make_span, trace_hex

_TENANTS: Final = [f"tenant {number}" for number in range(20)]
_ROUNDS: Final = 3
_SPANS: Final = 3
_MEMORY_BYTES_MAX: Final = 600 * 2**20
_SETTINGS: Final = {
    "LYMER__TENANCY__ENABLED": "true",
    "LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.05",
}


class _Sender(threading.Thread):
    """One tenant's application: sends numbered traces until the server is gone."""

    def __init__(self, url: str, tenant: str, first: int) -> None:
        super().__init__()
        self._url, self._tenant = url, tenant
        self._next = first
        self.acknowledged: list[int] = []
        self.sent: list[int] = []
        self.start()

    def run(self) -> None:
        headers = {"Content-Type": "application/x-protobuf", "x-tenant": self._tenant}
        with httpx.Client(trust_env=False, timeout=20, verify=NO_TLS) as client:
            while True:
                number, self._next = self._next, self._next + 1
                # Every tenant uses the same trace ids, and its own name as the operation.
                spans = [make_span(number, one + 1, name=self._tenant) for one in range(_SPANS)]
                body = make_request(*spans, service=self._tenant).SerializeToString()
                self.sent.append(number)
                try:
                    answer = client.post(self._url, content=body, headers=headers)
                except httpx.HTTPError:
                    return
                if answer.status_code == 200:
                    self.acknowledged.append(number)


def test_tenants_keep_what_is_theirs_over_kills(tmp_path: Path) -> None:
    """Twenty tenants send the same trace ids; three kills in the middle of it."""
    chance = random.Random(7)
    acknowledged: dict[str, set[int]] = {tenant: set() for tenant in _TENANTS}
    sent: dict[str, set[int]] = {tenant: set() for tenant in _TENANTS}
    for number in range(_ROUNDS):
        lymer = Lymer(tmp_path, _SETTINGS)
        lymer.start()
        first = number * 100_000 + 1
        senders = {one: _Sender(lymer.otlp_http_url, one, first) for one in _TENANTS}
        time.sleep(chance.uniform(1.0, 2.0))
        lymer.kill()
        for tenant, sender in senders.items():
            sender.join()
            acknowledged[tenant].update(sender.acknowledged)
            sent[tenant].update(sender.sent)
        lymer.close()
    last = Lymer(tmp_path, _SETTINGS)
    last.start()
    assert last.stop() == 0, last.log_tail()
    last.close()

    assert min(map(len, acknowledged.values())) > 0
    _check_stored(last.data_dir, acknowledged, sent)


def _check_stored(
    data_dir: Path, acknowledged: dict[str, set[int]], sent: dict[str, set[int]]
) -> None:
    assert list((data_dir / "journal").iterdir()) == []
    engine = ChdbEngine(data_dir / "store", memory_bytes_max=_MEMORY_BYTES_MAX)
    store = ClickHouseStore(engine, retention_seconds=604_800, memory_bytes_max=_MEMORY_BYTES_MAX)
    try:
        assert store.tenants() == ["", *sorted(_TENANTS)]
        store.catch_up()
        for tenant in _TENANTS:
            reader = store.for_tenant(tenant)
            assert reader.get_services() == [tenant]
            ids = {trace_hex(number): number for number in sent[tenant]}
            columns = reader.get_traces(list(ids), raw=True, skeleton=True)
            assert {*columns.name} == {tenant}
            stored = [ids[trace] for trace in columns.trace_id]
            for number in acknowledged[tenant]:
                assert stored.count(number) == _SPANS, (tenant, number)
            assert len(stored) == _SPANS * len({*stored})
            counted = sum(one.call_count for one in reader.get_red(0, 2**62, ""))
            assert counted == len(stored), tenant
        assert store.for_tenant("").get_services() == []
    finally:
        store.close()
