"""All commands of `certwright ctl`."""

from __future__ import annotations

from certwright.cli import ctl_try  # noqa: F401 - it adds its command
from certwright.cli.ctl import ctl

__all__ = ["ctl"]
