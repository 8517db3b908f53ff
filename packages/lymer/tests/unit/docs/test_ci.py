"""A tool that a test asks for is installed by `.ci/run`: on a fresh machine nothing is skipped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = next(folder for folder in Path(__file__).parents if (folder / ".ci").is_dir())
# Come with the environment (node, npm), with keytool (java), or with Debian.
_THERE: Final = {"node", "npm", "java", "dpkg-query"}
# Another name of the one before.
_ALSO_CALLED: Final = {"alertmanager"}


def test_every_tool_of_the_tests_is_installed_by_ci() -> None:
    """A test that looks for a program skips without it, and in CI a skip is a failure."""
    wanted = {
        name
        for product in ("lymer", "certwright")
        for file in (ROOT / "packages" / product / "tests").rglob("*.py")
        if not {"node_modules", ".venv"} & {*file.parts}
        for name in re.findall(r'\bwhich\("([^"]+)"', file.read_text())
    }
    assert len(wanted) > 5, wanted
    installed = set(re.findall(r"command -v ([a-z-]+)", (ROOT / ".ci" / "run").read_text()))
    assert wanted - _THERE - _ALSO_CALLED <= installed
