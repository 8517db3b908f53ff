"""`/api/tail` with many who follow: slow ones, ones that come back, ones of other tenants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.types import ASGIApp, Message

import lymer.api.tail
from lymer.api.app import create_app
from lymer.query.service import Queries
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import Tenancy
from make import START, make_request, make_span, write_segment_file

SECONDS_MAX = 60
SPANS = 100
RATE = 40


class Following:
    """One who follows, over ASGI: `gate` closed, it takes nothing; it may hang up."""

    def __init__(self, app: ASGIApp, tenant: str = "acme", last: str = "") -> None:
        """Begin at once; needs a running loop."""
        self.gate, self._gone = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.status = 0
        self.text = b""
        self._headers = [(b"x-tenant", tenant.encode())]
        self._headers += [(b"last-event-id", last.encode())] if last else []
        self.task = asyncio.create_task(app(self._scope(), self._receive, self._send))  # type: ignore[arg-type]

    def _scope(self) -> dict[str, Any]:
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/api/tail",
            "raw_path": b"/api/tail", "root_path": "", "query_string": b"rate=%d" % RATE,
            "headers": self._headers, "server": ("lymer", 80), "client": ("127.0.0.1", 1),
        }  # fmt: skip

    async def _receive(self) -> Message:
        if not self.status:
            self.status = -1
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.gate.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.text += message.get("body", b"")

    @property
    def spans(self) -> list[str]:
        """Ids of the spans that were told."""
        return [told["spanID"] for name, told in self._events() if name == "span"]

    @property
    def dropped(self) -> int:
        """How many were said to be dropped."""
        return sum(told["dropped"] for name, told in self._events() if name == "dropped")

    @property
    def last(self) -> str:
        """What it says when it comes back."""
        ids = [line[4:] for line in self.text.split(b"\n") if line.startswith(b"id: ")]
        return ids[-1].decode()

    def _events(self) -> Iterator[tuple[str, Any]]:
        for block in self.text.split(b"\n\n")[:-1]:
            lines = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
            if b"data" in lines:
                yield lines[b"event"].decode(), orjson.loads(lines[b"data"])

    async def hang_up(self) -> None:
        """End."""
        self.gate.set()
        self._gone.set()
        await self.task


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)


class Ground:
    """A store that spans are added to, and an application over it."""

    def __init__(self, folder: Path) -> None:
        """Open an empty one."""
        engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
        self.store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
        self._folder = folder
        self._segments = 0
        self._threads = ThreadPoolExecutor(2)
        self.begin()

    def begin(self) -> None:
        """Make an application, which lives on one event loop."""
        self.app = create_app(
            Queries(self.store),
            executor=self._threads,
            tenancy=Tenancy(),
            now_unix_nano=lambda: START + 10 * 10**9,
        )

    async def add(self, count: int, tenant: str = "acme") -> None:
        """Store so many spans, one trace each."""
        self._segments += 1
        spans = [make_span(self._segments * 1_000 + n, n + 1, 0) for n in range(count)]
        segment = write_segment_file(
            self._folder, make_request(*spans), tenant=tenant,
            segment_id=START // 1_000 + self._segments * 100_000,
        )  # fmt: skip
        await asyncio.to_thread(self.store.write_segment, segment)

    def close(self) -> None:
        """Close it."""
        self._threads.shutdown()
        self.store.close()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Yield a ground with a first span of both tenants."""
    made = Ground(tmp_path_factory.mktemp("following"))
    asyncio.run(made.add(1))
    asyncio.run(made.add(1, "other"))
    yield made
    made.close()


@pytest.fixture
def ground(stored: Ground) -> Ground:
    """Return it with an application of this test's own."""
    stored.begin()
    return stored


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lymer.api.tail, "_LOOK_SECONDS", 0.05)


def test_one_slow_follower_of_32_holds_up_nobody(ground: Ground) -> None:
    """Each is told what its rate allows and how many more there were; a 33rd is refused."""

    async def run() -> None:
        followers = [Following(ground.app) for _ in range(lymer.api.tail.FOLLOWERS_MAX)]
        await until(lambda: all(one.text for one in followers))
        refused = Following(ground.app)
        await refused.task
        assert refused.status == 503
        slow, *quick = followers
        slow.gate.clear()
        await ground.add(SPANS)
        await until(lambda: all(len(one.spans) + one.dropped == SPANS for one in quick))
        assert {len(one.spans) for one in quick} == {RATE}
        await ground.add(1)
        await until(lambda: all(len(one.spans) + one.dropped == SPANS + 1 for one in quick))
        assert slow.spans == []
        slow.gate.set()
        await until(lambda: len(slow.spans) + slow.dropped == SPANS + 1)
        await asyncio.gather(*(one.hang_up() for one in followers))
        again = Following(ground.app)
        await until(lambda: bool(again.text))
        await again.hang_up()
        assert again.status == 200

    asyncio.run(run())


def test_many_who_come_at_once_are_counted(ground: Ground) -> None:
    """No more than there may be are let in, although each waits for its first look."""

    async def run() -> None:
        followers = [Following(ground.app) for _ in range(lymer.api.tail.FOLLOWERS_MAX + 8)]
        await until(lambda: all(one.status > 0 for one in followers))
        assert sum(one.status == 503 for one in followers) == 8
        await asyncio.gather(*(one.hang_up() for one in followers))

    asyncio.run(run())


def test_who_comes_back_has_missed_nothing(ground: Ground) -> None:
    """Cut off in the middle of a look, or while nobody listens."""

    async def run() -> None:
        first = Following(ground.app)
        await until(lambda: bool(first.text))
        first.gate.clear()
        await ground.add(9)
        text = first.text
        await first.hang_up()
        first.text = text  # whatever was on its way is lost
        await ground.add(3)
        second = Following(ground.app, last=first.last)
        await until(lambda: len(second.spans) == 12)
        await second.hang_up()
        third = Following(ground.app, last=second.last)
        await ground.add(1)
        await until(lambda: len(third.spans) > 0)
        await third.hang_up()
        assert len(third.spans) == 1

        # A line of a look that was received does not say that the others were.
        cut = Following(ground.app)
        await until(lambda: bool(cut.text))
        await ground.add(5)
        await until(lambda: len(cut.spans) == 5)
        await cut.hang_up()
        begun = cut.text.index(b"event: span")
        cut.text = cut.text[: cut.text.index(b"event: span", begun + 1)]
        assert len(cut.spans) == 1
        again = Following(ground.app, last=cut.last)
        await until(lambda: len(again.spans) == 5)
        await again.hang_up()

    asyncio.run(run())


def test_a_tenant_follows_its_own_spans(ground: Ground) -> None:
    """What others store is neither told nor counted; without a tenant nobody follows."""

    async def run() -> None:
        mine, other = Following(ground.app), Following(ground.app, "other")
        await until(lambda: bool(mine.text and other.text))
        await ground.add(SPANS, "other")
        await ground.add(2)
        await until(lambda: len(mine.spans) == 2 and len(other.spans) + other.dropped == SPANS)
        assert mine.dropped == 0
        nobody = Following(ground.app, "")
        await nobody.task
        assert nobody.status == 401
        await asyncio.gather(mine.hang_up(), other.hang_up())

    asyncio.run(run())
