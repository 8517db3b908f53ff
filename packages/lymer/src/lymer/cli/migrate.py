"""The command that moves what another tracing store holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from lymer import ports
from lymer.cli.asking import place_options
from lymer.cli.cassandra_source import (
    cassandra_options,
    cassandra_place,
    is_cassandra,
    open_cassandra_source,
)
from lymer.cli.files import Problems, open_destination
from lymer.cli.lymer_source import is_lymer, open_lymer_source
from lymer.cli.progress import Progress
from lymer.cli.traffic import duration
from lymer.clock import unix_nano
from lymer.errors import StartupError

if TYPE_CHECKING:
    from lymer.files.importing import Importer, Outcome
    from lymer.files.jaeger_cassandra import CassandraOptions
    from lymer.files.migrating import Source, Told

__all__ = ["migrate"]

_WEEK_SECONDS: Final = 7 * 86_400
_SPANS_PER_CHECK_MIN: Final = 100
_SPANS_PER_CHECK_MAX: Final = 25_600
_CHECKS_MAX: Final = 20
_CHECK_SECONDS: Final = 0.5
"""What was sent may not be stored for a second or two."""


@click.command(
    "migrate",
    epilog="Example: lymer migrate http://elasticsearch:9200 --state migration.json",
)
@click.argument("source", metavar="SOURCE")
@click.option(
    "--since",
    type=duration,
    default=str(_WEEK_SECONDS),
    help="How far back a grpc:// source is read, such as 30d. Default: 7d.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where it is kept what is done: the same command goes on there.",
)
@click.option(
    "--check/--no-check",
    default=True,
    help="Read each part again and count what is missing here. Default: do.",
)
@click.option("--source-tenant", metavar="NAME", default="", help="Ask the source as this tenant.")
@click.option(
    "--endpoint",
    default=f"http://localhost:{ports.OTLP_HTTP}",
    show_default=True,
    envvar="LYMER_ENDPOINT",
    help="OTLP receiver (HTTP) of the Lymer that gets the spans.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@place_options
@cassandra_options
def migrate(
    *,
    source: str,
    since: float,
    state: Path | None,
    check: bool,
    as_json: bool,
    source_tenant: str,
    **place: Any,
) -> int:
    """Move the spans of another store here, each once, and count them at both ends.

    SOURCE is http://HOST:9200 for Elasticsearch and OpenSearch, with the prefix of the indices as
    path, clickhouse://HOST:8123 for Jaeger's tables in ClickHouse, with the database as path,
    cassandra://HOST,HOST for those in Cassandra, with the keyspace as path and options and
    variables named as Jaeger's, or grpc://HOST:17271 for whatever a Jaeger serves as
    jaeger.storage.v2 (its remote-storage: Badger, memory, and all others). It may also be another
    Lymer: the data folder of one that is stopped, or lymer://HOST:16686. What is here already is
    left out, so it may be repeated, and interrupted.

    Exit codes: 0 every span of the source is here, 1 something could not be read, was refused or is
    missing.
    """
    if place["data_dir"] is not None and Path(source).is_dir():
        raise StartupError(
            "cannot move from one folder into another: start lymer on the second one"
        )
    given = {name: place.pop(name) for name in list(place) if name.startswith("cassandra_")}
    cassandra = cassandra_place(source, given) if is_cassandra(source) else None
    if cassandra is not None:  # the same words with other options are another source
        source = f"cassandra://{','.join(cassandra.servers)}/{cassandra.keyspace}"
    done = _Done(state, source)
    problems = Problems()
    progress = Progress("spans")
    with (
        _opened(cassandra or source, since, source_tenant) as opened,
        open_destination(**place) as importer,
    ):
        moving = _Moving(opened, importer, done, check=check)
        parts = list(opened.parts())
        for number, part in enumerate(parts, 1):
            if part in done:
                continue
            progress.file(part, number, len(parts))
            before = problems.count
            for count in moving.move(part, partial(problems.add, source)):
                progress.add(count)
            moving.end_part(part, is_whole=problems.count == before)
        moving.settle()
        progress.end()
    counts = moving.counts
    if as_json:
        told = {**asdict(counts), "parts_before": done.before, "problems": problems.count}
        click.echo(orjson.dumps(told).decode())
    else:
        click.echo(
            f"{counts.spans} spans were read: {counts.added} are stored now, {counts.known} were "
            f"there already, {counts.refused} were refused"
            + (f"; {counts.missing} are missing here" if check else "")
            + (f"; {problems.count} places could not be read" if problems.count else "")
            + (f"; {done.before} parts were done before" if done.before else "")
        )
    return 1 if problems.count or counts.missing or counts.refused else 0


@contextmanager
def _opened(source: str | CassandraOptions, since: float, tenant: str) -> Iterator[Source]:
    from lymer.files.migrating import open_source

    if not isinstance(source, str):
        with open_cassandra_source(source) as opened:
            yield opened
        return
    if is_lymer(source):
        with open_lymer_source(source, tenant) as opened:
            yield opened
        return
    end = unix_nano()
    yield open_source(source, end - int(since * 1e9), end, tenant=tenant)


@dataclass(slots=True)
class _Counts:
    """Spans of the source, and what became of them."""

    spans: int = 0
    added: int = 0
    known: int = 0
    refused: int = 0
    missing: int = 0

    def add(self, outcome: Outcome) -> None:
        self.spans += outcome.added + outcome.known + outcome.refused
        self.added += outcome.added
        self.known += outcome.known
        self.refused += outcome.refused


class _Moving:
    """Moves parts. What is stored is looked for after several small ones at once.

    First after the first, so that it is known soon if nothing arrives; then ever more rarely.
    """

    def __init__(self, source: Source, importer: Importer, done: _Done, *, check: bool) -> None:
        self._source, self._importer, self._done, self._check = source, importer, done, check
        self.counts = _Counts()
        self._enough = _SPANS_PER_CHECK_MIN
        self._spans = 0
        self._refused = 0
        self._parts: list[str] = []
        self._filled: list[str] = []

    def move(self, part: str, told: Told) -> Iterator[int]:
        """Read a part, and yield how many spans more went their way."""
        before = self._spans
        for request in self._source.read(part, told):
            self._spans += request.span_count
            outcome = self._importer.add(request)
            self.counts.add(outcome)
            yield outcome.added + outcome.known
        if self._spans > before:
            self._filled.append(part)

    def end_part(self, part: str, *, is_whole: bool) -> None:
        """Have a part done as soon as all its spans are found here; unless some were no spans."""
        if is_whole:
            self._parts.append(part)
        if self._spans >= self._enough:
            self.settle()
            self._enough = min(4 * self._enough, _SPANS_PER_CHECK_MAX)

    def settle(self) -> None:
        """Store what waits, look for all that was moved, and remember the parts that are done."""
        self.counts.add(self._importer.finish())
        missing = self._missing() if self._check and self._filled else 0
        self.counts.missing += missing
        if not missing and self.counts.refused == self._refused:
            self._done.add(self._parts)
        self._refused = self.counts.refused
        self._spans, self._parts, self._filled = 0, [], []

    def _missing(self) -> int:
        """Read parts again and return how many of their spans are not here."""
        missing = 0
        for _ in range(_CHECKS_MAX):
            checker = self._importer.checker()
            missing = sum(
                checker.add(request).refused
                for part in self._filled
                for request in self._source.read(part, lambda *_: None)
            )
            missing += checker.finish().refused
            if not missing:
                break
            time.sleep(_CHECK_SECONDS)
        return missing


class _Done:
    """The parts that are done, in a file."""

    def __init__(self, path: Path | None, source: str) -> None:
        self._path = path
        self._parts: list[str] = []
        self._source = source
        if path is not None and path.exists():
            try:
                state = orjson.loads(path.read_bytes())
                if state["source"] != source:
                    raise StartupError(f"cannot go on: {path} is of another source")
                self._parts = state["done"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise StartupError(f"cannot go on: {path} cannot be read: {error}") from error
        self.before = len(self._parts)

    def __contains__(self, part: str) -> bool:
        return part in self._parts[: self.before]

    def add(self, parts: Sequence[str]) -> None:
        """Remember parts, durably enough: they may be read again."""
        self._parts += parts
        if self._path is None or not parts:
            return
        made = self._path.with_name(self._path.name + ".new")
        try:
            made.write_bytes(orjson.dumps({"source": self._source, "done": self._parts}))
            made.replace(self._path)
        except OSError as error:
            raise StartupError(f"cannot write {self._path}: {error.strerror or error}") from error
