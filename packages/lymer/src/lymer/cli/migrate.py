"""The command that moves what another tracing store holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from lymer import ports
from lymer.cli.asking import place_options
from lymer.cli.files import Problems, open_destination
from lymer.cli.lymer_source import is_lymer, open_lymer_source
from lymer.cli.progress import Progress
from lymer.cli.traffic import duration
from lymer.clock import unix_nano
from lymer.errors import StartupError

if TYPE_CHECKING:
    from lymer.files.importing import Importer, Outcome
    from lymer.files.migrating import Source
    from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["migrate"]

_WEEK_SECONDS: Final = 7 * 86_400
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

    SOURCE is grpc://HOST:17271 for whatever a Jaeger serves as jaeger.storage.v2 (its
    remote-storage: Badger, Cassandra, Elasticsearch, ClickHouse, memory), http://HOST:9200 for
    Elasticsearch and OpenSearch, with the prefix of the indices as path, or clickhouse://HOST:8123
    for Jaeger's tables in ClickHouse, with the database as path. It may also be another Lymer: the
    data folder of one that is stopped, or lymer://HOST:16686. What is here already is left out, so
    it may be repeated, and interrupted.

    Exit codes: 0 every span of the source is here, 1 something could not be read, was refused or is
    missing.
    """
    if place["data_dir"] is not None and Path(source).is_dir():
        raise StartupError(
            "cannot move from one folder into another: start lymer on the second one"
        )
    done = _Done(state, source)
    problems = Problems()
    counts = _Counts()
    progress = Progress("spans")
    with (
        _opened(source, since, source_tenant) as opened,
        open_destination(**place) as importer,
    ):
        parts = list(opened.parts())
        for number, part in enumerate(parts, 1):
            if part in done:
                continue
            progress.file(part, number, len(parts))
            before = problems.count
            moved = _Counts()
            for outcome in _outcomes(importer, opened.read(part, partial(problems.add, source))):
                moved.add(outcome)
                progress.add(outcome.added + outcome.known)
            if check:
                moved.missing = _missing(importer, opened, part)
            counts.sum(moved)
            if problems.count == before and not (moved.missing or moved.refused):
                done.add(part)
        progress.end()
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
def _opened(source: str, since: float, tenant: str) -> Iterator[Source]:
    from lymer.files.migrating import open_source

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

    def sum(self, other: _Counts) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


def _outcomes(importer: Importer, requests: Iterator[CheckedRequest]) -> Iterator[Outcome]:
    yield from map(importer.add, requests)
    yield importer.finish()


def _missing(importer: Importer, source: Source, part: str) -> int:
    """Read a part again and return how many of its spans are not here."""
    missing = 0
    for _ in range(_CHECKS_MAX):
        requests = source.read(part, lambda *_: None)
        missing = sum(one.refused for one in _outcomes(importer.checker(), requests))
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

    def add(self, part: str) -> None:
        """Remember a part, durably enough: it may be read again."""
        self._parts.append(part)
        if self._path is None:
            return
        made = self._path.with_name(self._path.name + ".new")
        try:
            made.write_bytes(orjson.dumps({"source": self._source, "done": self._parts}))
            made.replace(self._path)
        except OSError as error:
            raise StartupError(f"cannot write {self._path}: {error.strerror or error}") from error
