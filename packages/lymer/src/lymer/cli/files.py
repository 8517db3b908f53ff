"""Commands about spans in files: `export`, `import`, `anonymize`."""

from __future__ import annotations

import glob
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

import click
import orjson

from lymer import ports
from lymer.cli.asking import Asker, ask, asking_options, open_asker, place_options
from lymer.cli.options import read_named
from lymer.cli.progress import Progress
from lymer.cli.traffic import duration
from lymer.clock import unix_nano
from lymer.errors import StartupError

if TYPE_CHECKING:
    from lymer.files.importing import Importer
    from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["Problems", "anonymize", "export", "import_", "open_destination"]

FORMATS: Final = ("otlp-json", "otlp-jsonl", "otlp-proto", "jaeger-json")
"""As `lymer.files.writing` has them, which would import protobuf for `--help`; a test compares."""
_PAGE_TRACES: Final = 1_000
_READ_TRACES: Final = 100
_FIRST: Final = "1970-01-01T00:00:00+00:00"
_LAST: Final = str(2**62)
_PROBLEMS_SHOWN_MAX: Final = 20
_RETRIES_MAX: Final = 60
_HANDED_ON_SECONDS: Final = 5.0
"""What an agent took a moment ago is stored by then, if its collector is there."""
_KEY_BYTES_MAX: Final = 64


# ------------------------------------------------------------------------------------ export


@click.command(
    "export",
    epilog="Example: lymer export '{ status = error }' --since 1d --output errors.jsonl.zst",
)
@click.argument("question", default="")
@click.option(
    "--output",
    metavar="FILE",
    default="-",
    help="Where to; .gz and .zst compress. Default: stdout.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="Default: by the file's name: .jsonl, .pb, else otlp-json; otlp-jsonl to stdout.",
)
@click.option("--since", type=duration, help="Only so much time before the end. Default: all.")
@click.option("--end", type=int, metavar="MICROSECONDS", help="Until then, since 1970.")
@click.option("--limit", type=click.IntRange(1), help="At most so many traces, the newest.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted export ended.")
@asking_options
def export(
    *, asker: Asker, question: str, output: str, format_name: str | None, as_json: bool, **how: Any
) -> int:
    """Write traces to a file: all of them, or those that match QUESTION, whole, newest first.

    A file grows as FILE.part, and FILE.part.at says how far it came; an interrupted export goes on
    there with --resume. Exit codes: 0 all is written, 1 not all.
    """
    asked = {"q": question, "start": _FIRST, "end": _LAST, "spss": "1"}
    last = unix_nano() // 1_000 if how["end"] is None else how["end"]
    if how["end"] is not None:
        asked["end"] = str(-(-last // 1_000_000))
    if how["since"] is not None:
        asked["start"] = str(int(last / 1e6 - how["since"]))
    format_name = format_name or _format_of(output)
    with _Output(output, format_name, asked, resume=how["resume"]) as file:
        progress = Progress("traces", file.traces)
        limit = how["limit"]
        while not file.is_done and (limit is None or file.traces < limit):
            wanted = _PAGE_TRACES if limit is None else min(_PAGE_TRACES, limit - file.traces)
            page = ask(
                asker, "/api/search", {**file.asked, "limit": str(wanted), "cursor": file.cursor}
            )
            if not page["complete"]:
                raise StartupError(
                    f"cannot export all that match, {file.traces} traces are written: "
                    f"{page['reason']}; ask for less, or with --since for less time"
                )
            ids = [one["traceID"] for one in page["traces"]]
            for first in range(0, len(ids), _READ_TRACES):
                some = [("traceID", one) for one in ids[first : first + _READ_TRACES]]
                file.write(asker.read("/api/lymer/v1/otlp", some))
                progress.add(len(some))
            file.commit(len(ids), page["cursor"])
        file.end()
        progress.end()
    summary = {"traces": file.traces, "spans": file.spans, "file": output, "format": format_name}
    if as_json and output != "-":
        click.echo(orjson.dumps(summary).decode())
    else:
        where = "stdout" if output == "-" else output
        click.echo(f"{file.traces} traces with {file.spans} spans are in {where}", err=True)
    return 0


def _format_of(name: str) -> str:
    if name == "-":
        return "otlp-jsonl"
    suffixes = [one.lower() for one in Path(name).suffixes]
    if ".jsonl" in suffixes or ".ndjson" in suffixes:
        return "otlp-jsonl"
    return "otlp-proto" if {".pb", ".binpb", ".proto", ".otlp"} & set(suffixes) else "otlp-json"


class _Output:
    """A file of spans that grows, or stdout."""

    def __init__(self, name: str, format_name: str, asked: dict[str, str], *, resume: bool) -> None:
        self._stack = ExitStack()
        self._path = None if name == "-" else Path(name)
        self._format = format_name
        self.asked = asked
        """The question and its range; of an export that goes on, as it was begun."""
        self.cursor = ""
        self.traces = self.spans = 0
        self.is_done = False
        self._bytes = 0
        self._resume = resume

    def __enter__(self) -> Self:
        from lymer.files.writing import SpanFile, compression_of

        if self._path is None:
            if self._resume:
                raise click.UsageError("--resume needs --output")
            stream: BinaryIO = sys.stdout.buffer
        else:
            stream = self._opened(self._path)
        self._stream = stream
        self._file = SpanFile(
            stream,
            self._format,  # type: ignore[arg-type]
            compression_of(self._path.name if self._path else ""),
            is_begun=self.spans > 0,
        )
        return self

    def _opened(self, path: Path) -> BinaryIO:
        self._part = path.with_name(path.name + ".part")
        self._at = path.with_name(path.name + ".part.at")
        try:
            if self._resume and self._at.exists():
                self._go_on()
            stream = self._stack.enter_context(self._part.open("r+b" if self._bytes else "wb"))
            stream.truncate(self._bytes)
            stream.seek(self._bytes)
        except OSError as error:
            raise StartupError(f"cannot write {path}: {error.strerror or error}") from error
        return stream

    def _go_on(self) -> None:
        try:
            state = orjson.loads(self._at.read_bytes())
            format_name, asked, self._bytes, self.traces, self.spans, self.cursor, done = state
        except ValueError as error:
            raise StartupError(f"cannot go on: {self._at} cannot be read: {error}") from error
        if [format_name, asked["q"]] != [self._format, self.asked["q"]]:
            raise StartupError(
                f"cannot go on: {self._part} holds the answer of another question, or in another "
                "format; ask as before, or without --resume"
            )
        self.asked, self.is_done = asked, done

    def write(self, traces: bytes) -> None:
        """Add whole traces."""
        from lymer.files.writing import count_spans

        self.spans += count_spans(traces)
        self._file.write(traces)
        if self._path is None:
            self._file.commit()

    def commit(self, traces: int, cursor: str) -> None:
        """Keep what was written, and where to go on."""
        self.traces += traces
        self.cursor, self.is_done = cursor, not cursor
        self._file.commit()
        if self._path is None:
            return
        self._stream.flush()
        self._bytes = self._stream.tell()
        state = [
            self._format, self.asked, self._bytes, self.traces, self.spans, cursor, not cursor
        ]  # fmt: skip
        successor = self._at.with_suffix(".new")
        successor.write_bytes(orjson.dumps(state))
        successor.replace(self._at)

    def end(self) -> None:
        """Close the document and give the file its name."""
        self._file.end()
        self._stream.flush()
        if self._path is not None:
            self._stack.close()
            self._part.replace(self._path)
            self._at.unlink(missing_ok=True)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


# ------------------------------------------------------------------------------------ import


@click.command(
    "import",
    epilog="Example: lymer import traces.json 'more/*.jsonl.gz' folder --url http://tracing:16686",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--endpoint",
    default=f"http://localhost:{ports.OTLP_HTTP}",
    show_default=True,
    envvar="LYMER_ENDPOINT",
    help="OTLP receiver (HTTP) of the same Lymer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@place_options
def import_(
    *,
    files: tuple[str, ...],
    endpoint: str,
    as_json: bool,
    url: str,
    tenant: str | None,
    data_dir: Path | None,
) -> int:
    """Store the spans of files, each once: OTLP (JSON, lines of JSON, protobuf), Jaeger, Zipkin.

    A FILE may be a folder, a pattern, or - for stdin; formats and compression are known by the
    content. Times stay as they are. What is stored already is left out, so an import may be
    repeated. With --data-dir spans go into the folder of a stopped Lymer.

    Exit codes: 0 all is stored, 1 something could not be read or was refused.
    """
    paths = _files(files)
    problems = Problems()
    added = known = refused = 0
    with open_destination(url, tenant, data_dir, endpoint) as importer:
        progress = Progress("spans")
        requests = (one for path in paths for one in _requests(path, problems, progress))
        outcomes = chain(map(importer.add, requests), iter([None]))
        for outcome in (one or importer.finish() for one in outcomes):
            added, known = added + outcome.added, known + outcome.known
            refused += outcome.refused
            progress.add(outcome.added + outcome.known)
        progress.end()
    if as_json:
        told = {"files": len(paths), "spans": added, "known": known, "refused": refused}
        click.echo(orjson.dumps({**told, "problems": problems.count}).decode())
    else:
        line = f"{added} spans of {len(paths)} files are stored"
        line += f", {known} were there already" if known else ""
        line += f", {refused} were refused" if refused else ""
        click.echo(
            line + (f"; {problems.count} places could not be read" if problems.count else "")
        )
    return 1 if problems.count or refused else 0


class Problems:
    """What could not be read: told, up to a number, and counted."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, path: str, place: str, cause: str) -> None:
        """Tell one."""
        self.count += 1
        if self.count <= _PROBLEMS_SHOWN_MAX:
            click.echo(f"{path}, {place}: {cause}", err=True)
        elif self.count == _PROBLEMS_SHOWN_MAX + 1:
            click.echo("more such places are only counted", err=True)


def _requests(path: str, problems: Problems, progress: Progress) -> Iterator[CheckedRequest]:
    """Yield the requests that a file holds."""
    from lymer.files.reading import Problem, read_spans

    shown = "stdin" if path == "-" else path
    progress.file(shown)
    try:
        with ExitStack() as stack:
            stream: BinaryIO = (
                sys.stdin.buffer if path == "-" else stack.enter_context(Path(path).open("rb"))
            )
            for found in read_spans(stream):
                if isinstance(found, Problem):
                    problems.add(shown, found.place, found.cause)
                else:
                    yield found.request
    except OSError as error:
        problems.add(shown, "the file", f"cannot be read: {error.strerror or error}")


def _files(names: Sequence[str]) -> list[str]:
    """Return the files that names, folders and patterns mean, each once."""
    found: dict[str, None] = {}
    for name in names:
        if name == "-":
            found[name] = None
        elif Path(name).is_dir():
            inside = sorted(one for one in Path(name).rglob("*") if one.is_file())
            found.update((str(one), None) for one in inside if not one.name.startswith("."))
        elif Path(name).exists():
            found[name] = None
        else:
            found_by = glob.glob(name, recursive=True)  # noqa: PTH207 - it may be absolute
            matching = sorted(one for one in found_by if Path(one).is_file())
            if not matching:
                raise StartupError(f"there is no file {name}")
            found.update((one, None) for one in matching)
    if not found:
        raise StartupError(f"there is no file in {', '.join(names)}")
    return list(found)


@contextmanager
def open_destination(
    url: str, tenant: str | None, data_dir: Path | None, endpoint: str
) -> Iterator[Importer]:
    """Yield who puts spans into a running Lymer, or into the folder of a stopped one."""
    from lymer.files.importing import Importer

    if data_dir is None:
        with open_asker(url, tenant) as asker:
            asker.read("/api/services")  # is anybody there, before a large file is read
            wait = _waiting(endpoint, tenant)
            wait()  # an import that was killed a moment ago may have sent what is not stored yet
            yield Importer(_reading(asker), _sending(endpoint, tenant), wait)
        return
    from lymer.config import load_config
    from lymer.roles.stopped_folder import open_stopped_folder

    config = load_config(None, os.environ, {"storage.data_dir": str(data_dir)})
    with open_stopped_folder(config, tenant=tenant or "", writes=True) as folder:

        def read(ids: Sequence[str]) -> bytes:
            status, body = folder.get(
                "/api/lymer/v1/otlp", "&".join(f"traceID={one}" for one in ids)
            )
            if status != 200:
                raise StartupError(f"{data_dir} refuses: {body[:500].decode(errors='replace')}")
            return body

        def put(request: CheckedRequest) -> int:
            folder.put(request)
            return 0

        yield Importer(read, put)


def _reading(asker: Asker) -> Callable[[Sequence[str]], bytes]:
    return lambda ids: asker.read("/api/lymer/v1/otlp", [("traceID", one) for one in ids])


def _waiting(endpoint: str, tenant: str | None) -> Callable[[], None]:
    """Return who waits until all that a receiver has taken is stored."""
    import time

    from lymer.roles.load_sender import ask_if_stored

    headers = {"x-tenant": tenant} if tenant else {}

    def wait() -> None:
        for _ in range(_RETRIES_MAX):
            is_stored = ask_if_stored(endpoint, headers)
            if is_stored is None:  # no Lymer that stores, but one that hands on
                time.sleep(_HANDED_ON_SECONDS)
            if is_stored is not False:
                return
            time.sleep(1.0)
        raise StartupError(f"{endpoint} does not answer; run the import again later")

    return wait


def _sending(endpoint: str, tenant: str | None) -> Callable[[CheckedRequest], int]:
    """Return who sends to a receiver, again and again while it is busy."""
    import time

    from lymer.files.importing import UnansweredError
    from lymer.roles.load_sender import Outcome, open_sender

    sender = open_sender(endpoint, "http/protobuf", {"x-tenant": tenant} if tenant else {})

    def send(request: CheckedRequest) -> int:
        message = ""
        for _ in range(_RETRIES_MAX):
            reply = sender.send(request.body)
            if reply.outcome is Outcome.ACCEPTED:
                return reply.refused_spans
            if reply.outcome is Outcome.REFUSED:
                raise StartupError(f"{endpoint} refuses spans: {reply.message}")
            message = reply.message
            time.sleep(reply.retry_after_seconds or 1.0)
            if not reply.is_answer:
                raise UnansweredError
        raise StartupError(
            f"{endpoint} does not take spans ({message}); run the import again later, what "
            "is stored is left out then"
        )

    return send


# --------------------------------------------------------------------------------- anonymize


@click.command("anonymize", epilog="Example: lymer anonymize traces.json --output shared.json.gz")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--output", metavar="FILE", required=True, help="Where to; .gz and .zst compress.")
@click.option("--format", "format_name", type=click.Choice(FORMATS), help="Default: by the name.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Key of the codes, up to 64 bytes: the same key, the same codes. Default: one for once.",
)
@click.option("--keep-services", is_flag=True, help="Leave names of services as they are.")
@click.option("--keep-names", is_flag=True, help="Leave names of spans, events and scopes.")
@click.option("--keep-keys", is_flag=True, help="Leave all keys, not only well-known ones.")
@click.option("--keep-numbers", is_flag=True, help="Leave numbers of attributes.")
@click.option("--keep-ids", is_flag=True, help="Leave ids of traces and spans.")
@click.option(
    "--keep",
    "values",
    multiple=True,
    metavar="KEY",
    help="Leave values of this key, such as http.*",
)
def anonymize(
    *,
    files: tuple[str, ...],
    output: str,
    format_name: str | None,
    key_file: Path | None,
    values: tuple[str, ...],
    **keep: bool,
) -> int:
    """Write the spans of files with codes for texts and numbers; structure and times stay.

    The same text has the same code everywhere. Files are read as by import. Words and numbers of
    OpenTelemetry's conventions (methods, status codes) stay.

    Exit codes: 0 all is written, 1 something could not be read.
    """
    from lymer.files.anonymizing import Anonymizer, Kept

    key = secrets.token_bytes(32) if key_file is None else read_named(key_file).strip()
    if not 1 <= len(key) <= _KEY_BYTES_MAX:
        raise StartupError(f"cannot use {key_file}: a key has 1 to {_KEY_BYTES_MAX} bytes")
    kept = {name.removeprefix("keep_"): value for name, value in keep.items()}
    anonymizer = Anonymizer(key, Kept(values=values, **kept))
    problems = Problems()
    progress = Progress("spans")
    with _Output(output, format_name or _format_of(output), {}, resume=False) as file:
        for path in _files(files):
            for request in _requests(path, problems, progress):
                before = file.spans
                file.write(anonymizer.anonymized(request.body))
                file.commit(0, "")
                progress.add(file.spans - before)
        file.end()
    progress.end()
    click.echo(f"{file.spans} spans are in {output}", err=True)
    return 1 if problems.count else 0
