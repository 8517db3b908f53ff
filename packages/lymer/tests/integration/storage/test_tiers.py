"""Old spans on object storage: a real server of it, and both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.lymer_process import poll
from fakes.clickhouse_server import start_server
from fakes.s3_server import S3Server
from lymer.clock import unix_nano
from lymer.config import load_config
from lymer.errors import StartupError, StorageAwayError, StorageError
from lymer.model.question import TraceQuestion
from lymer.query.service import QueryService
from lymer.roles.stopped_folder import open_stopped_folder
from lymer.roles.storing import open_engines, tiers_of
from lymer.storage.caller import CALLER, Caller
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.stats import tenant_sizes
from lymer.storage.clickhouse.store import ClickHouseStore, Retention
from lymer.storage.clickhouse.tiers import EMBEDDED_POLICY, ObjectStorage, Tiers
from lymer.tenancy import DEFAULT_TENANT
from make import make_request, make_span, trace_hex, write_segment_file

_DAY = 86_400
_MEMORY = 600 * 2**20
_MOVED_SECONDS_MAX = 60
_BACK_SECONDS_MAX = 30
_OLD, _NEW = trace_hex(1), trace_hex(2)
_SPANS = 300
"""Of the old trace."""

Engines = AbstractContextManager[Callable[[], Engine]]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[S3Server]:
    """Return object storage."""
    server = S3Server(tmp_path / "s3")
    yield server
    server.kill()


@contextmanager
def _embedded(folder: Path, storage: S3Server) -> Iterator[Callable[[], Engine]]:
    cold = ObjectStorage(storage.url, storage.key_id, storage.secret)
    yield lambda: ChdbEngine(folder / "store", memory_bytes_max=_MEMORY, cold=cold)


@contextmanager
def _server(folder: Path, storage: S3Server) -> Iterator[Callable[[], Engine]]:
    config = folder / "config.xml"
    config.write_text(
        "<clickhouse><s3_retry_attempts>3</s3_retry_attempts><storage_configuration><disks>"
        f"<objects><type>s3</type><endpoint>{storage.url}/</endpoint>"
        f"<access_key_id>{storage.key_id}</access_key_id>"
        f"<secret_access_key>{storage.secret}</secret_access_key></objects></disks>"
        f"<policies><{EMBEDDED_POLICY}><volumes><default><disk>default</disk></default>"
        f"<cold><disk>objects</disk></cold></volumes></{EMBEDDED_POLICY}></policies>"
        "</storage_configuration></clickhouse>"
    )
    process, url = start_server(folder / "server", str(config))
    try:
        yield lambda: ServerEngine(url)
    finally:
        process.kill()
        process.wait()


def _open(engine: Engine, tiers: Tiers) -> ClickHouseStore:
    return ClickHouseStore(
        engine,
        retention_seconds=10**9,
        memory_bytes_max=_MEMORY,
        retention=Retention(tiers=tiers),
    )


def _fill(store: ClickHouseStore, folder: Path) -> None:
    """Store a trace that arrived five days ago, and one of now."""
    now = unix_nano() // 10**9
    for trace, seconds, count in ((1, now - 5 * _DAY, _SPANS), (2, now, 1)):
        spans = (make_span(trace, at, attrs={"text": str(at)}) for at in range(1, count + 1))
        request = make_request(*spans)
        store.write_segment(write_segment_file(folder, request, segment_id=seconds * 1_000_000))


def _disks(engine: Engine) -> dict[str, int]:
    """Return how many spans lie on each disk."""
    statement = (
        "SELECT {mark}, disk_name, sum(rows) FROM system.parts WHERE active "
        "AND database = '{db}' AND table = 'spans' GROUP BY disk_name"
    )
    names, rows = engine.select("lymer", statement, 2)
    return {name.decode(): count for name, count in zip(names, rows, strict=True)}


def _count(store: ClickHouseStore, *ids: str) -> int:
    reader = store.for_tenant(DEFAULT_TENANT)
    return len(reader.get_traces(list(ids), raw=True, skeleton=True).trace_id)


@pytest.mark.parametrize("engines", [_embedded, _server])
def test_old_spans_move_and_are_answered(
    engines: Callable[[Path, S3Server], Engines], storage: S3Server, tmp_path: Path
) -> None:
    """A store that had no tiers gets them; what is old lies in object storage, all is found."""
    with engines(tmp_path, storage) as make_engine:
        store = _open(make_engine(), Tiers())
        _fill(store, tmp_path)
        store.close()

        engine = make_engine()
        assert [*_disks(engine)] == ["default"]
        store = _open(engine, Tiers(EMBEDDED_POLICY, _DAY))
        for _ in poll(_MOVED_SECONDS_MAX):
            if len(_disks(engine)) == 2:
                break
        found = _disks(engine)
        assert found.pop("default") == 1
        assert [*found.values()] == [_SPANS]
        assert storage.objects > 0
        assert _count(store, _OLD, _NEW) == _SPANS + 1
        store.close()

        engine = make_engine()  # the same tiers again change nothing; none any more moves nothing
        for tiers in (Tiers(EMBEDDED_POLICY, _DAY), Tiers(EMBEDDED_POLICY, 0)):
            store = _open(engine, tiers)
            assert _count(store, _OLD) == _SPANS
        statement = (
            "SELECT {mark}, create_table_query LIKE '%TO VOLUME%' FROM system.tables "
            "WHERE database = '{db}' AND name = 'spans'"
        )
        assert engine.select("lymer", statement, 1) == [[0]]
        store.close()


@pytest.mark.parametrize("engines", [_embedded, _server])
def test_while_storage_is_away_new_spans_are_stored_and_answered(
    engines: Callable[[Path, S3Server], Engines], storage: S3Server, tmp_path: Path
) -> None:
    """Whoever waits is told what is lacking, by its disk; nobody else gets half an answer."""
    with engines(tmp_path, storage) as make_engine:
        engine = make_engine()
        store = _open(engine, Tiers(EMBEDDED_POLICY, _DAY))
        _fill(store, tmp_path)
        for _ in poll(_MOVED_SECONDS_MAX):
            if len(_disks(engine)) == 2:
                break
        sizes = {one.name: one.rows for one in tenant_sizes(engine, "lymer").disks}
        (cold,) = sizes.keys() - {"default"}
        assert sizes[cold] == _SPANS
        storage.kill()
        fresh = make_request(make_span(2, 2))
        segment_id = unix_nano() // 1_000
        store.write_segment(write_segment_file(tmp_path, fresh, segment_id=segment_id))
        with pytest.raises(StorageError, match="Connection refused"):
            _count(store, _OLD)  # nobody could be told

        query = QueryService(store.for_tenant(DEFAULT_TENANT))
        any_time = TraceQuestion(0, 2**62, service="shop")
        assert _answered(lambda: len(query.get_trace(_NEW))) == (2, [cold])
        found = _answered(lambda: query.find_traces(any_time))
        assert [len(trace) for trace in found[0]] == [2]
        with pytest.raises(StorageAwayError, match=rf"trace not found; .*disk {cold}\)"):
            _answered(lambda: query.get_trace(_OLD))
        storage.start()
        for _ in poll(_BACK_SECONDS_MAX):
            count, lacks = _answered(lambda: _count(store, _OLD, _NEW))
            if not lacks:
                break
        assert (count, lacks) == (_SPANS + 2, [])
        store.close()


def _answered(ask: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what somebody who waits is answered, and the disks that are lacking in it."""
    caller = Caller()
    before = CALLER.set(caller)
    try:
        return ask(), [one.split("(disk ")[1].rstrip(")") for one in caller.lacks]
    finally:
        CALLER.reset(before)


def test_a_store_does_not_start_without_its_old_spans(storage: S3Server, tmp_path: Path) -> None:
    """Nobody answers there, or it is not said any more where they are."""
    with _embedded(tmp_path, storage) as make_engine:
        engine = make_engine()
        store = _open(engine, Tiers(EMBEDDED_POLICY, _DAY))
        _fill(store, tmp_path)
        for _ in poll(_MOVED_SECONDS_MAX):
            if len(_disks(engine)) == 2:
                break
        store.close()
        storage.kill()

        with pytest.raises(StartupError, match=r"cannot reach the object storage at .*refused"):
            make_engine()
        with pytest.raises(StartupError, match=r"set storage\.cold_s3_url as it was"):
            ChdbEngine(tmp_path / "store", memory_bytes_max=_MEMORY)
        config = load_config(None, {}, {"storage.data_dir": str(tmp_path)})
        with (
            pytest.raises(StartupError, match="old spans lie on object storage"),
            open_stopped_folder(config),
        ):
            pass

        storage.start()
        store = _open(make_engine(), Tiers(EMBEDDED_POLICY, _DAY))
        assert _count(store, _OLD, _NEW) == _SPANS + 1
        store.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "storage.cold_s3_url must say where to"),
        ({"clickhouse_url": "http://127.0.0.1:1"}, "storage.cold_policy must say where to"),
        ({"clickhouse_url": "http://127.0.0.1:1", "cold_policy": "a'b"}, "letters, digits"),
    ],
)
def test_tiers_without_a_place_are_refused(
    settings: dict[str, str], words: str, tmp_path: Path
) -> None:
    """With the setting that is missing."""
    values = {"data_dir": str(tmp_path), "cold_after_seconds": "1d", **settings}
    config = load_config(None, {}, {f"storage.{name}": value for name, value in values.items()})
    with pytest.raises(StartupError, match=words):
        tiers_of(config)


def test_a_key_has_two_lines(tmp_path: Path) -> None:
    """A file with anything else is refused by its name."""
    file = tmp_path / "key"
    file.write_text("one\n")
    values = {"data_dir": tmp_path, "cold_s3_url": "http://127.0.0.1:1/b", "cold_s3_key_file": file}
    config = load_config(None, {}, {f"storage.{at}": str(value) for at, value in values.items()})
    with pytest.raises(StartupError, match="access key id and secret"):
        open_engines(config, tmp_path)
