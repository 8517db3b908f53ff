"""The site's own settings of the UI: Jaeger's file, which may be JSON or a script.

Source: Jaeger v2.20, `jaegerquery/internal/static_handler.go`: the ending of the name decides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lymer.errors import StartupError
from lymer.given_file import read_given

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SITE_FILE_BYTES_MAX", "SITE_SCRIPT_PATH", "SiteFile", "read_site_file"]

SITE_SCRIPT_PATH: Final = "/site/ui-config.js"
"""Where the page finds a site's script."""
SITE_FILE_BYTES_MAX: Final = 4 << 20
"""Largest file of settings, in bytes: it is kept in memory, and sent to each browser."""


@dataclass(frozen=True, slots=True)
class SiteFile:
    """What a site's file holds: settings, or a script that defines `UIConfig`."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    script: bytes | None = None


def read_site_file(path: Path | None) -> SiteFile:
    """Read the file; without one, there are no settings.

    Raises:
        StartupError: It cannot be read, is not JSON, or holds no `UIConfig`.
    """
    if path is None:
        return SiteFile()
    try:
        content = read_given(path, SITE_FILE_BYTES_MAX)
    except OSError as error:
        raise StartupError(f"cannot read the ui's settings {path}: {error.strerror}") from error
    if len(content) > SITE_FILE_BYTES_MAX:
        raise StartupError(
            f"cannot use the ui's settings {path}: over the limit of {SITE_FILE_BYTES_MAX} bytes"
        )
    if path.suffix == ".js":
        if b"UIConfig" not in content:
            raise StartupError(f"cannot use the ui's settings {path}: no function UIConfig in it")
        return SiteFile(script=content)
    try:
        settings = json.loads(content)
    except ValueError as error:
        raise StartupError(f"cannot read the ui's settings {path}: {error}") from error
    if not isinstance(settings, dict):
        raise StartupError(f"cannot use the ui's settings {path}: not a JSON object")
    return SiteFile(settings=settings)
