"""Where things are in the folder of a standalone.

::

    DIR/
    ├── *.yaml, *.yml           what you want: Issuers, Certificates, Secrets; read, never written
    ├── secrets/NAMESPACE/NAME/ what you get: tls.crt, tls.key, ca.crt, ...
    ├── bundles/NAME/           CA certificates of a Bundle
    └── state/                  ours (0700): objects with their status, keys, problems.txt, lock
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from certwright.errors import StartupError

__all__ = ["DEFAULT_NAMESPACE", "Layout"]

DEFAULT_NAMESPACE: Final = "default"
"""Of objects that name none, and of the Secrets of ClusterIssuers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder's parts."""

    folder: Path

    @property
    def secrets(self) -> Path:
        """Where certificates go."""
        return self.folder / "secrets"

    @property
    def bundles(self) -> Path:
        """Where CA certificates of Bundles go."""
        return self.folder / "bundles"

    @property
    def state(self) -> Path:
        """What we remember."""
        return self.folder / "state"

    @property
    def problems(self) -> Path:
        """What is wrong with the files, in words; absent when nothing is."""
        return self.state / "problems.txt"

    @property
    def reload_pending(self) -> Path:
        """There while the reload command has not yet run after a change."""
        return self.state / "reload-pending"

    @property
    def wishes(self) -> Path:
        """What `certwright ctl --dir` asks of the process that runs."""
        return self.state / "wishes"

    def manifests(self) -> list[Path]:
        """Return the YAML files, by name.

        Raises:
            StartupError: The folder cannot be read.
        """
        try:
            return sorted(
                path
                for path in self.folder.iterdir()
                if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")
            )
        except OSError as error:
            raise StartupError(
                f"cannot read the folder {self.folder}: {error.strerror}; "
                f"`certwright quickstart --dir {self.folder}` makes one"
            ) from error
