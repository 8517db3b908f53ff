"""Commands that show what happens now: `tail`, `top`; and who calls whom: `graph`."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, Final

import click
import orjson

from lymer.cli.asking import (
    Asker,
    HttpAsker,
    ask,
    asking_options,
    range_options,
    seconds_range,
    time_range,
)
from lymer.cli.printing import millis, part, print_json, table_lines
from lymer.cli.traffic import duration
from lymer.clock import unix_nano
from lymer.errors import StartupError

__all__ = ["graph", "tail", "top"]

_SILENT_SECONDS_MAX: Final = 60.0
"""A server beats every 15 seconds; one that is silent for so long is gone."""
_AGAIN_SECONDS: Final = 2.0
_SHOWN_SPANS_MAX: Final = 50_000
"""As many as the server remembers of one connection."""
_ENTRIES: Final = "{ kind = server || kind = consumer }"
_COLORS: Final = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
_QUANTILES: Final = ("0.5", "0.95", "0.99")
_WHATS: Final = ("calls", "errors", "p50", "p95", "p99")


# -------------------------------------------------------------------------------------- tail


@click.command("tail", epilog="Example: lymer tail '{ status = error && duration > 200ms }'")
@click.argument("question", default="")
@click.option(
    "--rate",
    type=click.IntRange(1, 1_000),
    default=20,
    show_default=True,
    help="Spans a second that are shown; others are counted.",
)
@click.option("--count", type=click.IntRange(1), help="End after so many spans.")
@asking_options
def tail(*, asker: Asker, question: str, rate: int, count: int | None, as_json: bool) -> int:
    """Print spans as they are stored, those that QUESTION matches, until Ctrl-C.

    After an interruption of the connection it goes on where it was. Exit codes: 0 ended, 1 the
    question is refused or nobody answers at first, 130 Ctrl-C.
    """
    if not isinstance(asker, HttpAsker):
        raise click.UsageError("nothing is stored in the folder of a stopped Lymer: use --url")
    shown = 0
    for name, told in _events(asker, {"q": question, "rate": str(rate)}):
        if name == "span":
            shown += 1
            click.echo(orjson.dumps(told).decode() if as_json else _span_line(told))
            if count is not None and shown >= count:
                break
        elif name == "dropped":
            more = "" if told["complete"] else " and more"
            click.echo(f"({told['dropped']}{more} not shown: over --rate)", err=True)
        else:
            click.echo(f"({told.get('message', name)})", err=True)
    return 0


def _events(asker: HttpAsker, parameters: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield events, over as many connections as it takes."""
    last, is_first = "", True
    shown: OrderedDict[tuple[str, str], None] = OrderedDict()
    while True:
        request = asker.request("/api/tail", parameters)
        if last:
            request.add_header("last-event-id", last)
        try:
            with asker.open(request, _SILENT_SECONDS_MAX) as answer:
                is_first = False
                name = ""
                for line in answer:
                    field, _, value = line.decode().rstrip("\n").partition(": ")
                    if field == "event":
                        name = value
                    elif field == "id":
                        last = value
                    elif field == "data":
                        told = orjson.loads(value)
                        if name != "span" or _is_new(shown, told):
                            yield name, told
        except StartupError as error:
            if is_first:
                raise
            yield "problem", {"message": f"{error}; trying again"}
        except (OSError, HTTPException) as error:
            yield "problem", {"message": f"the connection is lost ({error}); trying again"}
        time.sleep(_AGAIN_SECONDS)


def _is_new(shown: OrderedDict[tuple[str, str], None], told: dict[str, Any]) -> bool:
    """Tell whether a span was not shown, and remember it: another connection begins a bit before.

    A server knows what it told over one connection only.
    """
    key = (told["traceID"], told["spanID"])
    if key in shown:
        return False
    shown[key] = None
    if len(shown) > _SHOWN_SPANS_MAX:
        shown.popitem(last=False)
    return True


def _span_line(told: dict[str, Any]) -> str:
    start = datetime.fromtimestamp(int(told["startTimeUnixNano"]) / 1e9, UTC)
    service = told["service"]
    attributes = " ".join(
        f"{one['key']}={next(iter(one['value'].values()), '')}" for one in told["attributes"]
    )
    is_error = told["status"] == "error"
    if sys.stdout.isatty():
        service = click.style(service, fg=_COLORS[sum(service.encode()) % len(_COLORS)])
    parts = [
        start.strftime("%H:%M:%S.%f")[:-3], f"{millis(int(told['durationNanos'])):>8}", service,
        told["name"], click.style("error", fg="red") if is_error else "", attributes,
        told["traceID"],
    ]  # fmt: skip
    line = "  ".join(filter(None, parts))
    return line if sys.stdout.isatty() else click.unstyle(line)


# --------------------------------------------------------------------------------------- top


@click.command("top", epilog="Example: lymer top '{ resource.service.name = \"checkout\" }'")
@click.argument("question", default=_ENTRIES)
@click.option(
    "--by",
    type=click.Choice(["service", "operation"]),
    default="operation",
    show_default=True,
    help="What a line is.",
)
@click.option("--every", type=duration, default="5s", show_default=True, help="Between two looks.")
@click.option(
    "--window", type=duration, default="1m", show_default=True, help="How much time is counted."
)
@click.option("--end", type=int, metavar="MICROSECONDS", help="With --once: count until then.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--once", is_flag=True, help="Look once and end.")
@asking_options
def top(  # noqa: PLR0913 - its options
    *,
    asker: Asker,
    question: str,
    by: str,
    every: float,
    window: float,
    end: int | None,
    limit: int,
    once: bool,
    as_json: bool,
) -> int:
    """Show rate, errors and durations by operation or service, the busiest first.

    Counted are servers and consumers, or the spans that QUESTION matches. It looks again and again
    until Ctrl-C; with --once, --json or into a pipe once. Exit codes: 0 shown, 1 it could not be.
    """
    is_once = once or as_json or not sys.stdout.isatty()
    while True:
        times = seconds_range(window, end)
        seconds = int(times["end"]) - int(times["start"])
        rows = _red(asker, question, by, times, seconds)
        if as_json:
            print_json({"seconds": seconds, "rows": rows[:limit]})
            return 0
        lines = table_lines(
            ("calls/s", "errors", "p50", "p95", "p99", by),
            (
                (
                    f"{one['calls'] / seconds:.3g}",
                    _errors(one),
                    *(millis(one[name] * 1e9) for name in _WHATS[2:]),
                    " ".join(filter(None, (one["service"], one.get("operation", "")))),
                )
                for one in rows[:limit]
            ),
        )
        if not is_once:
            click.clear()
            now = datetime.fromtimestamp(unix_nano() / 1e9, UTC).strftime("%H:%M:%SZ")
            click.echo(
                f"{asker.name}  last {window:g} s until {now}  {len(rows)} lines, Ctrl-C ends\n"
            )
        for line in lines:
            click.echo(line)
        if is_once:
            return 0
        time.sleep(every)


def _red(
    asker: Asker, question: str, by: str, times: dict[str, str], seconds: int
) -> list[dict[str, Any]]:
    """Return one entry for each service, or operation, most calls first; durations in seconds."""
    names = "resource.service.name" + (", name" if by == "operation" else "")
    asked = {
        "calls": f"{question} | count_over_time() by ({names})",
        "errors": f"{question} | {{ status = error }} | count_over_time() by ({names})",
        "p": f"{question} | quantile_over_time(duration, {', '.join(_QUANTILES)}) by ({names})",
    }
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for what, text in asked.items():
        found = ask(asker, "/tempo/api/metrics/query", {"q": text, **times})
        for series in found.get("series", ()):
            labels = {one["key"]: next(iter(one["value"].values()), "") for one in series["labels"]}
            service = str(labels.get("resource.service.name", ""))
            operation = str(labels.get("name", ""))
            row = rows.setdefault(
                (service, operation),
                {"service": service, "operation": operation, **dict.fromkeys(_WHATS, 0)},
            )
            name = f"p{float(labels['p']) * 100:g}" if what == "p" else what
            row[name] = series.get("value", 0)
    for row in rows.values():
        row["perSecond"] = row["calls"] / seconds
        if by == "service":
            del row["operation"]
    return sorted(rows.values(), key=lambda one: (-one["calls"], one["service"]))


# ------------------------------------------------------------------------------------- graph


@click.command(
    "graph", epilog="Example: lymer graph --since 1h --format dot | dot -Tsvg > graph.svg"
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "tree", "dot", "json"]),
    default="table",
    show_default=True,
)
@range_options
@asking_options
def graph(*, asker: Asker, shape: str, since: float | None, end: int | None, as_json: bool) -> int:
    """Show who calls whom: services, databases, peers and queues, with calls, errors, durations.

    Minutes are taken whole. Exit codes: 0 shown (also where nothing calls), 1 it could not be.
    """
    times = time_range(since, end)
    lookback = (int(times["end"]) - int(times["start"])) // 1_000
    parameters = {"endTs": str(int(times["end"]) // 1_000), "lookback": str(max(lookback, 1))}
    found = ask(asker, "/api/lymer/v1/service-graph", parameters)
    if as_json or shape == "json":
        print_json(found)
    elif shape == "dot":
        _print_dot(found)
    elif shape == "tree":
        _print_calls(found)
    else:
        names = {one["id"]: one["name"] for one in found["nodes"]}
        lines = table_lines(
            ("calls", "errors", "p50", "p95", "caller", "called", "kind"),
            (
                (
                    str(one["calls"]),
                    _errors(one),
                    millis(one["p50Nano"] or 0),
                    millis(one["p95Nano"] or 0),
                    names[one["from"]],
                    names[one["to"]],
                    one["type"],
                )
                for one in found["edges"]
            ),
        )
        for line in lines:
            click.echo(line)
    return 0


def _print_calls(found: dict[str, Any]) -> None:
    """Print each service below its callers; one that was shown before is not gone into again."""
    names = {one["id"]: f"{one['name']} ({one['kind']})" for one in found["nodes"]}
    below: dict[str, list[dict[str, Any]]] = {}
    for edge in found["edges"]:
        below.setdefault(edge["from"], []).append(edge)
    called = {edge["to"] for edge in found["edges"] if edge["to"] != edge["from"]}
    shown: set[str] = set()
    starts = [one for one in names if one not in called] + list(names)
    for start in starts:
        if start in shown:
            continue
        waiting = [(start, 0, "")]
        while waiting:
            node, depth, figures = waiting.pop()
            again = node in shown and bool(below.get(node))
            click.echo("  " * depth + names[node] + figures + (" ..." if again else ""))
            if node in shown:
                continue
            shown.add(node)
            waiting += [
                (
                    edge["to"],
                    depth + 1,
                    f"  {edge['calls']} calls, {_errors(edge)} errors",
                )
                for edge in reversed(below.get(node, []))
            ]


def _print_dot(found: dict[str, Any]) -> None:
    shapes = {"service": "box", "database": "cylinder", "messaging": "cds"}
    click.echo("digraph services {\n  rankdir=LR;")
    for one in found["nodes"]:
        shape = shapes.get(one["kind"], "ellipse")
        click.echo(f"  {_dot(one['id'])} [label={_dot(one['name'])}, shape={shape}];")
    for one in found["edges"]:
        errors = _errors(one)
        label = f"{one['calls']} calls, {errors} errors, p95 {millis(one['p95Nano'] or 0)}"
        style = ", style=dashed" if one["type"] == "link" else ""
        click.echo(f"  {_dot(one['from'])} -> {_dot(one['to'])} [label={_dot(label)}{style}];")
    click.echo("}")


def _errors(figures: dict[str, Any]) -> str:
    return part(figures["errors"] / max(figures["calls"], 1))


def _dot(text: str) -> str:
    """Return a text as DOT quotes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
