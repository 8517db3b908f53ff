"""Commands that ask a running Lymer for traces: `search`, `trace`, `services`, `complete`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, Final

import click

from lymer.cli.asking import Asker, ask, asking_options, range_options, seconds_range, time_range
from lymer.cli.printing import millis, print_json, print_table
from lymer.errors import StartupError

__all__ = ["complete", "search", "services", "trace"]

_LINES_MAX: Final = 5_000
"""Lines of a trace that are printed; a larger one is for the interface."""


@click.command("search", epilog="Example: lymer search '{ status = error && duration > 200ms }'")
@click.argument("question", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option(
    "--order",
    type=click.Choice(["newest", "slowest"]),
    default="newest",
    show_default=True,
    help="Which traces come first.",
)
@range_options
@asking_options
def search(
    *,
    question: str,
    limit: int,
    order: str,
    since: float | None,
    end: int | None,
    asker: Asker,
    as_json: bool,
) -> int:
    """Find traces by QUESTION, in the search language; all of them without one.

    The exit code is 0 also where nothing is found.
    """
    parameters = {**seconds_range(since, end), "q": question, "limit": str(limit), "order": order}
    found = ask(asker, "/api/search", parameters)
    if as_json:
        print_json(found)
        return 0
    if not found["traces"]:
        click.echo("No trace matches.")
    else:
        print_table(
            ("trace", "start", "duration", "matched", "spans", "root"),
            (
                (
                    one["traceID"].rjust(32, "0"),
                    _time(int(one["startTimeUnixNano"])),
                    f"{one.get('durationMs', 0)} ms",
                    str(sum(int(each.get("matched", 0)) for each in one.get("spanSets", []))),
                    str(sum(int(s.get("spanCount", 0)) for s in one["serviceStats"].values())),
                    f"{one.get('rootServiceName', '')} {one.get('rootTraceName', '')}".strip(),
                )
                for one in found["traces"]
            ),
        )
    if not found["complete"]:
        click.echo(f"The answer is not complete: {found['reason']}", err=True)
    elif found["cursor"]:
        click.echo(f"More match: --limit {limit * 10} shows them.", err=True)
    return 0


@click.command("trace", epilog="Example: lymer trace 4bf92f3577b34da6a3ce929d0e0e4736")
@click.argument("trace_id")
@asking_options
def trace(*, trace_id: str, asker: Asker, as_json: bool) -> int:
    """Print a trace as a tree: each span with its start within the trace and its duration."""
    found = ask(asker, f"/api/traces/{trace_id}", {})
    if as_json:
        print_json(found)
        return 0
    if not found["data"]:
        raise StartupError(f"there is no trace {trace_id}")
    _print_tree(found["data"][0])
    return 0


@click.command("services", epilog="Example: lymer services --since 1h")
@range_options
@asking_options
def services(*, since: float, end: int | None, asker: Asker, as_json: bool) -> int:
    """List services and what they take: calls, errors and durations of their operations."""
    found = ask(asker, "/api/lymer/v1/diagnosis/profile", time_range(since, end))
    rows: dict[str, list[int]] = {}
    for one in found["operations"]:
        row = rows.setdefault(one["service"], [0, 0, 0, 0])
        row[0] += 1
        row[1] += one["spans"]
        row[2] += one["errors"]
        row[3] += one["selfNano"]
    if as_json:
        names = ("operations", "spans", "errors", "selfNano")
        print_json(
            {
                "sample": found["sample"],
                "services": [
                    {"service": name, **dict(zip(names, row, strict=True))}
                    for name, row in sorted(rows.items())
                ],
            }
        )
        return 0
    whole = sum(row[3] for row in rows.values()) or 1
    print_table(
        ("self", "spans", "errors", "operations", "service"),
        (
            (f"{row[3] / whole:.0%}", str(row[1]), str(row[2]), str(row[0]), name)
            for name, row in sorted(rows.items(), key=lambda one: -one[1][3])
        ),
    )
    return 0


@click.command("complete", epilog="Example: lymer complete span.http.route")
@click.argument("field", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@range_options
@asking_options
def complete(
    *,
    field: str,
    limit: int,
    since: float | None,
    end: int | None,
    asker: Asker,
    as_json: bool,
) -> int:
    """List the keys that spans have, or the values of FIELD, most frequent first."""
    parameters = {**seconds_range(since, end), "limit": str(limit)}
    if field:
        found = ask(asker, "/api/search/values", {**parameters, "field": field})
    else:
        found = ask(asker, "/api/search/fields", parameters)
    if as_json:
        print_json(found)
    elif field:
        rows = ((str(one["count"]), str(one["value"])) for one in found["values"])
        print_table(("spans", "value"), rows)
        if not found["values"]:
            fields = ask(asker, "/api/search/fields", parameters)["fields"]
            keys = (_key(one) for one in fields)
            like = ", ".join(one for one in keys if field in one)
            known = f"; there are {like}" if like else ""
            click.echo(f"No span of this time has {field}{known}.", err=True)
    else:
        print_table(
            ("spans", "key", "type"),
            (
                (
                    str(one["count"]),
                    _key(one),
                    one["type"],
                )
                for one in found["fields"]
            ),
        )
    return 0


def _key(field: dict[str, Any]) -> str:
    return ".".join(filter(None, (field["scope"], field["name"])))


def _print_tree(found: dict[str, Any]) -> None:
    spans = sorted(found["spans"], key=lambda span: span["startTime"])
    known = {span["spanID"] for span in spans}
    children: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        parents = [
            one["spanID"]
            for one in span["references"]
            if one["refType"] == "CHILD_OF" and one["spanID"] in known
        ]
        children.setdefault(parents[0] if parents else "", []).append(span)
    begin = spans[0]["startTime"]
    waiting = [(span, 0) for span in reversed(children.get("", []))]
    printed = 0
    while waiting and printed < _LINES_MAX:
        span, depth = waiting.pop()
        printed += 1
        failed = any(tag["key"] == "error" and tag["value"] is True for tag in span["tags"])
        service = found["processes"][span["processID"]]["serviceName"]
        line = (
            f"{millis((span['startTime'] - begin) * 1e3):>8}  {millis(span['duration'] * 1e3):>8}  "
            f"{'  ' * depth}{service} {span['operationName']}"
        )
        if failed:
            line += "  error"
            line = click.style(line, fg="red") if sys.stdout.isatty() else line
        click.echo(line)
        below = children.get(span["spanID"], []) if span["spanID"] else []
        waiting += [(one, depth + 1) for one in reversed(below) if one is not span]
    if printed < len(spans):
        click.echo(f"{len(spans) - printed} more spans are not shown.", err=True)


def _time(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
