"""Requests that agents repeat: each is journaled once, whatever became of the first answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from integration.receivers.doors import Doors, doors, eventually
from lymer.errors import OverloadedError
from lymer.journal.deliveries import Deliveries
from lymer.journal.delivery import Delivery, read_delivery
from make import make_request, make_span

BODY = make_request(make_span(1, 1), make_span(1, 2)).SerializeToString()
OK = (grpc.StatusCode.OK, "", None)
FIRST = Delivery(b"a" * 16, 10, 0)


def _deliveries(folder: Path) -> Deliveries:
    return Deliveries(folder / "deliveries", agents_max=10)


def _names(door: Doors) -> list[Delivery | None]:
    return [read_delivery(memoryview(body)) for body, _ in door.log.requests]


async def test_a_repeated_request_is_answered_and_not_stored(tmp_path: Path) -> None:
    """Its name is in the record; the next one is stored."""
    async with doors(deliveries=_deliveries(tmp_path)) as door:
        for _ in range(3):
            assert await door.export(BODY, metadata=FIRST.metadata()) == OK
        second = Delivery(FIRST.agent, 10, 1)
        assert await door.export(BODY, metadata=second.metadata()) == OK

        assert _names(door) == [FIRST, second]
        assert door.accepted_spans("grpc") == 4
        repeated = door.metrics.registry.get_sample_value("lymer_receiver_repeated_spans_total")
        assert repeated == 4


async def test_a_request_that_comes_twice_at_once_is_stored_once(tmp_path: Path) -> None:
    """Both wait for the same disk."""
    async with doors(deliveries=_deliveries(tmp_path)) as door:
        door.log.hold()
        calls = [
            asyncio.create_task(door.export(BODY, metadata=FIRST.metadata())) for _ in range(3)
        ]
        await door.log.arrived.wait()
        await asyncio.sleep(0.05)
        assert not any(call.done() for call in calls)
        door.log.release()

        assert await asyncio.gather(*calls) == [OK] * 3
        assert _names(door) == [FIRST]


async def test_an_agent_that_gave_up_too_early_finds_its_request_there(tmp_path: Path) -> None:
    """The deadline passed while the disk was busy: durable all the same, and known to be."""
    async with doors(deliveries=_deliveries(tmp_path)) as door:
        door.log.hold()
        code, _, _ = await door.export(BODY, metadata=FIRST.metadata(), seconds_max=0.2)
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        door.log.release()
        await eventually(lambda: door.in_flight() == (0, 0))

        assert await door.export(BODY, metadata=FIRST.metadata()) == OK
        assert _names(door) == [FIRST]


async def test_a_request_the_disk_refused_is_new_when_it_comes_again(tmp_path: Path) -> None:
    """What is not durable is not known."""
    async with doors(deliveries=_deliveries(tmp_path)) as door:
        door.log.failure = OverloadedError("no disk")
        code, _, _ = await door.export(BODY, metadata=FIRST.metadata())
        assert code is grpc.StatusCode.UNAVAILABLE
        door.log.failure = None

        assert await door.export(BODY, metadata=FIRST.metadata()) == OK
        assert _names(door) == [FIRST, FIRST]


async def test_requests_without_a_name_are_all_new(tmp_path: Path) -> None:
    """Who says no name may mean it twice."""
    async with doors(deliveries=_deliveries(tmp_path)) as door:
        assert await door.export(BODY) == await door.export(BODY) == OK

        assert [(BODY, 2)] * 2 == door.log.requests


async def test_a_name_nobody_can_read_is_refused(tmp_path: Path) -> None:
    """Stored without one it could be stored twice."""
    async with doors(deliveries=_deliveries(tmp_path)) as door:
        code, text, _ = await door.export(BODY, metadata=(("lymer-delivery", "junk"),))

        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "lymer-delivery" in text
        assert door.log.requests == []


async def test_an_agent_that_sends_to_itself_is_told(tmp_path: Path) -> None:
    """Or it would do nothing else any more."""
    async with doors(deliveries=_deliveries(tmp_path)) as door:
        door.intake.refuse_from(FIRST.agent)

        code, text, _ = await door.export(BODY, metadata=FIRST.metadata())

        assert code is grpc.StatusCode.UNAVAILABLE
        assert "sends to itself" in text


async def test_tags_are_added_to_what_comes_in(tmp_path: Path) -> None:
    """By every door, before it is journaled."""
    async with doors(tags=[("cluster", "blue")]) as door:
        assert await door.export(BODY) == OK
        assert (await door.post(BODY)).status_code == 200

        expected = make_request(make_span(1, 1), make_span(1, 2))
        tag = expected.resource_spans[0].resource.attributes.add(key="cluster")
        tag.value.string_value = "blue"
        assert [(expected.SerializeToString(), 2)] * 2 == door.log.requests
