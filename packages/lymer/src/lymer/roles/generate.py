"""`lymer generate`: sends made-up traces at a rate, and counts what became of them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from lymer.clock import monotonic_seconds, unix_nano
from lymer.roles.load_sender import Outcome, Sender, open_sender
from lymer.roles.load_shape import LoadShape
from lymer.roles.load_source import LoadRequest, LoadSource

__all__ = ["Delivery", "RequestSource", "Tally", "run", "send_load"]

_BACKOFF_FIRST_SECONDS: Final = 0.1
_BACKOFF_MAX_SECONDS: Final = 5.0
"""OTLP asks for exponential back-off and names no numbers; the SDKs stop doubling at 5 s."""

_PACE_SECONDS: Final = 0.1
"""At a limited rate a request holds at most this time's spans, so that traffic flows evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where the load goes, how fast, and for how long."""

    endpoint: str
    """http:// or https:// address of an OTLP receiver."""
    protocol: str = "http/protobuf"
    """`http/protobuf` or `grpc`."""
    traces_max: int | None = None
    """Stop after this many traces; None: only `duration_seconds` ends it."""
    duration_seconds: float | None = None
    """Stop after this time, in seconds; None: only `traces_max` ends it."""
    rate: float = 0.0
    """Spans per second over all connections; 0 sends as fast as the server takes them."""
    connections: int = 1
    """Connections, each with one request in flight, at least 1."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request."""
    give_up_seconds: float = 60.0
    """How long one request is repeated before its spans count as refused, in seconds."""


@dataclass(slots=True)
class Tally:
    """What became of the load."""

    sent_spans: int = 0
    """Spans the server acknowledged."""
    refused_spans: int = 0
    """Spans it did not take, for good or within `give_up_seconds`."""
    requests: int = 0
    """Requests that were answered for good."""
    retries: int = 0
    """Times a request had to be sent again."""
    seconds: float = 0.0
    """Wall time from the first request to the last answer."""
    last_problem: str = ""
    """The server's words about the last spans it did not take."""

    def to_line(self) -> str:
        """Return the closing line."""
        rate = self.sent_spans / self.seconds if self.seconds else 0.0
        line = (
            f"sent {self.sent_spans} spans in {self.requests} requests, refused "
            f"{self.refused_spans}, repeated {self.retries}, in {self.seconds:.2f} s: "
            f"{rate:.0f} spans/s"
        )
        return f"{line} (last problem: {self.last_problem})" if self.last_problem else line


class RequestSource(Protocol):
    """Makes requests, one after the other."""

    @property
    def spans_per_request(self) -> int:
        """Return how many spans a request has, about."""

    def next_request(
        self, now_unix_nano: int, *, spans_max: int | None = None
    ) -> LoadRequest | None:
        """Return the next request, or None at the end."""


def run(load: LoadShape | RequestSource, delivery: Delivery) -> int:
    """Send the load until it is done or somebody stops it; print the closing line.

    Returns:
        0 if every span was taken, 1 if not.
    """
    stop = threading.Event()

    def end(*_: object) -> None:
        if stop.is_set():  # asked twice: do not wait for the requests in flight
            raise KeyboardInterrupt
        stop.set()

    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    show = _show_progress if sys.stderr.isatty() else None
    try:
        tally = send_load(load, delivery, stop, show)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if show is not None:
            sys.stderr.write("\r\x1b[K")
    sys.stdout.write(tally.to_line() + "\n")
    return 1 if tally.refused_spans or not tally.sent_spans else 0


def send_load(
    load: LoadShape | RequestSource,
    delivery: Delivery,
    stop: threading.Event,
    show: Callable[[Tally], None] | None = None,
) -> Tally:
    """Send the load and return the count of what became of it.

    Args:
        load: What to send.
        delivery: Where to, how fast, how long.
        stop: Set it to end after the requests in flight.
        show: Called about once a second with the count so far.

    Raises:
        StartupError: If the endpoint is no address.
    """
    sending = _Load(load, delivery, stop)
    senders = [
        open_sender(delivery.endpoint, delivery.protocol, delivery.headers)
        for _ in range(delivery.connections)
    ]
    workers = [
        threading.Thread(target=sending.work, args=(sender,), name=f"sender-{index}", daemon=True)
        for index, sender in enumerate(senders)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        while worker.is_alive():
            worker.join(1.0)
            if show is not None:
                sending.tally.seconds = monotonic_seconds() - sending.started
                show(sending.tally)
    sending.tally.seconds = monotonic_seconds() - sending.started
    for sender in senders:
        sender.close()
    return sending.tally


class _Load:
    """What the workers share."""

    def __init__(
        self, load: LoadShape | RequestSource, delivery: Delivery, stop: threading.Event
    ) -> None:
        self._source: RequestSource = (
            LoadSource(load, traces_max=delivery.traces_max)
            if isinstance(load, LoadShape)
            else load
        )
        self._delivery = delivery
        self._stop = stop
        self._lock = threading.Lock()
        self._spans_begun = 0
        self._spans_max = load.spans_per_request
        if delivery.rate > 0:
            self._spans_max = max(1, min(self._spans_max, int(delivery.rate * _PACE_SECONDS)))
        self.tally = Tally()
        self.started = monotonic_seconds()

    def work(self, sender: Sender) -> None:
        """Send requests until there are no more."""
        while (request := self._next()) is not None:
            self._deliver(sender, request)

    def _next(self) -> LoadRequest | None:
        """Wait for the next request's turn and make it; None at the end."""
        with self._lock:
            due = self.started
            if self._delivery.rate > 0:
                due += self._spans_begun / self._delivery.rate
            self._spans_begun += self._spans_max
        now = monotonic_seconds()
        limit = self._delivery.duration_seconds
        if limit is not None and max(now, due) - self.started >= limit:
            return None
        if self._stop.wait(due - now) if due > now else self._stop.is_set():
            return None
        with self._lock:
            return self._source.next_request(unix_nano(), spans_max=self._spans_max)

    def _deliver(self, sender: Sender, request: LoadRequest) -> None:
        """Send `request` until it is taken, refused, or has been repeated for too long."""
        begun, pause = monotonic_seconds(), _BACKOFF_FIRST_SECONDS
        retries = 0
        reply = sender.send(request.body)
        while reply.outcome is Outcome.RETRY:
            wait = pause if reply.retry_after_seconds is None else reply.retry_after_seconds
            late = monotonic_seconds() + wait - begun > self._delivery.give_up_seconds
            if late or self._stop.wait(wait):
                break
            pause = min(pause * 2, _BACKOFF_MAX_SECONDS)
            retries += 1
            reply = sender.send(request.body)
        accepted = reply.outcome is Outcome.ACCEPTED
        refused = reply.refused_spans if accepted else request.spans
        with self._lock:
            self.tally.requests += 1
            self.tally.retries += retries
            self.tally.sent_spans += request.spans - refused
            self.tally.refused_spans += refused
            if refused:
                self.tally.last_problem = reply.message


def _show_progress(tally: Tally) -> None:
    rate = tally.sent_spans / tally.seconds if tally.seconds else 0.0
    sys.stderr.write(f"\r{tally.sent_spans} spans sent, {rate:.0f} spans/s \x1b[K")
    sys.stderr.flush()
