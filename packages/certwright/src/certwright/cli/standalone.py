"""`certwright standalone`, `quickstart`, `status`: certificates in a folder, no cluster."""

from __future__ import annotations

import asyncio
import logging
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from certwright.cli.acme_options import check_options as acme_check_options
from certwright.cli.acme_options import renewal_option
from certwright.cli.options import (
    Gates,
    GoDuration,
    gates_help,
    logging_options,
    start_logging,
)
from certwright.errors import StartupError
from certwright.resources.features import FeatureGates

__all__ = ["acme_options", "acme_settings", "quickstart", "standalone", "status"]


def acme_options(command: Any) -> Any:
    """Add the flags of ACME."""
    command = acme_check_options(command)
    command = click.option(
        "--http01-check-port",
        type=int,
        default=80,
        hidden=True,
        help="Where the self-check of HTTP-01 goes; CAs always ask port 80.",
    )(command)
    command = click.option(
        "--http01-command",
        default="",
        help="Answer HTTP-01 by this command, which is told by CERTWRIGHT_ACTION (present, cleanup)"
        ", _DOMAIN, _TOKEN and _KEY.",
    )(command)
    command = click.option(
        "--http01-webroot",
        type=click.Path(path_type=Path, file_okay=False),
        help="Answer HTTP-01 by files in this folder, which a web server shows on port 80.",
    )(command)
    return click.option(
        "--http01-listen",
        default="",
        metavar="HOST:PORT",
        help="Answer HTTP-01 here, while there is something to prove; such as 0.0.0.0:80 or "
        "[::]:80.",
    )(command)


_FOLDER: Final = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.command("standalone", short_help="Keep the certificates of a folder renewed.")
@_FOLDER
@click.option("--once", is_flag=True, help="Do what is due now and stop; for cron.")
@click.option(
    "--timeout", type=GoDuration(), default="2m", show_default=True, help="Longest time of --once."
)
@click.option("--reload-command", default="", help="Run by /bin/sh after files have changed.")
@click.option(
    "--reload-interval",
    type=GoDuration(),
    default="10s",
    show_default=True,
    help="Shortest time between two runs.",
)
@click.option(
    "--reload-timeout",
    type=GoDuration(),
    default="1m",
    show_default=True,
    help="Longest time of one run.",
)
@acme_options
@click.option("--group", default="", help="This group may read keys too (0640), but no CA's.")
@click.option(
    "--group-secret",
    "group_secrets",
    multiple=True,
    metavar="NAME",
    help="The group may read this Secret too, although it is a CA's; may be repeated.",
)
@click.option("--feature-gates", "gates", type=Gates(), default="", help=gates_help())
@click.option(
    "--delete-secrets",
    is_flag=True,
    help="Remove key and certificate with their Certificate; otherwise they stay.",
)
@click.option(
    "--trust-default-ca-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="PEM file: the source useDefaultCAs of Bundles.  [default: the system's]",
)
@renewal_option
@logging_options
def standalone(folder: Path, verbosity: int, logging_format: str, **given: Any) -> int:
    """Keep the certificates of a folder: DIR/*.yaml says what you want, DIR/secrets has it.

    Edits are picked up while it runs. One process works on a folder at a time.
    """
    from certwright.roles.standalone.service import run_once, serve

    start_logging(verbosity, logging_format)
    settings = _settings(folder, given)
    if not given["once"]:
        from certwright.roles.standalone.signals import until_stopped

        asyncio.run(until_stopped(serve(settings)))
        return 0
    problems = asyncio.run(run_once(settings))
    for problem in problems:
        click.echo(f"certwright: {problem}", err=True)
    return 1 if problems else 0


@click.command("quickstart", short_help="Make a CA and a certificate in a folder, in one go.")
@click.argument("hosts", metavar="HOST...", nargs=-1)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("certificates"),
    show_default=True,
    help="Where; made if it is not there.",
)
@click.option(
    "--acme",
    default="",
    metavar="CA",
    help="Get the certificate from this CA instead of one of your own: letsencrypt, "
    "letsencrypt-staging, or the URL of its directory. Its terms of service are agreed to.",
)
@click.option("--email", default="", help="Whom the CA may write to.")
@click.option(
    "--acme-ca-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="PEM file of whose certificates count for the CA's own server.",
)
@click.option("--timeout", type=GoDuration(), default="2m", show_default=True, help="Longest time.")
@acme_options
def quickstart(hosts: tuple[str, ...], folder: Path, acme: str, **given: Any) -> int:
    """Make a CA of your own and a certificate by it for HOST... (localhost if none is named).

    With --acme the certificate is a public one, for names that lead to this machine. They are
    proven over HTTP on port 80, unless --http01-webroot or --http01-command say how.
    """
    from certwright.roles.standalone.first_steps import take_first_steps

    start_logging(0, "text")
    logging.getLogger("certwright").setLevel(logging.ERROR)  # what went wrong is on the page
    if acme:
        result = asyncio.run(_acme_steps(hosts, folder, acme, given))
    else:
        result = asyncio.run(take_first_steps(folder, hosts or ("localhost", "127.0.0.1", "::1")))
    click.echo(result.text, nl=False)
    return 0 if result.is_good else 1


def _acme_steps(hosts: tuple[str, ...], folder: Path, acme: str, given: dict[str, Any]) -> Any:
    """Return the work of a quickstart with a CA on the network."""
    from certwright.roles.standalone.first_steps import take_acme_steps
    from certwright.roles.standalone.layout import Layout
    from certwright.roles.standalone.samples import Acme
    from certwright.roles.standalone.service import StandaloneSettings, folder_options

    if not (given["http01_listen"] or given["http01_webroot"] or given["http01_command"]):
        given["http01_listen"] = "0.0.0.0:80"
    found = acme_settings(given)
    layout = Layout(folder)
    bundle = given["acme_ca_file"]
    settings = StandaloneSettings(
        layout,
        folder_options(FeatureGates(), acme=found["options"]),
        answers=found["answers"],
        once_seconds_max=given["timeout"],
    )
    wish = Acme(acme, given["email"], b"" if bundle is None else bundle.read_bytes())
    serve = f"certwright standalone {shlex.quote(str(folder))} {_way_to_answer(given)}"
    return take_acme_steps(layout, hosts, wish, settings, serve)


def _way_to_answer(given: dict[str, Any]) -> str:
    for name in ("http01_listen", "http01_webroot", "http01_command"):
        if given[name]:
            return f"--{name.replace('_', '-')} {shlex.quote(str(given[name]))}"
    return ""


@click.command("status", short_help="Show what a folder has, and what is due when.")
@_FOLDER
def status(folder: Path) -> None:
    """Show what a folder has, and what is due when. Exit code 1 if something is wrong."""
    from certwright import clock
    from certwright.roles.standalone.layout import Layout
    from certwright.roles.standalone.status_page import status_page

    page = status_page(Layout(folder), clock.now())
    click.echo(page.text, nl=False)
    sys.exit(0 if page.is_good else 1)


def acme_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return what the flags of ACME say: settings, and how HTTP-01 challenges are answered."""
    from certwright.reconcile.options import AcmeOptions

    ways = list(_ways_to_answer(given))
    if len(ways) > 1:
        raise StartupError(
            "give only one of --http01-listen, --http01-webroot and --http01-command"
        )
    options = AcmeOptions(
        http01_nameservers=_joined(given["acme_http01_solver_nameservers"]),
        http01_port=given["http01_check_port"],
        dns01_nameservers=_joined(given["dns01_recursive_nameservers"]),
        dns01_recursive_only=given["dns01_recursive_nameservers_only"],
        dns01_wait_seconds=given["dns01_propagation_wait"],
        check_seconds=given["dns01_check_retry_period"],
        self_check=given["acme_self_check"],
    )
    return {"options": options, "answers": ways[0] if ways else None}


def _ways_to_answer(given: dict[str, Any]) -> Iterator[Any]:
    """Yield how HTTP-01 is answered; a web server is imported for those who do."""
    if given["http01_listen"]:
        from certwright.adapters.acme.http01 import ListenerAnswers
        from certwright.roles.controller_options import address_of

        yield ListenerAnswers(*address_of(given["http01_listen"], "http01-listen"))
    if given["http01_webroot"] is not None:
        from certwright.adapters.acme.http01 import WebrootAnswers

        yield WebrootAnswers(given["http01_webroot"])
    if given["http01_command"]:
        from certwright.adapters.acme.http01 import CommandAnswers

        yield CommandAnswers(given["http01_command"])


def _joined(parts: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(text for part in parts for text in part)


def _settings(folder: Path, given: dict[str, Any]) -> Any:
    from certwright.roles.standalone.layout import Layout
    from certwright.roles.standalone.publisher import Readers
    from certwright.roles.standalone.reload import ReloadSettings
    from certwright.roles.standalone.service import StandaloneSettings, folder_options

    acme = acme_settings(given)
    return StandaloneSettings(
        layout=Layout(folder),
        options=folder_options(
            given["gates"],
            delete_secrets=given["delete_secrets"],
            acme=acme["options"],
            renewal_spread=given["renewal_spread"],
            default_ca_pem=_default_ca(given["trust_default_ca_file"]),
        ),
        answers=acme["answers"],
        readers=Readers(_group_id(given["group"]), frozenset(given["group_secrets"])),
        reload=ReloadSettings(
            given["reload_command"],
            interval_seconds=given["reload_interval"],
            timeout_seconds=given["reload_timeout"],
        ),
        once_seconds_max=given["timeout"],
    )


def _default_ca(path: Path | None) -> bytes:
    """Return what the system trusts, or this file."""
    import ssl

    system = ssl.get_default_verify_paths().cafile
    found = path or (Path(system) if system else None)
    try:
        return b"" if found is None else found.read_bytes()
    except OSError as error:
        raise StartupError(f"cannot read {found}: {error.strerror}") from error


def _group_id(name: str) -> int | None:
    if not name:
        return None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StartupError(f'there is no group "{name}" on this machine') from None
