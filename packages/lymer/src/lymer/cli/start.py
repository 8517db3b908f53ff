"""Commands that start a role."""

from __future__ import annotations

import importlib
import importlib.util
import os
import resource
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NoReturn, cast

import click

from lymer.cli.options import configuration_options, to_overrides
from lymer.errors import StartupError

_OPEN_FILES: Final = 65_536
"""Descriptors: connections, segments of tenants, parts of the store."""
_OPEN_FILES_MIN: Final = 128
_OPEN: Final = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Jaeger's flags are looked up in a table of their own; the rest is refused there."""

__all__ = ["agent", "all_in_one", "collector", "ingester", "query"]


@click.command("all-in-one", context_settings=_OPEN)
@configuration_options
@click.pass_context
def all_in_one(
    ctx: click.Context, /, assignments: tuple[str, ...], file: Path | None, **named: str | None
) -> int:
    """Receive, store and show traces in one process.

    Needs no configuration: data goes to a folder of yours and survives restarts, nothing is
    reachable from other machines. Ctrl-C stops it cleanly.
    """
    return _start(ctx, "all-in-one", file, assignments, named, has_engine=True)


@click.command("collector", context_settings=_OPEN)
@configuration_options
@click.pass_context
def collector(
    ctx: click.Context, /, assignments: tuple[str, ...], file: Path | None, **named: str | None
) -> int:
    """Receive and store traces; `lymer query` shows them.

    Listens for OTLP, Jaeger's and Zipkin's protocols, and on the storage API for `lymer query`.
    """
    return _start(ctx, "collector", file, assignments, named, has_engine=True)


@click.command("ingester", context_settings=_OPEN)
@configuration_options
@click.pass_context
def ingester(
    ctx: click.Context, /, assignments: tuple[str, ...], file: Path | None, **named: str | None
) -> int:
    """Store what collectors put into a topic of Kafka, each span once.

    --set kafka.brokers=BROKER:9092 says where it is. Jaeger's flags for its ingester work too.
    """
    return _start(ctx, "ingester", file, assignments, named, has_engine=True)


@click.command("query", context_settings=_OPEN)
@configuration_options
@click.pass_context
def query(
    ctx: click.Context, /, assignments: tuple[str, ...], file: Path | None, **named: str | None
) -> int:
    """Show the traces that a collector stores.

    Has no store of its own: --set remote_storage.target=COLLECTOR:17271 says whose it reads.
    """
    return _start(ctx, "query", file, assignments, named, has_engine=False)


@click.command("agent", context_settings=_OPEN)
@configuration_options
@click.pass_context
def agent(
    ctx: click.Context, /, assignments: tuple[str, ...], file: Path | None, **named: str | None
) -> int:
    """Take spans beside the applications and send them to collectors.

    What a collector cannot take now is kept on disk, within a limit, and sent later, once:
    --set agent.targets=COLLECTOR:4317 says where to. Jaeger's own flags for its agent work too.
    """
    return _start(ctx, "agent", file, assignments, named, has_engine=False)


def _start(
    ctx: click.Context,
    role: str,
    file: Path | None,
    assignments: tuple[str, ...],
    named: Mapping[str, str | None],
    *,
    has_engine: bool,
) -> int:
    """Read the configuration as `role` reads it, and run."""
    from lymer.config.jaeger_flags import split_flags
    from lymer.config.sources import load_effective

    flags, rest = split_flags(role, ctx.args)
    if rest:
        _refuse(ctx, role, rest[0])
    effective = load_effective(
        file, os.environ, to_overrides(assignments, **named), role=role, jaeger_flags=flags
    )
    for remark in effective.remarks:
        click.echo(f"lymer: {remark}", err=True)
    config = effective.config
    _allow_open_files()
    if has_engine and not (role == "collector" and config.kafka.enabled):
        _check_engine(is_embedded=not config.storage.clickhouse_url)

    from lymer.telemetry.logs import configure_logs

    # gRPC writes to standard error by itself, in no form of ours; strangers can make it.
    verbosity = "INFO" if config.logs.level == "debug" else "ERROR"
    os.environ.setdefault("GRPC_VERBOSITY", verbosity)
    run = importlib.import_module(f"lymer.roles.{role.replace('-', '_')}").run
    configure_logs(config.logs.level, config.logs.encoding)
    return cast("int", run(config))


def _refuse(ctx: click.Context, role: str, argument: str) -> NoReturn:
    """Say that nobody knows an argument, and which is near."""
    from lymer.config.jaeger_flags import known_flags

    if not argument.startswith("-"):
        raise click.UsageError(f"Got unexpected extra argument ({argument})", ctx)
    name = argument.partition("=")[0]
    options = [opt for one in ctx.command.params for opt in one.opts if opt.startswith("--")]
    near = get_close_matches(name, [*options, *known_flags(role)])
    raise click.NoSuchOption(name, possibilities=near, ctx=ctx)


def _allow_open_files() -> None:
    """Take as many descriptors as the system lets us; refuse to start with too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = _OPEN_FILES if hard == unlimited else min(hard, _OPEN_FILES)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != unlimited and soft < _OPEN_FILES_MIN:
        raise StartupError(
            f"cannot start: this process may have {soft} files open, {_OPEN_FILES_MIN} are needed "
            f"and {_OPEN_FILES} are good; raise that (ulimit -n)"
        )


def _check_engine(*, is_embedded: bool) -> None:
    """Refuse to start without an engine, before an import says it worse."""
    if is_embedded and importlib.util.find_spec("chdb") is None:
        raise StartupError(
            "the storage engine (Python package chdb-core) is not installed: it exists for Linux "
            "with glibc and for macOS, not for Windows or musl (Alpine); use one of those, WSL or "
            "a Debian-based container"
        )
