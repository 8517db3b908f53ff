"""`certwright ctl`: the commands of cmctl, by the same names and flags."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, Literal, ParamSpec

import click

from certwright import __version__, clock
from certwright.cli.options import Gates, GoDuration, gates_help
from certwright.errors import CertwrightError, InvalidError, NotFoundError
from certwright.resources.durations import format_duration
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CLUSTER_ISSUER, ISSUER
from certwright.roles.ctl.stores import Place, open_store

if TYPE_CHECKING:
    from certwright.roles.ctl.renewal import RenewalWish

__all__ = ["Target", "check", "connected", "ctl"]

P = ParamSpec("P")
_SECOND_NANO: Final = 1_000_000_000
_PROGRAM: Final = "certwright ctl"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a command works, with the namespace that was given or is the context's."""

    place: Place
    namespace: str
    namespace_given: bool


def connected(
    body: Callable[Concatenate[Target, P], Awaitable[int]],
) -> Callable[P, None]:
    """Add the options that say where, and turn what fails into cmctl's words and exit code."""

    @click.option("-n", "--namespace", default="", help="Namespace; that of the context if unset.")
    @click.option("--kubeconfig", default="", help="Path of the kubeconfig file.")
    @click.option("--context", default="", help="Name of the kubeconfig context.")
    @click.option("-s", "--server", default="", help="Address of the API server.")
    @click.option(
        "--dir",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help="Folder of `certwright standalone`, instead of a cluster.",
    )
    @functools.wraps(body)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        given: dict[str, Any] = dict(kwargs)
        namespace = str(given.pop("namespace"))
        place = Place(
            kubeconfig=given.pop("kubeconfig"),
            context=given.pop("context"),
            server=given.pop("server"),
            folder=given.pop("folder"),
        )
        try:
            target = Target(place, namespace or place.default_namespace(), bool(namespace))
            code = asyncio.run(_awaited(body(target, *args, **given)))
        except NotFoundError as error:
            click.echo(f"Error from server (NotFound): {error}", err=True)
            code = 1
        except CertwrightError as error:
            click.echo(f"error: {error}", err=True)
            code = 1
        if code:
            sys.exit(code)

    return command


async def _awaited(work: Awaitable[int]) -> int:
    return await work


async def _echo_lines(lines: AsyncIterator[str], *, err: bool = False) -> int:
    """Print lines as they come; return how many there were."""
    count = 0
    async for line in lines:
        click.echo(line, err=err)
        count += 1
    return count


def _one(names: tuple[str, ...], missing: str, many: str) -> str:
    if not names:
        raise InvalidError(missing)
    if len(names) > 1:
        raise InvalidError(many)
    return names[0]


@click.group(short_help="Ask and tell a cluster, or a folder, about certificates (as cmctl).")
def ctl() -> None:
    """Ask and tell a cluster, or a folder, about certificates (as cmctl)."""


# ------------------------------------------------------------------------------ status, inspect


@ctl.group(short_help="Get details on the current status of cert-manager resources.")
def status() -> None:
    """Get details on the current status of cert-manager resources."""


@status.command("certificate")
@click.argument("name", nargs=-1)
@connected
async def status_certificate(target: Target, name: tuple[str, ...]) -> int:
    """Get details about the status of a Certificate and all that belongs to it."""
    from certwright.roles.ctl.certificate_status import certificate_status

    wanted = _one(
        name,
        "the name of the Certificate has to be provided as argument",
        "only one argument can be passed in: the name of the Certificate",
    )
    async with open_store(target.place) as store:
        page = await certificate_status(store, target.namespace, wanted, clock.now())
    click.echo(page, nl=False)
    return 0


@ctl.command(short_help="Say in one line why a Certificate is not as it should be.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@connected
async def why(target: Target, names: tuple[str, ...]) -> int:
    """Say in one line why a Certificate is not as it should be; all that are not, if none is named.

    Follows the chain of objects to its end: issuer, request, order, challenge. Exit code 1 if
    something is wrong.
    """
    from certwright.resources.kinds import CERTIFICATE
    from certwright.roles.ctl.causes import cause_of, objects_of
    from certwright.roles.ctl.objects import not_found

    async with open_store(target.place) as store:
        objects = await objects_of(store, target.namespace)
    wanted = [CERTIFICATE.key(target.namespace, name) for name in names]
    for key in wanted:
        if key not in objects:
            raise not_found(key)
    code = 0
    for key in wanted or [key for key in objects if key.kind == CERTIFICATE]:
        cause = cause_of(objects[key], objects, clock.now())
        if cause or names:
            click.echo(f"{key.name}: {cause or 'nothing is wrong'}")
        code = 1 if cause else code
    return code


@ctl.group(short_help="Get details on certificate related resources.")
def inspect() -> None:
    """Get details on certificate related resources, e.g. secrets."""


@inspect.command("secret")
@click.argument("name", nargs=-1)
@connected
async def inspect_secret_command(target: Target, name: tuple[str, ...]) -> int:
    """Get details about a kubernetes.io/tls typed secret."""
    from certwright.roles.ctl.internet import INTERNET
    from certwright.roles.ctl.secret_inspection import inspect_secret

    wanted = _one(
        name,
        "the name of the Secret has to be provided as argument",
        "only one argument can be passed in: the name of the Secret",
    )
    async with open_store(target.place) as store:
        page = await inspect_secret(store, target.namespace, wanted, INTERNET, clock.now())
    click.echo(page)
    return 0


# ------------------------------------------------------------------------------ renew


def _choosing(body: Callable[[Target, RenewalWish], Awaitable[int]]) -> Callable[..., None]:
    """Add the options that say which Certificates are meant."""

    async def command(target: Target, **chosen: Any) -> int:
        from certwright.roles.ctl.renewal import RenewalWish

        wish = RenewalWish(target.namespace, **chosen)
        wish.check(namespace_given=target.namespace_given)
        return await body(target, wish)

    command.__doc__ = body.__doc__
    made: Callable[..., None] = connected(command)
    for add in (
        click.option(
            "--all", "all_of_them", is_flag=True, help="All Certificates of the namespace."
        ),
        click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces."),
        click.option("-l", "--selector", default="", help="Labels to choose by, such as a=b,c!=d."),
        click.argument("names", nargs=-1),
    ):
        made = add(made)
    return made


@ctl.command("renew", short_help="Mark a Certificate for manual renewal.")
@_choosing
async def renew_command(target: Target, wish: RenewalWish) -> int:
    """Mark cert-manager Certificate resources for manual renewal."""
    from certwright.roles.ctl.renewal import renew

    async with open_store(target.place) as store:
        count = await _echo_lines(renew(store, wish, clock.now()))
    if not count:
        where = "" if wish.all_namespaces else f" in {target.namespace} namespace."
        click.echo(f"No Certificates found{where}", err=True)
    return 0


@ctl.command("retry", short_help="End the wait of a Certificate after failures.")
@_choosing
async def retry_command(target: Target, wish: RenewalWish) -> int:
    """Forget failures: what waits 1, 2, 4 ... 32 hours is tried now, and the waits start anew."""
    from certwright.roles.ctl.renewal import retry

    async with open_store(target.place) as store:
        if not await _echo_lines(retry(store, wish)):
            click.echo("No Certificates found", err=True)
    return 0


# ------------------------------------------------------------------------------ acme


@ctl.group("acme", short_help="Work on accounts at ACME servers.")
def acme() -> None:
    """Work on accounts at ACME servers."""


@acme.command("rollover", short_help="Give an ACME account another key.")
@click.argument("name")
@click.option("--cluster", is_flag=True, help="It is a ClusterIssuer.")
@connected
async def acme_rollover(
    target: Target,
    name: str,
    cluster: bool,  # noqa: FBT001 - click calls it
) -> int:
    """Give the account of the issuer NAME another key; the account and its orders stay."""
    from certwright.roles.ctl.rollover import ask_for_rollover

    kind = CLUSTER_ISSUER if cluster else ISSUER
    async with open_store(target.place) as store:
        click.echo(await ask_for_rollover(store, kind.key(target.namespace, name), clock.now()))
    return 0


# ------------------------------------------------------------------------------ approve, deny


def _decision(verb: str, verdict: Literal["Approved", "Denied"], effect: str) -> click.Command:
    done = verdict.lower()

    @ctl.command(verb, short_help=f"{verb.capitalize()} a CertificateRequest.", help=effect)
    @click.argument("name", nargs=-1)
    @click.option("--reason", default="KubectlCertManager", show_default=True)
    @click.option("--message", default=f'manually {done} by "{_PROGRAM}"', show_default=True)
    @connected
    async def command(target: Target, name: tuple[str, ...], reason: str, message: str) -> int:
        from certwright.roles.ctl.approval import decide

        wanted = _one(
            name,
            f"the name of the CertificateRequest to {verb} has to be provided as an argument",
            "only one argument can be passed: the name of the CertificateRequest",
        )
        if not reason:
            raise InvalidError(f"a reason must be given as to who {done} this CertificateRequest")
        if not message:
            raise InvalidError(
                f"a message must be given as to why this CertificateRequest is {done}"
            )
        async with open_store(target.place) as store:
            said = await decide(
                store,
                target.namespace,
                wanted,
                verdict,
                reason=reason,
                message=message,
                now=clock.now(),
            )
        click.echo(said)
        return 0

    assert isinstance(command, click.Command)
    return command


approve = _decision(
    "approve",
    "Approved",
    "Mark a CertificateRequest as Approved, so it may be signed by a configured Issuer.",
)
deny = _decision(
    "deny",
    "Denied",
    "Mark a CertificateRequest as Denied, so it may never be signed by a configured Issuer.",
)


# ------------------------------------------------------------------------------ check


@ctl.group(short_help="Check cert-manager components.")
def check() -> None:
    """Check cert-manager components."""


@check.command("api")
@click.option("--wait", "wait_seconds", type=GoDuration(), default="0s", help="How long to try.")
@click.option("--interval", type=GoDuration(), default="5s", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Print detailed error messages.")
@connected
async def check_api(
    target: Target,
    wait_seconds: float,
    interval: float,
    verbose: bool,  # noqa: FBT001 - click calls it
) -> int:
    """Check if the cert-manager API is ready: create a Certificate without keeping it."""
    from certwright.roles.ctl.api_check import api_problem

    deadline = clock.monotonic_seconds() + wait_seconds
    async with open_store(target.place) as store:
        while problem := await api_problem(store, target.namespace, verbose=verbose):
            click.echo(f"Not ready: {problem}", err=True)
            rest = deadline - clock.monotonic_seconds()
            if rest <= 0:
                if wait_seconds > 0:
                    waited = format_duration(round(wait_seconds * _SECOND_NANO))
                    click.echo(f"Timed out after {waited}")
                return 1
            await asyncio.sleep(min(interval, rest))
    click.echo("The cert-manager API is ready")
    return 0


# ------------------------------------------------------------------------------ create


@ctl.group(short_help="Create cert-manager resources.")
def create() -> None:
    """Create cert-manager resources."""


@create.command("certificaterequest")
@click.argument("name", nargs=-1)
@click.option(
    "--from-certificate-file", "certificate_file", type=click.Path(path_type=Path), default=None
)
@click.option("--output-key-file", "key_file", type=click.Path(path_type=Path), default=None)
@click.option(
    "--output-certificate-file", "output_file", type=click.Path(path_type=Path), default=None
)
@click.option("--fetch-certificate", "fetch", is_flag=True, help="Wait until it is signed.")
@click.option("--timeout", "timeout_seconds", type=GoDuration(), default="5m", show_default=True)
@click.option("--feature-gates", "gates", type=Gates(), default="", help=gates_help())
@connected
async def create_certificaterequest(
    target: Target,
    name: tuple[str, ...],
    certificate_file: Path | None,
    key_file: Path | None,
    output_file: Path | None,
    fetch: bool,  # noqa: FBT001 - click calls it
    timeout_seconds: float,
    gates: FeatureGates,
) -> int:
    """Create a CertificateRequest resource, using a Certificate resource as a template."""
    from certwright.roles.ctl.request_creation import RequestWish, create_request

    wanted = _one(
        name,
        "the name of the CertificateRequest to be created has to be provided as argument",
        "only one argument can be passed in: the name of the CertificateRequest",
    )
    if certificate_file is None:
        raise InvalidError(
            "the path to a YAML manifest of a Certificate resource cannot be empty, please specify "
            "by using --from-certificate-file flag"
        )
    wish = RequestWish(wanted, certificate_file, key_file, fetch, output_file, timeout_seconds)
    wish.check()
    async with open_store(target.place) as store:
        await _echo_lines(create_request(store, target.namespace, wish, gates), err=True)
    return 0


create.add_command(create_certificaterequest, "cr")


# ------------------------------------------------------------------------------ version, completion


@ctl.command("version", short_help="Print our version and that of what is installed.")
@click.option("--client", "client_only", is_flag=True, help="Do not ask the cluster.")
@click.option("--short", is_flag=True, help="Print just the version numbers.")
@click.option("-o", "--output", type=click.Choice(["", "yaml", "json"]), default="")
@connected
async def version(
    target: Target,
    client_only: bool,  # noqa: FBT001 - click calls it
    short: bool,  # noqa: FBT001 - click calls it
    output: str,
) -> int:
    """Print the version of this program, and the one that the CRDs in the cluster are of."""
    from certwright.roles.ctl.installed_version import installed_version

    ours = f"v{__version__}"
    found: dict[str, Any] = {"clientVersion": {"gitVersion": ours, "program": "certwright"}}
    if not client_only:
        async with open_store(target.place) as store:
            found["serverVersion"] = {"detected": await installed_version(store)}
    server = found.get("serverVersion", {}).get("detected")
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(found), nl=False)
    else:
        click.echo(f"Client Version: {ours if short else f'certwright {ours}'}")
        if server is not None:
            click.echo(f"Server Version: {server}")
    return 0


@ctl.command("completion", short_help="Generate completion scripts for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Generate a completion script, to be sourced: `source <(certwright ctl completion bash)`."""
    from click.shell_completion import get_completion_class

    from certwright.cli import root

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(root, {}, "certwright", "_CERTWRIGHT_COMPLETE").source())
