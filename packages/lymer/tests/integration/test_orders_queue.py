"""The demo's queue on a real file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from lymer.demo.orders_queue import Message, OrdersQueue


def test_messages_come_in_order_with_their_headers(tmp_path: Path) -> None:
    """Oldest first, whole, and no more than asked for."""
    queue = OrdersQueue(tmp_path / "queue.sqlite")
    ids = [queue.send({"traceparent": f"t{n}"}, {"order": str(n)}) for n in range(3)]

    assert queue.receive(2) == [
        Message(ids[n], {"traceparent": f"t{n}"}, {"order": str(n)}) for n in range(2)
    ]
    assert [message.id for message in queue.receive(2)] == [ids[2]]
    assert queue.receive(2) == []


def test_two_receivers_never_get_the_same_message(tmp_path: Path) -> None:
    """While two send and two receive, every message is received exactly once."""
    file = tmp_path / "queue.sqlite"

    def send(_: int) -> list[int]:
        return [OrdersQueue(file).send({}, {}) for _ in range(40)]

    def receive(_: int) -> list[int]:
        queue, found, empty = OrdersQueue(file), list[int](), 0
        while empty < 200:
            messages = queue.receive(3)
            found += [message.id for message in messages]
            empty = 0 if messages else empty + 1
        return found

    OrdersQueue(file)
    with ThreadPoolExecutor(4) as pool:
        sent, received = pool.map(send, range(2)), pool.map(receive, range(2))
        all_sent, all_received = [*chain(*sent)], [*chain(*received)]

    assert sorted(all_sent) == sorted(all_received + [m.id for m in OrdersQueue(file).receive(99)])
    assert len(set(all_received)) == len(all_received)
