"""`lymer delete`: traces out of a running Lymer, for good."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson

from lymer import ports
from lymer.cli.asking import HttpAsker
from lymer.cli.options import read_named
from lymer.cli.printing import print_json, print_table
from lymer.clock import unix_nano
from lymer.errors import StartupError

__all__ = ["delete"]

_DEFAULT_URL: Final = f"http://localhost:{ports.ADMIN_HTTP}"
_TRACES: Final = "/api/lymer/v1/traces"
_TIMEOUT_SECONDS: Final = 3_600.0


@click.command("delete", epilog="Example: lymer delete '{ .enduser.id = \"4711\" }' --dry-run")
@click.argument("question", default="")
@click.option("--trace-id", "trace_ids", multiple=True, metavar="ID", help="Delete this trace.")
@click.option("--start", metavar="TIME", help="Only traces from then on. Default: all.")
@click.option("--end", metavar="TIME", help="Only traces until then. Default: now.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--log", "shows_log", is_flag=True, help="Print what was deleted so far, by whom.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File with a token to send.")
@click.option("--user", help="User name to send; the password is asked for.")
@click.option(
    "--password-file", type=click.Path(path_type=Path), help="File with the password of --user."
)
@click.option("--tenant", metavar="NAME", help="Whose traces (header x-tenant).")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option(
    "--url",
    default=_DEFAULT_URL,
    show_default=True,
    envvar="LYMER_ADMIN_URL",
    help="Address of the admin port.",
)
def delete(  # noqa: PLR0913 - its options
    *,
    question: str,
    trace_ids: tuple[str, ...],
    start: str | None,
    end: str | None,
    dry_run: bool,
    yes: bool,
    shows_log: bool,
    token_file: Path | None,
    user: str | None,
    password_file: Path | None,
    tenant: str | None,
    as_json: bool,
    url: str,
) -> int:
    """Delete the traces that QUESTION finds, or those named, from every table and every sum.

    Whole traces are deleted, with their copies in the archive. It is recorded who asked for what.
    """
    asker = HttpAsker(url, tenant)
    asker.headers |= _authorization(token_file, user, password_file)
    if shows_log:
        return _print_log(asker, as_json=as_json)
    if bool(question.strip()) == bool(trace_ids):
        raise click.UsageError("say what: either a QUESTION or --trace-id")
    # One end for both: what comes between counting and deleting is not deleted unseen.
    parameters = [("traceID", one) for one in trace_ids]
    if question.strip():
        parameters = [("q", question), ("end", end or str(unix_nano()))]
        parameters += [("start", start)] if start else []

    def send(*, is_dry: bool) -> Any:
        asked = [*parameters, ("dryRun", str(is_dry).lower())]
        return _ask(asker, _TRACES, asked, method="DELETE")

    if not dry_run and not yes:
        would = send(is_dry=True)
        if not would["traces"]:
            click.echo("No trace is to be deleted.")
            return 0
        click.confirm(f"Delete {_counted(would)}, for good?", abort=True, err=True)
    found = send(is_dry=dry_run)
    if as_json:
        print_json(found)
        return 0
    click.echo(f"{'Would delete' if dry_run else 'Deleted'} {_counted(found)}.")
    if not found["complete"]:
        click.echo(f"There may be more ({found['reason']}): run it again.")
    return 0


def _counted(found: Any) -> str:
    archived = found["archivedSpans"]
    copies = f" and {archived} in the archive" if archived else ""
    return f"{found['traces']} traces with {found['spans']} spans{copies}"


def _ask(
    asker: HttpAsker, path: str, parameters: Sequence[tuple[str, str]] = (), method: str = "GET"
) -> Any:
    request = asker.request(path, parameters)
    request.method = method
    with asker.open(request, _TIMEOUT_SECONDS) as answer:
        try:
            return orjson.loads(answer.read())
        except (orjson.JSONDecodeError, OSError) as error:
            raise StartupError(f"cannot read what {asker.name} answers: {error}") from error


def _print_log(asker: HttpAsker, *, as_json: bool) -> int:
    found = _ask(asker, "/api/lymer/v1/deletions")["deletions"]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("Nothing was deleted so far.")
    else:
        print_table(
            ("time", "who", "traces", "spans", "archived", "question"),
            (
                (
                    one["time"][:19],
                    one["who"],
                    str(one["traces"]),
                    str(one["spans"]),
                    str(one["archivedSpans"]),
                    one["question"],
                )
                for one in found
            ),
        )
    return 0


def _authorization(
    token_file: Path | None, user: str | None, password_file: Path | None
) -> dict[str, str]:
    if token_file is not None and user is not None:
        raise click.UsageError("--token-file and --user exclude each other")
    if token_file is not None:
        return {"authorization": f"Bearer {_first_line(token_file)}"}
    if user is None:
        return {}
    if password_file is not None:
        password = _first_line(password_file)
    else:
        password = click.prompt("Password", hide_input=True, err=True)
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def _first_line(file: Path) -> str:
    try:
        text = read_named(file).decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise StartupError(f"cannot read {file}: {error}") from error
    return text.splitlines()[0] if text else ""
