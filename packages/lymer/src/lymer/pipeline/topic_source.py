"""Segments cut from a topic of Kafka: a range of one partition's offsets at a time.

Theory of operation. One thread reads messages and keeps them by partition. The loader asks for a
segment: a partition that has enough, or that has waited long enough, is cut, and the spans of the
range are written to a file, one for each tenant. Before the first of them is stored the store is
told of the range and its segments (`before_store`); when all are, the offset is committed, which
only shows progress. Whoever gets the partition next asks the store, not the group: if the segments
of the last range are stored, it goes on behind it; what is missing of them is read again. So a
crash at any moment neither loses nor doubles. Why: docs/adr/061-kafka.md.

The next range of a partition is cut when the last one is stored: the store remembers one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from lymer import clock
from lymer.errors import LymerError, StorageError, SupersededError, TenantError
from lymer.journal.record import encode_record
from lymer.model.offset_range import OffsetRange, RangeSegment
from lymer.model.segment import SealedSegment
from lymer.pipeline.quarantine import set_aside
from lymer.pipeline.topic_log import TENANT_HEADER
from lymer.pipeline.topic_partition import Claim, Cut, Message, OffsetStore, Partition
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics
from lymer.tenancy import DEFAULT_TENANT
from lymer.wire.kafka_encodings import read_messages
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["TopicLimits", "TopicSource"]

_log = EventLog(__name__)
_MESSAGES_MAX: Final = 500
_CONSUME_SECONDS: Final = 0.2
_FULL_SECONDS_MAX: Final = 30.0
"""Brokers are told nothing for so long while there is no room; then partitions are paused."""
_OPEN_SECONDS_MAX: Final = 120.0
_RETRY_SECONDS: Final = 0.5
_LAG_SECONDS: Final = 2.0
_PARTITION_BYTES_MIN: Final = 256 * 1024
_ALWAYS: Final[dict[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "queued.max.messages.kbytes": 16_384,
    "session.timeout.ms": 15_000,
}


@dataclass(frozen=True, slots=True)
class TopicLimits:
    """When a range ends."""

    segment_bytes_max: int
    """So many bytes are a segment."""
    segment_age_seconds_max: float
    """So long a message waits for more of its partition."""


class TopicSource:
    """A `SegmentSource`, and the writer that goes with it; made and closed by one thread."""

    def __init__(  # noqa: PLR0913 - each is a part of a role that it works with
        self,
        client: Mapping[str, Any],
        topic: str,
        *,
        encoding: str,
        store: OffsetStore,
        folder: Path,
        quarantine: Path,
        limits: TopicLimits,
        metrics: Metrics,
        tenant_of: Callable[[str], str] = str,
    ) -> None:
        """Prepare; `start` begins to read.

        Args:
            client: Settings of librdkafka: brokers, group, encryption, who we are.
            topic: Whence.
            encoding: How messages are written.
            store: Where spans go, and the offsets of them.
            folder: For segments on their way; emptied.
            quarantine: For messages that cannot be read.
            limits: Of segments.
            metrics: Counted here.
            tenant_of: Checks the name a message bears; raises `TenantError`.
        """
        from confluent_kafka import (  # noqa: PLC0415 - an extra
            Consumer,
            KafkaException,
            TopicPartition,
        )

        self._topic = topic
        self._encoding = encoding
        self._store = store
        self._folder = folder
        self._quarantine = quarantine
        self._limits = limits
        self._metrics = metrics.kafka
        self._place = TopicPartition
        self._kafka_error = KafkaException
        self._tenant_of = tenant_of
        self._earliest = client.get("auto.offset.reset") == "earliest"
        self._must_rejoin = False
        self._is_ending = False
        self._problem = ""
        self._last_id = store.newest_segment_id
        self._partitions: dict[int, Partition] = {}
        self._segments: dict[int, Cut] = {}
        self._stored: dict[int, int] = {}
        """Partition → offset to commit."""
        self._queue: list[SealedSegment] = []
        self._room = threading.Condition()
        self._writing = threading.Lock()
        """Held while something is written for a partition: it is not taken from us meanwhile."""
        self._stop = threading.Event()
        self._cluster = ""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.iterdir():
            left.unlink()
        self._consumer = Consumer({**_ALWAYS, **client, "error_cb": self._on_error})
        # A call to the consumer from its own callbacks ends the process at the next callback.
        of_nobody = {name: value for name, value in client.items() if name != "group.instance.id"}
        self._asking = Consumer({**_ALWAYS, **of_nobody})
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)

    def start(self) -> None:
        """Join the group and begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Leave the group; what was read and is not cut is read again by whoever comes next."""
        self._stop.set()
        with self._room:
            self._room.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._consumer.close()
        self._asking.close()

    def stop_reading(self) -> None:
        """Cut nothing more; what is cut may still be stored."""
        self._is_ending = True

    def problem(self) -> str:
        """Say why nothing is read now; nothing if it is."""
        return self._problem

    def newest_complete(self) -> int:
        """Return up to which segment all that was read is stored."""
        with self._room:
            now = clock.unix_nano() // 1000
            return min([now, *(one - 1 for one in self._segments)])

    # -------------------------------------------------------------------------- a SegmentSource

    def take_recovered(self) -> list[SealedSegment]:
        """Return nothing: what a former run left is in the topic."""
        return []

    def take_sealed(self, timeout_seconds: float) -> SealedSegment | None:
        """Return the next segment, or None."""
        with self._room:
            if not self._queue and self._ready() is None:
                self._room.wait(timeout_seconds)
            if not self._queue:
                partition = None if self._is_ending else self._ready()
                if partition is None:
                    return None
                self._cut(partition)
                self._room.notify_all()
            return self._queue.pop(0) if self._queue else None

    def remove(self, segment: SealedSegment) -> None:
        """Know that a segment is stored; with the last one of a range its offset is committed."""
        with self._room:
            cut = self._segments.pop(segment.segment_id)
            cut.left -= 1
            is_last = cut.left == 0
            if is_last:
                cut.partition.is_cut = False
        if segment.path.stat().st_size != segment.byte_count:
            self._note_quarantined(cut, segment)
        segment.path.unlink()
        if is_last:
            self._note_stored(cut.partition, cut.stored.next)

    def before_store(self, segment: SealedSegment) -> None:
        """Write a segment's range down, once.

        Raises:
            StorageError: That failed.
            SupersededError: The partition is somebody else's by now.
        """
        with self._ours(segment) as cut:
            if not cut.is_written_down:
                cut.partition.claim.write(cut.stored)
                cut.is_written_down = True

    # ------------------------------------------------------------------------------ a SpanWriter

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.write_segment`; raises `SupersededError` too, as all of them."""
        with self._ours(segment):
            self._store.write_segment(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.recover_segment`."""
        with self._ours(segment):
            self._store.recover_segment(segment)

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.write_part`."""
        with self._ours(segment):
            self._store.write_part(segment, path)

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.try_part`."""
        with self._ours(segment):
            self._store.try_part(segment, path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter.expect`."""
        self._store.expect(segments)

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.announce`."""
        self._store.announce(segment)

    @contextmanager
    def _ours(self, segment: SealedSegment) -> Iterator[Cut]:
        """Give the range of a segment, whose partition stays ours within."""
        with self._writing:
            cut = self._segments.get(segment.segment_id)
            if cut is None or self._partitions.get(cut.partition.number) is not cut.partition:
                with self._room:
                    self._segments.pop(segment.segment_id, None)
                segment.path.unlink(missing_ok=True)
                self._store.forget_segment(segment)
                raise SupersededError("the partition is somebody else's by now")
            with cut.partition.claim.guarding():
                yield cut

    def _note_stored(self, partition: Partition, behind: int) -> None:
        with self._room:
            if self._partitions.get(partition.number) is partition:
                self._stored[partition.number] = behind

    def _note_quarantined(self, cut: Cut, segment: SealedSegment) -> None:
        """Remember that fewer spans than were read are all there will be."""
        try:
            with self._writing, cut.partition.claim.guarding():
                count = self._store.stored_spans(segment)
                segments = tuple(
                    RangeSegment(one.tenant, one.segment_id, count)
                    if one.segment_id == segment.segment_id
                    else one
                    for one in cut.stored.segments
                )
                cut.stored = OffsetRange(cut.stored.first, cut.stored.next, segments)
                cut.partition.claim.write(cut.stored)
        except StorageError as error:  # then the range is stored anew if we end now
            _log.warning("quarantine not noted", segment=segment.segment_id, error=error)

    # ---------------------------------------------------------------------------------- cutting

    def _bytes_max(self) -> int:
        share = 2 * self._limits.segment_bytes_max // max(1, len(self._partitions))
        return max(_PARTITION_BYTES_MIN, min(self._limits.segment_bytes_max, share))

    def _ready(self) -> Partition | None:
        bytes_max, age = self._bytes_max(), self._limits.segment_age_seconds_max
        ready = [one for one in self._partitions.values() if one.is_ready(bytes_max, age)]
        return min(ready, key=lambda one: one.since, default=None)

    def _cut(self, partition: Partition) -> None:
        """Put the segments of a range into the queue; without spans only the offset moves."""
        if partition.again:
            taken = [one for one in partition.waiting if one.offset < partition.again]
        else:
            taken = partition.waiting
        rest = partition.waiting[len(taken) :]
        behind = partition.again or taken[-1].offset + 1
        by_tenant: dict[str, list[CheckedRequest]] = {}
        for one in taken:
            if one.request.span_count and one.tenant not in partition.stored:
                by_tenant.setdefault(one.tenant, []).append(one.request)
        sealed = [self._sealed(tenant, some) for tenant, some in sorted(by_tenant.items())]
        stored = OffsetRange(
            partition.first,
            behind,
            tuple(RangeSegment(one.tenant, one.segment_id, one.span_count) for one in sealed),
        )
        partition.waiting = rest
        partition.byte_count = sum(len(one.request.body) for one in rest)
        partition.since = clock.monotonic_seconds()
        partition.first, partition.again, partition.stored = behind, 0, frozenset()
        cut = Cut(partition, stored, len(sealed))
        partition.is_cut = bool(sealed)
        self._queue += sealed
        self._segments |= {one.segment_id: cut for one in sealed}
        if not sealed:
            self._note_stored(partition, behind)

    def _sealed(self, tenant: str, requests: Iterable[CheckedRequest]) -> SealedSegment:
        at_least = max(self._last_id + 1, clock.unix_nano() // 1000)
        self._last_id = number = self._store.next_segment_id(at_least)
        path = self._folder / f"{number:020d}.otlp"
        span_count = 0
        with path.open("wb") as file:
            for one in requests:
                file.writelines(encode_record(one.body, one.span_count))
                span_count += one.span_count
            byte_count = file.tell()
        return SealedSegment(number, path, span_count, byte_count, tenant)

    def _commit(self) -> None:
        """Tell the group how far we are. Only the thread that reads: the client locks itself."""
        with self._room:
            stored, self._stored = self._stored, {}
        places = [
            self._place(self._topic, number, behind)
            for number, behind in stored.items()
            if number in self._partitions
        ]
        try:
            if places:
                self._consumer.commit(offsets=places, asynchronous=True)
        except self._kafka_error as error:
            _log.warning("offsets not committed", error=error)

    # ---------------------------------------------------------------------------------- reading

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._must_rejoin = False
                self._consumer.subscribe(
                    [self._topic],
                    on_assign=self._on_assign,
                    on_revoke=self._on_revoke,
                    on_lost=self._on_revoke,
                )
                self._read_on()
                self._commit()
                self._consumer.unsubscribe()
        except Exception as error:  # noqa: BLE001 - a bug must not end reading silently
            self._problem = f"BUG while reading from Kafka: {error!r}"
            _log.exception("BUG while reading from Kafka", error)

    def _read_on(self) -> None:
        full_since = looked = clock.monotonic_seconds()
        is_paused = False
        while not (self._stop.is_set() or self._must_rejoin):
            self._commit()
            now = clock.monotonic_seconds()
            if now - looked >= _LAG_SECONDS:
                looked = now
                self._measure_lag()
            if self._is_full():
                if now - full_since > _FULL_SECONDS_MAX:
                    if not is_paused:
                        self._consumer.pause(self._consumer.assignment())
                        is_paused = True
                    self._take([self._consumer.poll(0)])
                continue
            full_since = now
            if is_paused:
                self._consumer.resume(self._consumer.assignment())
                is_paused = False
            self._take(self._consumer.consume(_MESSAGES_MAX, _CONSUME_SECONDS))

    def _is_full(self) -> bool:
        """Tell whether there is no room, after waiting a while for some."""
        with self._room:
            held = sum(one.byte_count for one in self._partitions.values())
            busy = any(one.is_cut for one in self._partitions.values()) or self._ready()
            if held < 2 * self._limits.segment_bytes_max or not busy:
                return False
            self._room.wait(_RETRY_SECONDS)
            return True

    def _take(self, messages: Sequence[Any]) -> None:
        """Keep what was read."""
        read = [one for one in messages if one is not None and not one.error()]
        for one in messages:
            if one is not None and one.error():
                self._on_error(one.error())
        if not read:
            return
        self._problem = ""
        self._metrics.read.inc(len(read))
        read.sort(key=lambda one: (one.partition(), one.offset()))
        for (number, tenant, _), some in groupby(read, self._kind):
            self._keep(number, tenant, list(some))

    def _kind(self, message: Any) -> tuple[int, str | None, bool]:
        """Return what messages have in common that are read together; None: nobody's tenant."""
        number = message.partition()
        partition = self._partitions.get(number)
        # A range that is cut as it was shares no request with what is behind it.
        is_again = partition is not None and message.offset() < partition.again
        named = [value for key, value in message.headers() or () if key == TENANT_HEADER]
        try:
            name = str(named[-1] or b"", "utf-8", "replace") if named else ""
            return number, self._tenant_of(name) if name else DEFAULT_TENANT, is_again
        except TenantError:
            return number, None, is_again

    def _keep(self, number: int, tenant: str | None, messages: Sequence[Any]) -> None:
        bodies = [one.value() or b"" for one in messages]
        made: list[Message] = []
        found: Sequence[CheckedRequest | LymerError]
        if tenant is None:
            tenant, found = DEFAULT_TENANT, [TenantError("unknown tenant")] * len(bodies)
        else:
            found = read_messages(bodies, self._encoding, clock.unix_nano())
        for one, body, request in zip(messages, bodies, found, strict=True):
            if isinstance(request, LymerError):
                self._set_aside(number, one.offset(), body, request)
                request = CheckedRequest(b"", 0)  # noqa: PLW2901
            made.append(Message(one.offset(), tenant, request))
        with self._room:
            partition = self._partitions.get(number)
            if partition is None:
                return
            if not partition.waiting:
                partition.since = clock.monotonic_seconds()
            partition.waiting += made
            partition.byte_count += sum(len(one.request.body) for one in made)
            self._room.notify_all()

    def _set_aside(self, number: int, offset: int, body: bytes, error: LymerError) -> None:
        self._metrics.poison.inc()
        name = f"kafka-{self._topic}-{number}-{offset}"
        _log.error("message quarantined", message=name, error=error)
        while not self._stop.is_set():
            try:
                set_aside(self._quarantine, [(name, body, str(error))])
            except OSError as failure:
                self._problem = f"cannot write to {self._quarantine}: {failure}"
                self._stop.wait(_RETRY_SECONDS)
            else:
                return

    # ------------------------------------------------------------------------------- partitions

    def _on_assign(self, consumer: Any, places: Sequence[Any]) -> None:
        """Find out where to go on with each partition, before anything of it is read."""
        self._metrics.rebalances.inc()
        for place in places:
            opened = self._opened(place.partition)
            if opened is None:
                consumer.assign([])
                self._must_rejoin = True  # and be given partitions again
                return
            with self._room:
                self._partitions[place.partition] = opened
            place.offset = opened.first
        consumer.assign(places)
        self._problem = ""
        _log.info("partitions assigned", partitions=" ".join(str(one.partition) for one in places))

    def _on_revoke(self, consumer: Any, places: Sequence[Any]) -> None:
        self._metrics.rebalances.inc()
        with self._writing, self._room:
            for place in places:
                self._partitions.pop(place.partition, None)
                self._stored.pop(place.partition, None)
                self._metrics.lag.remove(self._topic, str(place.partition))
        consumer.unassign()

    def _opened(self, number: int) -> Partition | None:
        """Take a partition in the store; None if it cannot be had in time."""
        deadline = clock.monotonic_seconds() + _OPEN_SECONDS_MAX
        while not self._stop.is_set() and clock.monotonic_seconds() < deadline:
            try:
                return self._open(number)
            except (StorageError, self._kafka_error) as error:
                self._problem = f"cannot take partition {number}: {error}"
                _log.warning("cannot take a partition", partition=number, error=error)
                self._stop.wait(_RETRY_SECONDS)
        return None

    def _open(self, number: int) -> Partition:
        self._cluster = self._cluster or self._asking.list_topics(self._topic, 10).cluster_id
        claim = self._store.claim_partition(f"{self._cluster}/{self._topic}", number)
        place = self._place(self._topic, number)
        low, high = self._asking.get_watermark_offsets(place, 10)
        (group,) = self._asking.committed([place], 10)
        begin = max(group.offset, -1) if group.offset <= high else -1
        last = claim.read()
        if last is not None and last.next > high:
            _log.warning("the topic was made anew", partition=number, stored=last.next, has=high)
            last = None
        if last is None or last.next <= begin:
            if begin < low:
                begin = low if self._earliest else high
            return Partition(number, claim, begin)
        missing, stored = self._look_for(claim, last)
        if not missing:
            return Partition(number, claim, last.next)
        if last.first < low:
            _log.error("messages are gone from the topic", partition=number, first=last.first)
        _log.info("range is read again", partition=number, first=last.first, next=last.next)
        return Partition(number, claim, last.first, last.next, frozenset(stored))

    def _look_for(self, claim: Claim, last: OffsetRange) -> tuple[set[str], set[str]]:
        """Return the tenants whose segments of a range are not stored, and the others'.

        What is there of one that is not whole is deleted: it is stored anew, as another segment.
        """
        missing, stored = set(), set()
        for one in last.segments:
            segment = SealedSegment(one.segment_id, self._folder, one.span_count, 0, one.tenant)
            count = self._store.stored_spans(segment)
            if count == one.span_count:
                stored.add(one.tenant)
                continue
            missing.add(one.tenant)
            if count:
                with claim.guarding():
                    self._store.erase_segment(segment)
        return missing, stored

    def _measure_lag(self) -> None:
        if self._problem:
            with contextlib.suppress(self._kafka_error):
                self._consumer.list_topics(self._topic, 1)
                self._problem = ""  # they answer again, and there may be nothing to read
        for number, partition in list(self._partitions.items()):
            place = self._place(self._topic, number)
            _, high = self._consumer.get_watermark_offsets(place, cached=True)
            if high >= 0:
                lag = self._metrics.lag.labels(self._topic, str(number))
                lag.set(max(0, high - partition.first))

    def _on_error(self, error: Any) -> None:
        """Remember what the library says; it goes on by itself."""
        if not self._problem:
            _log.warning("trouble with Kafka", error=error.str())
        self._problem = f"Kafka: {error.str()}"
