"""Old spans on object storage: the engine's own storage policy, and how long spans lie on the disk.

The embedded engine knows disks only by a configuration of a server, so one is written for it. Its
volume `default` is the local disk, as in the policy of every table so far: the engine changes a
table's policy only if the volumes that it has are in the new one by their names.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lymer.errors import StartupError

__all__ = ["COLD_VOLUME", "EMBEDDED_POLICY", "ObjectStorage", "Tiers", "disks", "has_cold_spans"]

COLD_VOLUME: Final = "cold"
EMBEDDED_POLICY: Final = "lymer_tiers"
_DISK: Final = "lymer_cold"
_REACHED_SECONDS_MAX: Final = 5.0
RETRIES_MAX: Final = 3
"""The engine's default is 500 retries, more than an hour: nobody waits so long for an answer."""
_SILENT_SECONDS_MAX: Final = 3
"""A connection on which nothing comes for so long has failed; the engine's default is 30."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """When spans leave the local disk."""

    policy: str = ""
    """The storage policy that has a volume `cold`; empty: spans stay where they are."""
    after_seconds: int = 0
    """How long after they arrived; 0: never."""


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """A place that speaks S3."""

    url: str
    """Endpoint, bucket and prefix, such as `https://s3.example/bucket/lymer`."""
    key_id: str = ""
    """Empty: what the machine's environment says."""
    secret: str = ""

    def check(self) -> None:
        """Ask whether somebody takes connections there.

        Raises:
            StartupError: Nobody does.
        """
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname or "", port), _REACHED_SECONDS_MAX).close()
        except OSError as error:
            raise StartupError(
                f"cannot reach the object storage at {self.url}: {error.strerror or error}; old "
                "spans lie there, so the store does not start without it"
            ) from error


def has_cold_spans(folder: Path) -> bool:
    """Say whether a folder of the embedded engine has ever had spans on object storage."""
    return (folder / "disks" / _DISK).is_dir()


@contextmanager
def disks(folder: Path, cold: ObjectStorage | None) -> Iterator[dict[str, str | int]]:
    """Yield the engine's options of its disks, while it starts.

    Raises:
        StartupError: Spans lie on object storage, which is not said or not reached.
    """
    if cold is None:
        if has_cold_spans(folder):
            raise StartupError(
                f"cannot open the store in {folder} alone: old spans lie on object storage; set "
                "storage.cold_s3_url as it was"
            )
        yield {}
        return
    cold.check()
    login = (
        f"<access_key_id>{escape(cold.key_id)}</access_key_id>"
        f"<secret_access_key>{escape(cold.secret)}</secret_access_key>"
        if cold.key_id
        else "<use_environment_credentials>1</use_environment_credentials>"
    )
    file = folder / "disks.xml"
    try:
        file.touch(mode=0o600)
        file.write_text(
            "<clickhouse><storage_configuration><disks>"
            f"<{_DISK}><type>s3</type><endpoint>{escape(cold.url.rstrip('/'))}/</endpoint>{login}"
            f"<request_timeout_ms>{_SILENT_SECONDS_MAX * 1_000}</request_timeout_ms>"
            f"</{_DISK}></disks><policies><{EMBEDDED_POLICY}><volumes>"
            f"<default><disk>default</disk></default><{COLD_VOLUME}><disk>{_DISK}</disk>"
            # Only age moves spans: a disk that fills is told, not emptied into another.
            f"</{COLD_VOLUME}></volumes><move_factor>0</move_factor></{EMBEDDED_POLICY}>"
            "</policies></storage_configuration></clickhouse>",
            "utf-8",
        )
    except OSError as error:
        raise StartupError(f"cannot write {file}: {error.strerror or error}") from error
    try:
        yield {"config-file": str(file), "s3_retry_attempts": RETRIES_MAX}
    finally:
        file.unlink(missing_ok=True)  # it holds the secret
