"""Commands that ask a running Lymer where the time goes, what is different, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click

from lymer.cli.asking import Asker, ask, ask_refined, asked_range, asking_options, range_options
from lymer.cli.printing import millis, part, print_json, print_table

__all__ = ["diff", "explain", "profile", "root_cause"]

_COSTS: Final = ("self", "critical", "calls/trace", "calls/s", "errors", "p50", "p95", "p99")
_SURE: Final = 16.0
"""Log likelihood ratio of what would be told alone."""
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
    since: float | None,
    end: int | None,
    window_start: int | None,
    window_end: int | None,
    asker: Asker,
    as_json: bool,
) -> int:
    """Rank where an anomaly began, with the evidence and with what a plain rule would say.

    Without a window it is found. The exit code is 0 also where nothing is found.
    """
    parameters = asked_range(since, end)
    if (window_start is None) != (window_end is None):
        raise click.UsageError("--window-start and --window-end come together")
    if window_start is not None and window_end is not None:
        parameters |= {"windowStart": str(window_start), "windowEnd": str(window_end)}
    found = ask(asker, f"{_API}/root-cause", parameters)
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
    since: float | None,
    end: int | None,
    asker: Asker,
    as_json: bool,
    **narrowed: Any,
) -> int:
    """Say what is different about the spans that match QUESTION, in the search language.

    A question that only names a place, or none, asks what went wrong there lately.
    """
    parameters = {**asked_range(since, end), "q": question}
    if narrowed["slowest"]:
        parameters["slowest"] = narrowed["slowest"]
    if narrowed["errors"]:
        parameters["errors"] = "true"
    if narrowed["baseline"]:
        parameters["baseline"] = narrowed["baseline"]
    _show_refined(asker, "explain", [*parameters.items()], _print_explanation, as_json=as_json)
    return 0


def _print_explanation(found: dict[str, Any]) -> None:
    _print_sample(found["sample"])
    click.echo(f"{found['selected']} spans against {found['baseline']}: {found['how']}.")
    if not found["findings"]:
        click.echo("Nothing is different.")
        return
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


@click.command("profile", epilog="Example: lymer profile '{ rootName = \"GET /cart\" }'")
@click.argument("question", default="")
@click.option(
    "--by",
    multiple=True,
    metavar="FIELD",
    help="Group by this instead of service and operation, such as resource.service.version; may "
    "be given several times.",
)
@click.option("--top", type=click.IntRange(1), default=20, show_default=True)
@range_options
@asking_options
def profile(
    *,
    question: str,
    by: tuple[str, ...],
    top: int,
    since: float | None,
    end: int | None,
    asker: Asker,
    as_json: bool,
) -> int:
    """Show which operations the time of traces goes to: by themselves, and while others wait."""
    parameters = [*asked_range(since, end).items(), ("q", question), *(("by", one) for one in by)]
    _show_refined(
        asker, "profile", parameters, lambda found: _print_profile(found, by, top), as_json=as_json
    )
    return 0


def _print_profile(found: dict[str, Any], by: tuple[str, ...], top: int) -> None:
    _print_sample(found["sample"])
    whole = sum(one["selfNano"] for one in found["operations"]) or 1
    path = sum(one["criticalNano"] for one in found["operations"]) or 1
    print_table(
        (*_COSTS, *(by or ("operation",))),
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
                *(_whose(one)),
            )
            for one in found["operations"][:top]
        ),
    )
    if (left := len(found["operations"]) + found["rowsLeftOut"] - top) > 0:
        click.echo(f"… and {left} more: --top {top + left}")


def _show_refined(
    asker: Asker,
    what: str,
    parameters: list[tuple[str, str]],
    show: Callable[[dict[str, Any]], None],
    *,
    as_json: bool,
) -> None:
    """Print an answer; on a terminal that of a small sample until the better one is there."""
    path = f"{_API}/{what}"
    if as_json:
        print_json(ask(asker, path, parameters))
        return
    if not sys.stdout.isatty():
        show(ask(asker, path, parameters))
        return
    for found in ask_refined(asker, path, parameters):
        click.clear()
        show(found)
        if not found.get("final", True):
            click.echo("(of a small sample; the rest is being looked at)")


def _whose(one: dict[str, Any]) -> list[str]:
    if "values" in one:
        return ["(none)" if value is None else value for value in one["values"]]
    return [f"{one['service']} {one['operation']}"]


@click.command(
    "diff", epilog="Example: lymer diff 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7"
)
@click.argument("one")
@click.argument("other")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True)
@asking_options
def diff(*, one: str, other: str, top: int, asker: Asker, as_json: bool) -> int:
    """Compare traces ONE and OTHER by the paths of their calls; ids joined by commas are sets."""
    parameters = [("one", each) for each in one.split(",")]
    parameters += [("other", each) for each in other.split(",")]
    found = ask(asker, f"{_API}/difference", parameters)
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
    perhaps = "" if evidence["likelihoodRatio"] >= _SURE else "perhaps "
    click.echo(f"{number}. {where} {perhaps}{says} (score {one['score']:.2g})")
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
