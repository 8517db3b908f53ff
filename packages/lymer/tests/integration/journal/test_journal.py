"""The journal on a real folder: what is durable when, in which order, in which segment."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from integration.journal.conftest import Bench, bodies, drain, in_thread
from lymer.errors import OverloadedError, TooLargeError
from lymer.journal import record
from lymer.journal.recovery import recover_segments
from lymer.journal.segments import TRICKLE_BYTES_MAX
from lymer.model.segment import SealedSegment


def test_a_request_is_on_disk_when_its_sender_is_told(bench: Bench) -> None:
    """At the moment of the acknowledgement the file holds the record, and it was synced."""
    journal = bench.open()
    bench.disk.open_gate.clear()

    journal.append(b"request", 1, "first")
    assert bench.disk.syncing.wait(10)
    assert bench.groups.empty(), "acknowledged before it was durable"
    bench.disk.open_gate.set()

    assert bench.answers(1) == [("first", None)]
    (file,) = bench.folder.iterdir()
    assert b"".join(record.encode_record(b"request", 1)) == file.read_bytes()


def test_one_sync_serves_all_who_wait(bench: Bench) -> None:
    """A hundred requests that come while the disk is busy cost one fdatasync together."""
    journal = bench.open()
    bench.disk.open_gate.clear()
    journal.append(b"first", 1, "first")
    assert bench.disk.syncing.wait(10)

    names = [f"request {number}" for number in range(100)]
    for name in names:
        journal.append(name.encode(), 1, name)
    bench.disk.open_gate.set()

    assert [ticket for ticket, _ in bench.answers(101)] == ["first", *names]
    assert bench.disk.calls["sync"] == 2
    assert journal.state().commits == 2


def test_a_group_has_a_limit(bench: Bench) -> None:
    """More requests than one gathered write may hold become several groups, all acknowledged."""
    journal = bench.open()
    bench.disk.open_gate.clear()
    journal.append(b"first", 1, "first")
    assert bench.disk.syncing.wait(10)
    for number in range(1_000):
        journal.append(b"x", 1, str(number))
    bench.disk.open_gate.set()

    assert [ticket for ticket, _ in bench.answers(1_001)][1:] == [str(n) for n in range(1_000)]
    assert 4 <= journal.state().commits - 1 <= 10


def test_many_senders_at_once_lose_nothing(bench: Bench) -> None:
    """Eight threads, 800 requests, small segments: each is stored once, each sender's in order."""
    journal = bench.open(segment_bytes_max=2_000)

    def send(sender: int) -> None:
        for number in range(100):
            journal.append(f"{sender} {number}".encode(), 1, f"{sender} {number}")

    for thread in [in_thread(lambda sender=sender: send(sender)) for sender in range(8)]:
        thread.join()
    answers = bench.answers(800)
    stored = [body.decode() for segment in drain(journal) for body in bodies(segment)]

    assert {error for _, error in answers} == {None}
    assert stored == [ticket for ticket, _ in answers]
    for sender in range(8):
        mine = [name for name in stored if name.startswith(f"{sender} ")]
        assert mine == [f"{sender} {number}" for number in range(100)]


def test_a_segment_is_sealed_by_size(bench: Bench) -> None:
    """The record that fills it is its last; the next one opens another."""
    journal = bench.open(segment_bytes_max=100)

    for number in range(4):
        assert bench.put(journal, f"request {number}" + "x" * 40) is None

    assert journal.state().sealed_segments == 2
    first, second = journal.take_sealed(0), journal.take_sealed(0)
    assert first is not None
    assert second is not None
    assert first.segment_id < second.segment_id
    assert [body[:9] for body in bodies(first)] == [b"request 0", b"request 1"]
    assert [body[:9] for body in bodies(second)] == [b"request 2", b"request 3"]
    assert first.byte_count == first.path.stat().st_size
    assert first.span_count == 2
    assert journal.take_sealed(0) is None


def test_a_segment_is_sealed_by_age(bench: Bench) -> None:
    """A young segment is left alone, an old one is given out, an empty one never exists."""
    journal = bench.open(segment_age_seconds_max=60)
    assert journal.take_sealed(0) is None
    bench.put(journal, "request")
    assert journal.take_sealed(0) is None

    bench.age_seconds = 61
    segment = journal.take_sealed(0)

    assert segment is not None
    assert bodies(segment) == [b"request"]
    assert journal.take_sealed(0) is None


def test_a_trickle_waits_twice_as_long_and_neither_one_request_nor_a_flood_does(
    bench: Bench,
) -> None:
    """A lone span is found soon; each segment costs, so few make up a trickle."""
    journal = bench.open(segment_age_seconds_max=60, segment_bytes_max=2**24)

    def is_sealed_at(age_seconds: float, *sizes: int) -> bool:
        bench.age_seconds = 0
        for size in sizes:
            bench.put(journal, "request", b"x" * size)
        bench.age_seconds = age_seconds
        is_sealed = journal.take_sealed(0) is not None
        bench.age_seconds = 1000
        assert is_sealed or journal.take_sealed(0) is not None
        return is_sealed

    assert is_sealed_at(61, 10)
    assert not is_sealed_at(61, 10, 10)
    assert is_sealed_at(121, 10, 10)
    assert is_sealed_at(61, 10, TRICKLE_BYTES_MAX)


def test_a_waiting_loader_is_woken_when_the_segment_is_old(bench: Bench) -> None:
    """It gets the segment at its age, not at the end of its own patience."""
    journal = bench.open(segment_age_seconds_max=0.1)
    found: list[SealedSegment | None] = []
    began = time.perf_counter()
    waiting = in_thread(lambda: found.append(journal.take_sealed(20)))

    bench.put(journal, "request")
    waiting.join()

    assert [bodies(segment) for segment in found if segment] == [[b"request"]]
    assert 0.1 <= time.perf_counter() - began < 10


def test_closing_makes_durable_what_waits_and_gives_it_out(bench: Bench) -> None:
    """Requests that were queued are acknowledged, new ones told to come back; nobody waits then."""
    journal = bench.open()
    bench.disk.open_gate.clear()
    for name in ("one", "two", "three"):
        journal.append(name.encode(), 1, name)
    closing = in_thread(journal.close)
    bench.disk.open_gate.set()
    closing.join()

    assert bench.answers(3) == [("one", None), ("two", None), ("three", None)]
    with pytest.raises(OverloadedError, match="shutting down"):
        journal.append(b"late", 1, "late")
    assert [bodies(one) for one in drain(journal)] == [[b"one", b"two", b"three"]]
    assert journal.take_sealed(3_600) is None, "at once"


def test_over_the_backlog_senders_are_told_to_retry(bench: Bench) -> None:
    """The limit counts what is queued, written and not yet removed; removing makes room."""
    journal = bench.open(backlog_bytes_max=1_000, segment_bytes_max=1)
    assert bench.put(journal, "first", bytes(600)) is None

    with pytest.raises(OverloadedError, match=r"61\d bytes wait to be stored, the limit is 1000"):
        journal.append(bytes(600), 1, "second")
    assert bench.put(journal, "small", bytes(100)) is None
    assert journal.state().backlog_bytes == 600 + 100 + 2 * record.TRAILER_BYTES + 2 + 1

    segment = journal.take_sealed(0)
    assert segment is not None
    journal.remove(segment)
    assert not segment.path.exists()
    assert bench.put(journal, "second", bytes(600)) is None


def test_a_waiting_request_counts_into_the_backlog(bench: Bench) -> None:
    """While the disk hangs, memory is bounded by the same limit."""
    journal = bench.open(backlog_bytes_max=1_000)
    bench.disk.open_gate.clear()
    journal.append(bytes(300), 1, "in flight")
    assert bench.disk.syncing.wait(10)
    journal.append(bytes(600), 1, "waits")

    with pytest.raises(OverloadedError):
        journal.append(bytes(600), 1, "too much")
    assert journal.state().waiting_requests == 1


class _Endless(bytes):
    """A body that says it has 2 GiB, and has not."""

    __slots__ = ()

    def __len__(self) -> int:
        return record.RECORD_BYTES_MAX


def test_a_request_no_record_can_hold_is_too_large(bench: Bench) -> None:
    """Its sender must not repeat it."""
    with pytest.raises(TooLargeError, match="2147483647"):
        bench.open().append(_Endless(), 1, "endless")


@pytest.mark.parametrize("method", ["append", "sync", "create"])
def test_a_failed_write_is_not_acknowledged_and_harms_no_other(bench: Bench, method: str) -> None:
    """Requests before it are intact, later ones go to a new segment, it is nowhere."""
    journal = bench.open(segment_bytes_max=10 if method == "create" else 2**20)
    assert bench.put(journal, "before") is None
    bench.disk.fail(method)

    error = bench.put(journal, "failed")
    assert isinstance(error, OverloadedError)
    assert "cannot write to the journal" in str(error)
    assert "No space left" in str(error)
    assert error.retry_after_seconds == 5
    assert bench.put(journal, "after") is None

    assert journal.state().write_failures == 1
    segments = drain(journal)
    assert [bodies(one) for one in segments] == [[b"before"], [b"after"]]
    assert [one.path.stat().st_size for one in segments] == [one.byte_count for one in segments]
    assert sorted(bench.folder.iterdir()) == [one.path for one in segments]


def test_a_disk_full_in_the_middle_of_a_record_leaves_no_part_of_it(bench: Bench) -> None:
    """What was written of it is cut off again."""
    journal = bench.open()
    bench.put(journal, "before")
    bench.disk.write_a_part_then_fail(3)

    assert isinstance(bench.put(journal, "torn"), OverloadedError)

    (segment,) = drain(journal)
    assert segment.path.read_bytes() == b"".join(record.encode_record(b"before", 1))


def test_a_tail_that_cannot_be_cut_is_not_read(bench: Bench) -> None:
    """If even the cut fails, the next start cuts it: the torn record is nobody's."""
    journal = bench.open()
    bench.put(journal, "before")
    bench.disk.write_a_part_then_fail(3)
    bench.disk.fail("cut", number=errno.EIO)

    assert isinstance(bench.put(journal, "torn"), OverloadedError)
    assert bench.put(journal, "after") is None

    journal.close()
    assert [bodies(one) for one in recover_segments(bench.folder)] == [[b"before"], [b"after"]]


def test_after_a_failed_sync_the_file_is_never_written_to_again(bench: Bench) -> None:
    """The kernel may have dropped its pages and forgotten the error."""
    journal = bench.open()
    bench.put(journal, "before")
    (file,) = bench.folder.iterdir()
    size = file.stat().st_size
    bench.disk.fail("sync", number=errno.EIO)

    bench.put(journal, "failed")
    bench.put(journal, "after")

    assert file.stat().st_size == size
    assert len(list(bench.folder.iterdir())) == 2


def test_a_disk_that_stays_full_refuses_and_recovers(bench: Bench) -> None:
    """Every request is refused, nothing is left behind; with room again all goes on."""
    journal = bench.open()
    bench.disk.fail("append", times=5)

    for number in range(5):
        assert isinstance(bench.put(journal, f"refused {number}"), OverloadedError)
    assert list(bench.folder.iterdir()) == []
    assert bench.put(journal, "taken") is None
    assert journal.state().write_failures == 5


def test_a_bug_in_the_writer_is_an_error_and_not_the_end(bench: Bench) -> None:
    """Senders are told, and the next request is written."""
    journal = bench.open()
    bench.disk.fail_oddly("append", ValueError("no disk says this"))

    error = bench.put(journal, "unlucky")
    assert isinstance(error, OverloadedError)
    assert "no disk says this" in str(error)
    assert bench.put(journal, "lucky") is None


@pytest.mark.parametrize(
    ("move_nano", "name"), [(-3_600 * 10**9, "back an hour"), (0, "not at all"), (5_000, "5 us")]
)
def test_ids_rise_whatever_the_clock_does(bench: Bench, move_nano: int, name: str) -> None:
    """Names and ids are those of the clock where it goes on, and one more where it does not."""
    journal = bench.open(segment_bytes_max=1)
    for number in range(3):
        bench.put(journal, str(number))
        bench.now_unix_nano += move_nano

    segments = drain(journal)

    ids = [one.segment_id for one in segments]
    assert ids[0] == 1_795_365_820_000_000
    step = 5 if move_nano > 0 else 1
    assert ids == [ids[0], ids[0] + step, ids[0] + 2 * step], name
    assert [bodies(one) for one in segments] == [[b"0"], [b"1"], [b"2"]]


def test_ids_rise_although_a_file_could_not_be_made(bench: Bench) -> None:
    """A name that failed is not tried again for ever by a clock that stands still."""
    journal = bench.open()
    bench.folder.joinpath(f"{1_795_365_820_000_000:020d}.otlp").write_bytes(b"in the way")

    assert isinstance(bench.put(journal, "in vain"), OverloadedError)
    assert bench.put(journal, "taken") is None


def test_ids_are_above_what_the_store_has_seen(bench: Bench) -> None:
    """The clock went back between two runs, and the journal was empty: the store remembers."""
    journal = bench.open(first_segment_id=1_800_000_000_000_000)
    bench.put(journal, "request")

    (segment,) = drain(journal)
    assert segment.segment_id == 1_800_000_000_000_000


def test_ids_are_above_those_of_recovered_segments(bench: Bench) -> None:
    """Likewise for what waits in the journal."""
    first = bench.open()
    bench.put(first, "old")
    first.close()
    bench.now_unix_nano -= 10**15

    second = bench.open()
    bench.put(second, "new")

    (old,) = second.take_recovered()
    (new,) = drain(second)
    assert old.segment_id < new.segment_id
    assert (bodies(old), bodies(new)) == ([b"old"], [b"new"])


def test_recovered_bytes_count_into_the_backlog(bench: Bench) -> None:
    """A journal that was full when the process died is full when it starts again."""
    first = bench.open()
    bench.put(first, "old", bytes(600))
    first.close()

    second = bench.open(backlog_bytes_max=1_000)

    with pytest.raises(OverloadedError):
        second.append(bytes(600), 1, "new")
    for segment in second.take_recovered():
        second.remove(segment)
    assert second.state().backlog_bytes == 0
    assert bench.put(second, "new", bytes(600)) is None


def test_a_slow_listener_does_not_hold_up_appends(bench: Bench) -> None:
    """`append` returns at once, also while the disk hangs: the event loop calls it."""
    journal = bench.open()
    bench.disk.open_gate.clear()
    done = threading.Event()

    def append_many() -> None:
        for number in range(500):
            journal.append(b"x", 1, str(number))
        done.set()

    in_thread(append_many)
    assert done.wait(5), "append waited for the disk"
    bench.disk.open_gate.set()
    bench.answers(500)


def test_the_journal_knows_whether_it_could_write(bench: Bench) -> None:
    """A folder that is gone, and comes back, without anybody having tried to write."""
    journal = bench.open()
    assert journal.problem() == ""
    away = bench.folder.with_name("away")
    bench.folder.rename(away)
    assert "No such file or directory" in journal.problem()
    away.rename(bench.folder)
    assert journal.problem() == ""
