"""The way of a request through a door: who decodes it, and that nobody else waits."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.heavy_requests import HEAVY
from integration.receivers.doors import JSON, doors
from lymer.clock import monotonic_seconds
from lymer.errors import OverloadedError, TooLargeError, UndecodableError
from lymer.receivers.translator import Translator
from lymer.wire.bounds import OBJECTS_MAX
from lymer.wire.otlp_json import request_from_json
from lymer.wire.translations import Format

_JSON = Format("otlp-json")


def _spans_json(count: int) -> bytes:
    attributes = [{"key": f"key.{n}", "value": {"stringValue": "v" * n}} for n in range(12)]
    spans = [
        {"traceId": "1" * 32, "spanId": f"{n + 1:016x}", "name": "x", "attributes": attributes}
        for n in range(count)
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


async def test_another_process_translates_the_same() -> None:
    """One request after the other, errors too, and it ends when it is told."""
    translator = Translator()
    body = _spans_json(20)
    answers = await asyncio.gather(*(translator.translate(body, _JSON) for _ in range(3)))
    assert answers == [request_from_json(body)] * 3
    with pytest.raises(UndecodableError, match="cannot decode OTLP JSON"):
        await translator.translate(b"{", _JSON)
    with pytest.raises(TooLargeError, match=str(OBJECTS_MAX)):
        await translator.translate(b"[" * (OBJECTS_MAX + 1), _JSON)
    zipkin = await translator.translate(
        b'[{"traceId":"1","id":"1"},{"id":"2"}]', Format("zipkin-json")
    )
    assert (zipkin.span_count, zipkin.refused_spans) == (1, 1)
    await translator.close()
    assert await translator.translate(body, _JSON) == answers[0]  # it starts again
    await translator.close()


async def test_more_than_a_queue_of_large_requests_are_told_to_come_back() -> None:
    """They wait in memory."""
    translator = Translator()
    body = _spans_json(2000)
    answers = await asyncio.gather(
        *(translator.translate(body, _JSON) for _ in range(20)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, OverloadedError)]
    assert len(refused) == 4
    await translator.close()


async def test_work_that_does_not_end_is_ended() -> None:
    """The process is killed and the sender told."""
    translator = Translator(seconds_max=0.05)
    with pytest.raises(TooLargeError, match="to translate"):
        await translator.translate(_spans_json(40_000), _JSON)
    await translator.close()


async def test_time_that_others_take_refuses_nothing() -> None:
    """A process takes longer to start than this, as it does for a minute on a busy machine."""
    translator = Translator(seconds_max=0.1)
    assert (await translator.translate(_spans_json(1), _JSON)).span_count == 1
    await translator.close()


async def test_an_end_waits_for_no_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is at work and what waits behind it is refused, so that senders come back."""
    monkeypatch.setattr("lymer.receivers.translator._LEAVE_SECONDS_MAX", 0)
    translator = Translator()
    assert (await translator.translate(_spans_json(1), _JSON)).span_count == 1  # it runs
    asked = [asyncio.create_task(translator.translate(_spans_json(20_000), _JSON)) for _ in "ab"]
    await asyncio.sleep(0)
    await translator.leave()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in answers] == [OverloadedError, OverloadedError]
    await translator.close()


async def test_a_large_document_is_stored_through_it() -> None:
    """By HTTP, compressed or not: the answer and the journal are the same as of a small one."""
    body = _spans_json(3000)
    async with doors(body_bytes_max=20 * 2**20) as made:
        assert (await made.post(body, JSON)).status_code == 200
        expected = request_from_json(body)
        assert made.log.requests == [(expected.body, 3000)]


@pytest.mark.parametrize("shape", HEAVY)
async def test_beside_a_heavy_request_others_do_not_wait(shape: str) -> None:
    """The loop is never held for long while it is decoded."""
    with ThreadPoolExecutor(1) as pool:
        loop = asyncio.get_running_loop()
        body, spans = await loop.run_in_executor(pool, HEAVY[shape], 1_000_000)
    async with doors(body_bytes_max=20 * 2**20) as made:
        posted = asyncio.create_task(made.post(body))
        longest = 0.0
        while not posted.done():
            began = monotonic_seconds()
            await asyncio.sleep(0.001)
            longest = max(longest, monotonic_seconds() - began)
        assert (await posted).status_code == 200
        assert made.log.requests[0][1] == spans
        # In process with the client, on a busy machine; alone it is 30 ms.
        assert longest < 0.25
