"""A pipe or a device where a setting names a file ends in a sentence, not in a wait."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lymer.cli.options import read_named
from lymer.config.problem import ConfigError
from lymer.config.sources import load_config
from lymer.errors import StartupError
from lymer.given_file import read_given
from lymer.sampling.file_source import SourceError, read_source
from lymer.transport.watched_files import read_file
from lymer.ui.site import read_site_file


@pytest.fixture(params=["pipe", "device"])
def waits(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the path of something that may be read for ever."""
    if request.param == "device":
        return Path("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_certificates_and_passwords(waits: Path) -> None:
    """Everything that is watched."""
    with pytest.raises(StartupError, match=r"tls\.cert_file.*not a regular file"):
        read_file(waits, "tls.cert_file")


def test_configuration(waits: Path) -> None:
    """`--config` itself."""
    with pytest.raises(ConfigError, match=r"cannot read configuration file .*not a regular file"):
        load_config(waits, {})


def test_settings_of_the_ui(waits: Path) -> None:
    """As JSON."""
    with pytest.raises(StartupError, match="not a regular file"):
        read_site_file(waits)


def test_strategies(waits: Path) -> None:
    """Of sampling."""
    with pytest.raises(SourceError, match="not a regular file"):
        asyncio.run(read_source(str(waits)))


def test_files_of_commands(waits: Path) -> None:
    """Keys, tokens and passwords that an option names."""
    with pytest.raises(StartupError, match="not a regular file"):
        read_named(waits)


def test_a_pipe_of_the_shell_is_read_to_its_end() -> None:
    """`--config <(command)` and `/dev/stdin` are pipes with somebody who writes."""
    reading, writing = os.pipe()
    try:
        os.write(writing, b"query: {}\n")
        os.close(writing)

        assert read_given(Path(f"/dev/fd/{reading}"), 100) == b"query: {}\n"
    finally:
        os.close(reading)


def test_nothing_is_a_file_too() -> None:
    """`--config /dev/null` is a configuration without settings."""
    assert read_given(Path(os.devnull), 100) == b""
