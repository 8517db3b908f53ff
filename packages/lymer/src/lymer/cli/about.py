"""Commands about the program itself."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import click
from click.shell_completion import get_completion_class

from lymer import __version__

__all__ = ["completion", "version"]


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def version(*, as_json: bool) -> None:
    """Print the version, and those of the engine and of Python."""
    versions = {
        "lymer": __version__,
        "engine": _distribution_version("chdb-core"),
        "python": platform.python_version(),
    }
    if as_json:
        click.echo(json.dumps(versions))
    else:
        click.echo(
            f"lymer {__version__} (engine {versions['engine']}, Python {versions['python']})"
        )


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    For bash: eval "$(lymer completion bash)" in ~/.bashrc.
    """
    from lymer.cli import root

    complete = get_completion_class(shell)
    if complete is None:
        raise click.ClickException(f"cannot complete in {shell}: click does not know it")
    click.echo(complete(root, {}, "lymer", "_LYMER_COMPLETE").source())


def _distribution_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
