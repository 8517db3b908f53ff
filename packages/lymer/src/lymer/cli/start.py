"""Commands that start a role."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import click

from lymer.cli.options import configuration_options, to_overrides
from lymer.errors import StartupError

__all__ = ["all_in_one"]


@click.command("all-in-one")
@configuration_options
def all_in_one(
    file: Path | None,
    data_dir: str | None,
    retention: str | None,
    listen_host: str | None,
    log_level: str | None,
    assignments: tuple[str, ...],
) -> int:
    """Receive, store and show traces in one process.

    Needs no configuration: data goes to a folder of yours and survives restarts, nothing is
    reachable from other machines. Ctrl-C stops it cleanly.
    """
    from lymer.config import load_config

    overrides = to_overrides(
        assignments,
        data_dir=data_dir,
        retention=retention,
        listen_host=listen_host,
        log_level=log_level,
    )
    config = load_config(file, os.environ, overrides)
    _check_engine(config.storage.clickhouse_url)

    from lymer.roles.all_in_one import run
    from lymer.telemetry.logs import configure_logs

    configure_logs(config.logs.level, config.logs.encoding)
    return run(config)


def _check_engine(clickhouse_url: str) -> None:
    """Refuse to start without an engine, before an import says it worse."""
    if clickhouse_url:
        raise StartupError(
            f"cannot store in {clickhouse_url}: this version has the embedded engine only, leave "
            "storage.clickhouse_url empty"
        )
    if importlib.util.find_spec("chdb") is None:
        raise StartupError(
            "the storage engine (Python package chdb-core) is not installed: it exists for Linux "
            "with glibc and for macOS, not for Windows or musl (Alpine); use one of those, WSL or "
            "a Debian-based container"
        )
