"""Demo traffic by a button: only this machine's user at a page of this server presses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.errors import QuestionError
from lymer.incidents import kinds
from lymer.query.service import Queries
from lymer.roles.practising import KINDS, is_loopback_address

PATH = "/api/lymer/v1/practice"
GOOD = {"host": "localhost:16686", "x-lymer-practice": "1", "origin": "http://localhost:16686"}


class FakePractice:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def state(self) -> Mapping[str, Any]:
        """Return nothing of interest."""
        return {"traffic": "traffic" in self.done, "kinds": [], "incidents": []}

    async def start_traffic(self) -> None:
        """Remember."""
        self.done.append("traffic")

    async def stop_traffic(self) -> None:
        """Remember."""
        self.done.append("stop")

    async def plant(self, kind: str, seed: int) -> None:
        """Remember, or refuse."""
        if kind == "unknown":
            raise QuestionError("cannot plant it")
        self.done.append(f"incident {kind}{seed or ''}")


class Asker:
    """Sends requests from an address."""

    def __init__(self, practice: FakePractice | None, host: str) -> None:
        self._app = create_app(
            Queries(MemoryStore()), executor=ThreadPoolExecutor(1), practice=practice
        )
        self._host = host

    def send(self, method: str, headers: dict[str, str], body: bytes = b"") -> httpx.Response:
        """Return the answer of the one path."""

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=(self._host, 40_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://lymer") as sender:
                return await sender.request(method, PATH, content=body, headers=headers)

        return asyncio.run(run())

    def get(self) -> Any:
        """Return what is said of it."""
        return self.send("GET", GOOD).json()

    def post(self, headers: dict[str, str], **order: str) -> httpx.Response:
        """Give an order."""
        return self.send("POST", headers, json.dumps(order).encode())


def client(practice: FakePractice | None, host: str = "127.0.0.1") -> Asker:
    """Return somebody at an address."""
    return Asker(practice, host)


def test_the_user_of_this_machine_presses_it() -> None:
    """From a page of ours: by each loopback name, and from a terminal, which names no origin."""
    practice = FakePractice()
    asked = client(practice)
    assert asked.post(GOOD, do="traffic").json()["traffic"]
    for host in ("127.0.0.1:16686", "[::1]:16686", "localhost"):
        headers = {"host": host, "x-lymer-practice": "1", "sec-fetch-site": "same-origin"}
        assert asked.post(headers, do="stop").status_code == 200
    assert asked.post(GOOD, do="incident", kind="lock").is_success
    assert practice.done == ["traffic", "stop", "stop", "stop", "incident lock"]
    assert asked.get()["available"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-lymer-practice": None},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:16686"},
        {"host": "evil.example:16686", "origin": "http://evil.example:16686"},
        {"host": "localhost.evil.example"},
        {"host": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-forwarded-for": "10.0.0.1"},
    ],
    ids=str,
)
def test_a_foreign_page_cannot_press_it(wrong: dict[str, str | None]) -> None:
    """Nor a name that somebody else lets resolve to this machine, nor who comes by a proxy."""
    practice = FakePractice()
    headers = {name: text for name, text in {**GOOD, **wrong}.items() if text is not None}
    answer = client(practice).post(headers, do="traffic")
    assert answer.status_code == 403
    assert "cannot start anything" in answer.text
    assert practice.done == []


def test_a_preflight_allows_nothing() -> None:
    """So a browser never sends the header from another origin."""
    headers = {
        "host": "localhost:16686", "origin": "http://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-lymer-practice",
    }  # fmt: skip
    answer = client(FakePractice()).send("OPTIONS", headers)
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-headers" not in answer.headers


def test_another_machine_sees_no_button() -> None:
    """Whatever it says of itself; nor does anybody where there is none."""
    far = client(FakePractice(), "192.0.2.7")
    assert far.get() == {"available": False}
    assert far.post(GOOD, do="traffic").status_code == 403
    none = client(None)
    assert none.get() == {"available": False}
    assert none.post(GOOD, do="traffic").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"do": "dance"}',
        b'{"do": "incident", "kind": "unknown"}',
        b'{"do": "incident", "seed": -1}',
        b'{"do": "incident", "seed": "x"}',
        b"x" * 5000,
    ],
)
def test_an_order_that_is_none_is_refused(body: bytes) -> None:
    """With a sentence, not an accident."""
    answer = client(FakePractice()).send("POST", GOOD, body)
    assert answer.status_code == 400
    assert "cannot" in answer.text


def test_the_kinds_are_those_there_are() -> None:
    """The list stands apart, for the other one imports numpy."""
    assert set(KINDS) == set(kinds.KINDS)
    assert not is_loopback_address("0.0.0.0")
    assert not is_loopback_address("")
