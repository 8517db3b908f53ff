"""The storage API over a real connection, when something is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

import grpc
import pytest

from fakes.memory_store import MemoryStore
from fakes.served_store import ApiThread
from lymer.errors import (
    OverloadedError,
    QuestionError,
    StorageAwayError,
    StorageError,
    TooLargeError,
    UndecodableError,
)
from lymer.storage.caller import CALLER, Caller
from lymer.storage.contract import SpanReader
from lymer.storage.remote.codec import SERVICE
from lymer.storage.remote.reader import RemoteStore
from lymer.tenancy import DEFAULT_TENANT


class _OddStore(MemoryStore):
    """Does what a test asks for when it is asked for services."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.answer: list[str] = []
        self.saying: Callable[[], list[Any]] = list
        self.may_answer = threading.Event()
        self.may_answer.set()

    def for_tenant(self, tenant: str, /) -> Any:
        return self

    def get_services(self) -> list[str]:
        assert self.may_answer.wait(20)
        if self.error is not None:
            raise self.error
        return self.answer

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int) -> list[Any]:
        """Names alone wait for no other question; this is none of them."""
        assert self.may_answer.wait(20)
        return self.saying()


@pytest.fixture
def store() -> _OddStore:
    """Make a store."""
    return _OddStore()


@pytest.fixture
def api(store: _OddStore) -> Iterator[ApiThread]:
    """Serve it; two questions at once."""
    served = ApiThread(store, calls_in_flight_max=2)
    yield served
    store.may_answer.set()
    served.close()


def _store(api: ApiThread, *, seconds: float = 10, bytes_max: int = 2**31) -> RemoteStore:
    return RemoteStore(
        f"127.0.0.1:{api.port}", call_seconds_max=seconds, answer_bytes_max=bytes_max
    )


def _reader(api: ApiThread, *, seconds: float = 10, bytes_max: int = 2**31) -> SpanReader:
    opened = _store(api, seconds=seconds, bytes_max=bytes_max)
    return opened.for_tenant(DEFAULT_TENANT)


@pytest.mark.parametrize(
    "error",
    [
        StorageError("the engine says no"),
        OverloadedError("too much"),
        QuestionError("not so"),
        TooLargeError("x" * 20_000),
    ],
)
def test_what_the_store_raises_is_raised(
    store: _OddStore, api: ApiThread, error: Exception
) -> None:
    """Class and words are the same; very many words are cut."""
    store.error = error

    with pytest.raises(type(error)) as raised:
        _reader(api).get_services()

    assert str(error)[:2_000] == str(raised.value)


def test_a_bug_in_the_store_costs_one_answer(store: _OddStore, api: ApiThread) -> None:
    """The reader learns that it was one, not what; the next question is answered."""
    store.error = RuntimeError("secret")
    reader = _reader(api)

    with pytest.raises(StorageError, match="INTERNAL: internal error") as raised:
        reader.get_services()

    assert "secret" not in str(raised.value)
    store.error, store.answer = None, ["a"]
    assert reader.get_services() == ["a"]


def test_a_store_that_is_away_is_said_to_be_and_comes_back(store: _OddStore) -> None:
    """No connection: `StorageAwayError`, which is 503; a new process on the port is found."""
    first = ApiThread(store)
    away, port = _store(first), first.port
    reader = away.for_tenant(DEFAULT_TENANT)
    away.check()
    first.close()

    with pytest.raises(StorageAwayError, match=f"cannot reach the store at 127.0.0.1:{port}"):
        reader.get_services()

    second = ApiThread(store, port=port)
    try:
        for _ in range(100):
            try:
                away.check()
                break
            except StorageAwayError:
                threading.Event().wait(0.05)
        assert reader.get_services() == []
    finally:
        second.close()


def test_an_answer_that_takes_too_long_is_given_up(store: _OddStore, api: ApiThread) -> None:
    """The deadline is ours; the message says how long we waited."""
    store.may_answer.clear()

    with pytest.raises(OverloadedError, match=r"took more than 0\.2 s"):
        _reader(api, seconds=0.2).get_services()


def test_questions_over_the_limit_are_told_to_come_back(store: _OddStore, api: ApiThread) -> None:
    """Also those nobody waits for any more hold their place until the store is done with them."""
    store.may_answer.clear()
    impatient = _reader(api, seconds=0.2)
    for _ in range(2):
        with pytest.raises(OverloadedError):
            impatient.get_dependencies(0, 1)

    with pytest.raises(OverloadedError, match="the limit is 2"):
        _reader(api).get_dependencies(0, 1)

    store.may_answer.set()
    for _ in range(100):
        try:
            assert _reader(api).get_dependencies(0, 1) == []
            break
        except OverloadedError:
            threading.Event().wait(0.05)


def test_an_answer_over_the_limit_is_refused_while_it_comes(
    store: _OddStore, api: ApiThread
) -> None:
    """Memory of the reader is bounded, whatever the store sends."""
    store.answer = ["x" * 1_000_000] * 5

    with pytest.raises(TooLargeError, match="more than 3000000 bytes"):
        _reader(api, bytes_max=3_000_000).get_services()
    assert _reader(api).get_services() == store.answer


def test_the_check_says_what_is_wrong(api: ApiThread) -> None:
    """A store that works says nothing."""
    served = _store(api)
    served.check()
    api.checked.illness = "the disk is full"

    with pytest.raises(StorageError, match="the disk is full"):
        served.check()


@pytest.mark.parametrize("body", [b"", b"\x92\x90\x81\xa1a\x01", b"junk"])
def test_a_question_nobody_can_read_is_refused(api: ApiThread, body: bytes) -> None:
    """Strangers get INVALID_ARGUMENT and the server goes on."""
    with grpc.insecure_channel(f"127.0.0.1:{api.port}") as channel:
        call = channel.unary_stream(f"/{SERVICE}/GetServices", None, None)
        with pytest.raises(grpc.RpcError) as raised:
            list(call(body))

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert dict(raised.value.trailing_metadata())["lymer-error"] == UndecodableError.__name__


def test_what_an_answer_says_of_itself_comes_along(store: _OddStore, api: ApiThread) -> None:
    """That it is partial, which traces it lacks, that it is an estimate; nothing if it is whole."""
    long = "a shard is away: " + "\ud800한" * 500

    def say() -> list[Any]:
        teller = CALLER.get()
        assert teller is not None
        teller.lack(long)
        for number in range(40):
            teller.leave_out(f"{number:032x}", "it has a million spans")
        teller.is_told_estimates = True
        return []

    reader, whole, partial = _reader(api), Caller(), Caller()
    _as_caller(whole, lambda: reader.get_dependencies(0, 1))
    store.saying = say
    _as_caller(partial, lambda: reader.get_dependencies(0, 1))

    assert (whole.lacks, whole.left_out, whole.is_told_estimates) == ((), {}, False)
    assert partial.lacks[0].startswith("a shard is away: ?한?한")
    assert f"trace {0:032x} is left out: it has a million spans" in partial.lacks
    assert partial.lacks[-1] == "trace of others is left out: 34 more"
    assert len(partial.left_out) == len(partial.lacks) - 1
    assert partial.is_told_estimates


def _as_caller(caller: Caller, ask: Callable[[], object]) -> None:
    context = copy_context()
    context.run(CALLER.set, caller)
    context.run(ask)
