"""Commands that ask a running Lymer where the time goes, what is different, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import click

from lymer.cli.asking import (
    ask,
    asking_options,
    millis,
    part,
    print_json,
    print_table,
    range_options,
    time_range,
)

__all__ = ["diff", "explain", "profile", "root_cause"]

_API: Final = "/api/lymer/v1/diagnosis"
_SAYS: Final = {
    "slow": "takes longer by itself",
    "error": "fails by itself",
    "calls": "calls {calls} more often",
    "network": "is slow to reach, or to reach from",
    "queue": "takes its messages later",
}


@click.command("root-cause", epilog="Example: lymer root-cause --since 30m")
@click.option("--window-start", type=int, metavar="MICROSECONDS", help="When it began, if known.")
@click.option("--window-end", type=int, metavar="MICROSECONDS", help="When it ended, if known.")
@range_options
@asking_options
def root_cause(
    *,
    since: float,
    end: int | None,
    window_start: int | None,
    window_end: int | None,
    url: str,
    tenant: str | None,
    as_json: bool,
) -> int:
    """Rank where an anomaly began, with the evidence and with what a plain rule would say.

    Without a window it is found. The exit code is 0 also where nothing is found.
    """
    parameters = time_range(since, end)
    if (window_start is None) != (window_end is None):
        raise click.UsageError("--window-start and --window-end come together")
    if window_start is not None and window_end is not None:
        parameters |= {"windowStart": str(window_start), "windowEnd": str(window_end)}
    found = ask(url, f"{_API}/root-cause", parameters, tenant)
    if as_json:
        print_json(found)
        return 0
    _print_sample(found["sample"])
    if not found["candidates"]:
        click.echo("Nothing happened more often at some time than at others.")
        return 0
    click.echo(f"From {_time(found['start_unix_nano'])} to {_time(found['end_unix_nano'])}:")
    for number, one in enumerate(found["candidates"][:5], 1):
        _print_candidate(number, one)
    rule = ", ".join(f"{one['service']} {one['operation']}" for one in found["byRule"][:3])
    click.echo(f"A plain rule (new errors, then growth of self time) says: {rule}")
    return 0


@click.command("explain", epilog="Example: lymer explain '{ duration > 200ms }'")
@click.argument("question", default="")
@click.option("--slowest", metavar="PART", help="Of the matching spans the slowest, such as 5%.")
@click.option("--errors", is_flag=True, help="Of the matching spans those that failed.")
@click.option("--baseline", metavar="QUESTION", help="What they are compared with.")
@range_options
@asking_options
def explain(
    *,
    question: str,
    since: float,
    end: int | None,
    url: str,
    tenant: str | None,
    as_json: bool,
    **narrowed: Any,
) -> int:
    """Say what is different about the spans that match QUESTION, in the search language.

    A question that only names a place, or none, asks what went wrong there lately.
    """
    parameters = {**time_range(since, end), "q": question}
    if narrowed["slowest"]:
        parameters["slowest"] = narrowed["slowest"]
    if narrowed["errors"]:
        parameters["errors"] = "true"
    if narrowed["baseline"]:
        parameters["baseline"] = narrowed["baseline"]
    found = ask(url, f"{_API}/explain", parameters, tenant)
    if as_json:
        print_json(found)
        return 0
    _print_sample(found["sample"])
    click.echo(f"{found['selected']} spans against {found['baseline']}: {found['how']}.")
    if not found["findings"]:
        click.echo("Nothing is different.")
        return 0
    print_table(
        ("effect", "of them", "of others", "scope", "key", "value", "and with it"),
        (
            (
                f"{one['effect']:+.0%}",
                part(one["inSelection"]),
                part(one["inBaseline"]),
                one["scope"],
                one["key"],
                one["value"],
                ", ".join(f"{other['key']}={other['value']}" for other in one["along"][:3]),
            )
            for one in found["findings"][:20]
        ),
    )
    return 0


@click.command("profile", epilog="Example: lymer profile '{ rootName = \"GET /cart\" }'")
@click.argument("question", default="")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True)
@range_options
@asking_options
def profile(
    *,
    question: str,
    top: int,
    since: float,
    end: int | None,
    url: str,
    tenant: str | None,
    as_json: bool,
) -> int:
    """Show which operations the time of traces goes to: by themselves, and while others wait."""
    found = ask(url, f"{_API}/profile", {**time_range(since, end), "q": question}, tenant)
    if as_json:
        print_json(found)
        return 0
    _print_sample(found["sample"])
    whole = sum(one["selfNano"] for one in found["operations"]) or 1
    path = sum(one["criticalNano"] for one in found["operations"]) or 1
    print_table(
        ("self", "critical", "calls/trace", "calls/s", "errors", "p50", "p95", "p99", "operation"),
        (
            (
                part(one["selfNano"] / whole),
                part(one["criticalNano"] / path),
                f"{one['perTrace']:.3g}",
                f"{one['perSecond']:.3g}",
                part(one["errors"] / max(one["spans"], 1)),
                millis(one["p50Nano"]),
                millis(one["p95Nano"]),
                millis(one["p99Nano"]),
                f"{one['service']} {one['operation']}",
            )
            for one in found["operations"][:top]
        ),
    )
    return 0


@click.command(
    "diff", epilog="Example: lymer diff 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7"
)
@click.argument("one")
@click.argument("other")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True)
@asking_options
def diff(*, one: str, other: str, top: int, url: str, tenant: str | None, as_json: bool) -> int:
    """Compare traces ONE and OTHER by the paths of their calls; ids joined by commas are sets."""
    parameters = [("one", each) for each in one.split(",")]
    parameters += [("other", each) for each in other.split(",")]
    found = ask(url, f"{_API}/difference", parameters, tenant)
    if as_json:
        print_json(found)
        return 0
    click.echo(found["sentence"])
    print_table(
        ("self before", "after", "calls", "after", "path"),
        (
            (
                millis(each["selfNano"][0]),
                millis(each["selfNano"][1]),
                f"{each['calls'][0]:.3g}",
                f"{each['calls'][1]:.3g}",
                " > ".join(f"{service} {name}" for service, name in each["path"][-3:]),
            )
            for each in found["paths"][:top]
        ),
    )
    return 0


def _print_candidate(number: int, one: dict[str, Any]) -> None:
    evidence = one["evidence"]
    says = _SAYS.get(evidence["what"], evidence["what"]).format(calls=evidence["calls"])
    where = f"{one['service']} {one['operation'] or '(all operations)'}"
    if evidence["key"]:
        where += f" on {evidence['key']}={evidence['value']}"
    click.echo(f"{number}. {where} {says} (score {one['score']:.0f})")
    now = evidence["events"] / max(evidence["chances"], 1)
    click.echo(
        f"   {part(now)} of {evidence['chances']} instead of {part(evidence['usual'])} before"
    )
    for each in evidence["attributes"][:3]:
        click.echo(
            f"   {each['key']}={each['value']} has {part(each['inSelection'])} of it and "
            f"{part(each['inBaseline'])} of the calls"
        )
    if evidence["spreadThrough"]:
        path = " < ".join(f"{a['service']} {a['operation']}" for a in evidence["spreadThrough"][:4])
        click.echo(f"   who waits for it: {path}")
    if evidence["traceIds"]:
        click.echo(f"   for example trace {evidence['traceIds'][0]}")


def _print_sample(sample: dict[str, int]) -> None:
    if sample["spans"] < sample["ofSpans"]:
        click.echo(
            f"Looked at {sample['traces']} of about {sample['ofTraces']} traces "
            f"({sample['spans']} of {sample['ofSpans']} spans)."
        )
    else:
        click.echo(f"Looked at {sample['traces']} traces ({sample['spans']} spans).")


def _time(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
