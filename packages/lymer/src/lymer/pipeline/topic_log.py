"""Spans into a topic of Kafka instead of a journal: a request is durable when the broker says so.

The library's own queue, threads and retries do the work; a message that is not acknowledged within
its time fails the request it belongs to, and the sender repeats that.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from lymer.errors import LymerError, OverloadedError
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics
from lymer.wire.kafka_encodings import write_messages

__all__ = ["TENANT_HEADER", "TopicLog"]

_Ticket = TypeVar("_Ticket")
_log = EventLog(__name__)
TENANT_HEADER: Final = "lymer-tenant"
"""Header of a message: whose spans it holds; none for the default tenant."""
_POLL_SECONDS: Final = 0.1
_FLUSH_SECONDS_MAX: Final = 15.0
_ALWAYS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    # Groups fill while the last ones are on their way; one sender alone waits so long.
    "linger.ms": 5,
    "delivery.timeout.ms": 15_000,
    "queue.buffering.max.kbytes": 65_536,
}


class _Request(Generic[_Ticket]):
    """What waits for its messages. Counted under the lock of the log."""

    __slots__ = ("error", "left", "ticket")

    def __init__(self, ticket: _Ticket, left: int) -> None:
        self.ticket = ticket
        self.left = left
        self.error: LymerError | None = None


class TopicLog(Generic[_Ticket]):
    """A `DurableLog`; all methods may be called from any thread."""

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        *,
        encoding: str,
        message_bytes_max: int,
        on_durable: Callable[[Sequence[_Ticket], LymerError | None], None],
        metrics: Metrics,
    ) -> None:
        """Begin to look for brokers.

        Args:
            client: Settings of librdkafka: brokers, encryption, who we are.
            topic: Where to.
            encoding: One of `wire.kafka_encodings.WRITTEN`.
            message_bytes_max: Larger requests go in parts.
            on_durable: Told of each request; it must not block.
            metrics: Counted here: messages by outcome.
        """
        from confluent_kafka import KafkaException, Producer  # noqa: PLC0415 - an extra

        self._topic = topic
        self._encoding = encoding
        self._bytes_max = message_bytes_max
        self._on_durable = on_durable
        self._metrics = metrics.kafka
        self._problem = ""
        self._kafka_error = KafkaException
        self._stop = threading.Event()
        self._lock = threading.Lock()
        # The library counts its own framing, 512 bytes or so, as part of the message.
        limit = {"message.max.bytes": message_bytes_max + 4_096}
        self._producer = Producer({**_ALWAYS, **limit, **client, "error_cb": self._on_error})
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)
        self._thread.start()

    def append(self, body: bytes, span_count: int, ticket: _Ticket, tenant: str, /) -> None:
        """Queue a request of `tenant`; see `DurableLog.append`.

        Raises:
            OverloadedError: The queue is full; senders retry.
            TooLargeError: One span is more than a message may hold.
        """
        del span_count
        messages = list(write_messages(body, self._encoding, self._bytes_max))
        headers: Any = [(TENANT_HEADER, tenant.encode())] if tenant else None
        request = _Request(ticket, len(messages))

        def delivered(error: Any, message: Any) -> None:
            self._delivered(request, error, message)

        for place, (key, value) in enumerate(messages):
            try:
                self._producer.produce(
                    self._topic, value, key or None, headers=headers, on_delivery=delivered
                )
            except BufferError as error:
                full = OverloadedError(
                    f"cannot accept the request: Kafka is behind; {self._problem or error}"
                )
                if not place:
                    raise full from error
                # What is queued already will be there twice; the sender repeats all of it.
                self._give_up(request, len(messages) - place, full)
                return

    def problem(self) -> str:
        """Say why spans are turned away now; nothing if they are not."""
        return self._problem

    def close(self) -> None:
        """Wait until what is queued is acknowledged, or has failed."""
        self._producer.flush(_FLUSH_SECONDS_MAX)
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(_POLL_SECONDS)
            if self._problem:
                with contextlib.suppress(self._kafka_error):
                    self._producer.list_topics(self._topic, 1)
                    self._problem = ""  # they answer again, and nobody may send until we say so

    def _delivered(self, request: _Request[_Ticket], error: Any, _: Any) -> None:
        self._metrics.sent.labels("failed" if error else "acknowledged").inc()
        if error is None:
            self._problem = ""
        else:
            self._problem = f"Kafka does not take messages: {error.str()}"
            request.error = OverloadedError(f"cannot accept the request: {self._problem}")
        self._finish(request, 1)

    def _give_up(self, request: _Request[_Ticket], count: int, error: LymerError) -> None:
        request.error = error
        self._finish(request, count)

    def _finish(self, request: _Request[_Ticket], count: int) -> None:
        with self._lock:
            request.left -= count
            is_done = request.left == 0
        if is_done:
            self._on_durable([request.ticket], request.error)

    def _on_error(self, error: Any) -> None:
        """Remember what the library says; it goes on by itself."""
        if not self._problem:
            _log.warning("trouble with Kafka", error=error.str())
        self._problem = f"Kafka: {error.str()}"
