"""The work queue, with time as an argument."""

from __future__ import annotations

from certwright.engine.queue import WorkQueue
from certwright.reconcile.contract import Backoff
from certwright.resources.kinds import CERTIFICATE

A = CERTIFICATE.key("one", "a")
B = CERTIFICATE.key("one", "b")


def new_queue() -> WorkQueue:
    """Return an empty queue that backs off from 1 s to 30 s."""
    return WorkQueue(Backoff(1.0, 30.0))


def test_a_key_added_often_is_taken_once_in_order() -> None:
    """Many changes of one object are one pass."""
    queue = new_queue()
    for key in (A, B, A):
        queue.add(key)

    assert [queue.take(0), queue.take(0), queue.take(0)] == [A, B, None]


def test_a_key_in_work_is_not_taken_again_until_it_is_done() -> None:
    """Two workers never have the same key; what happens meanwhile is not lost."""
    queue = new_queue()
    queue.add(A)
    queue.take(0)
    queue.add(A)

    assert queue.take(0) is None
    queue.done(A)
    assert queue.take(0) == A
    queue.done(A)
    assert queue.take(0) is None
    assert queue.is_idle


def test_back_off_doubles_to_its_limit_and_starts_anew() -> None:
    """1, 2, 4, 8, 16, 30, 30 seconds; then a success."""
    queue = new_queue()

    assert [queue.retry(A, 0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert queue.take(29.9) is None
    assert queue.take(30) == A
    queue.forget_failures(A)
    assert queue.retry(A, 0) == 1


def test_a_wish_replaces_an_earlier_one() -> None:
    """Only the last moment counts, sooner or later; no moment takes it back."""
    queue = new_queue()
    queue.look_again_at(A, 5)
    queue.look_again_at(A, 10)

    assert queue.next_due() == 10
    assert queue.take(9) is None
    assert queue.take(10) == A
    queue.done(A)
    queue.look_again_at(A, 20)
    queue.look_again_at(A, None)
    assert queue.next_due() is None
    assert queue.take(99) is None


def test_a_retry_and_a_wish_are_apart() -> None:
    """A failed pass does not forget when the object wanted to be seen."""
    queue = new_queue()
    queue.look_again_at(A, 100)
    queue.retry(A, 0)

    assert queue.take(1) == A
    queue.done(A)
    assert queue.next_due() == 100


def test_a_due_key_in_work_comes_back() -> None:
    """A moment that passes during a pass leads to another pass."""
    queue = new_queue()
    queue.look_again_at(A, 5)
    queue.add(A)
    queue.take(0)

    assert queue.take(6) is None
    queue.done(A)
    assert queue.take(6) == A


def test_wishes_that_are_replaced_take_no_room() -> None:
    """Ten thousand passes over an object that is due in a year leave one moment behind."""
    queue = new_queue()
    for number in range(10_000):
        queue.look_again_at(A, 1e7 + number)

    assert len(queue._heap) < 2_000  # noqa: SLF001 - what is counted is what must not grow
    assert queue.next_due() == 1e7 + 9_999
    assert queue.take(1e7 + 9_998) is None
    assert queue.take(1e7 + 9_999) == A
