"""Where the webhook's serving certificate comes from: two files, or our own authority.

Source: reference cert-manager.md 4.5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certwright import clock
from certwright.adapters.webhook.serving import ServingContext
from certwright.engine.store import Store
from certwright.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidError,
    NotFoundError,
    StartupError,
    StoreError,
)
from certwright.reconcile.webhook_authority import (
    KEY_ALGORITHM,
    KEY_BITS,
    Leaf,
    authority_problem,
    new_authority,
    new_leaf,
)
from certwright.resources.kinds import SECRET, Key, Manifest
from certwright.resources.secret import Secret
from certwright.telemetry.logs import EventLog

__all__ = ["CertificateSource", "DynamicSource", "FileSource"]

CHECK_SECONDS: Final = 10.0
"""How often files and the authority are looked at. Source: reference cert-manager.md 4.5."""
FILE_FAILURES_MAX: Final = 12
"""Failures in a row after which files are given up: two minutes."""
MANAGER: Final = "cert-manager-webhook"

_log = EventLog("certwright.webhook")


class CertificateSource(Protocol):
    """Keeps a context supplied with a certificate."""

    async def run(self) -> None:
        """Run until cancelled.

        Raises:
            StartupError: There will be no certificate: somebody has to look at it.
        """


class FileSource:
    """Two PEM files, read again when they change."""

    def __init__(
        self,
        context: ServingContext,
        certificate: Path,
        private_key: Path,
        *,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._context = context
        self._certificate = certificate
        self._private_key = private_key
        self._check_seconds = check_seconds
        self._loaded: tuple[bytes, bytes] | None = None

    async def run(self) -> None:
        """Read both files every `check_seconds`; failures leave what is served as it is."""
        failures = 0
        while True:
            try:
                await asyncio.to_thread(self._read)
                failures = 0
            except (OSError, InvalidError) as error:
                failures += 1
                _log.error("cannot read the serving certificate", failures=failures, reason=error)
                if failures > FILE_FAILURES_MAX:
                    raise StartupError(
                        f"failed to update certificate from disk {FILE_FAILURES_MAX} times: {error}"
                    ) from error
            await asyncio.sleep(self._check_seconds)

    def _read(self) -> None:
        pair = self._certificate.read_bytes(), self._private_key.read_bytes()
        if pair == self._loaded:
            return
        self._context.load(*pair)
        self._loaded = pair
        _log.info("serving certificate loaded", file=self._certificate)


class DynamicSource:
    """Our own authority in a Secret, and a leaf in memory."""

    def __init__(
        self,
        context: ServingContext,
        store: Store,
        secret: Key,
        dns_names: tuple[str, ...],
        *,
        private_key: Callable[[str, int], PrivateKeyTypes],
        serial: Callable[[], int],
        now: Callable[[], datetime] = clock.now,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            context: What is served.
            store: Where the Secret is.
            secret: Key of the Secret.
            dns_names: Names of the leaf.
            private_key: (algorithm, bits) → a new key.
            serial: A new serial number.
            now: The clock.
            check_seconds: How often the Secret is looked at; a first certificate is tried for
                every second.
        """
        assert secret.kind == SECRET
        self._context = context
        self._store = store
        self._secret = secret
        self._dns_names = dns_names
        self._private_key = private_key
        self._serial = serial
        self._now = now
        self._check_seconds = check_seconds
        self._leaf: Leaf | None = None

    async def run(self) -> None:
        """Look at the Secret every `check_seconds`; failures leave what is served as it is."""
        while True:
            try:
                await self.check()
            except (StoreError, InvalidError) as error:
                _log.error("cannot renew the serving certificate", reason=error)
            wait_seconds = self._check_seconds if self._leaf else min(1.0, self._check_seconds)
            await asyncio.sleep(wait_seconds)

    async def check(self) -> None:
        """Make the CA and the leaf anew if they are due.

        Raises:
            StoreError: The Secret cannot be read or written.
            InvalidError: The leaf cannot be signed.
        """
        authority = await self._authority()
        now = self._now()
        leaf = self._leaf
        if leaf and leaf.ca_pem == Secret(authority).ca_pem and now < leaf.renew_at:
            return
        key = await asyncio.to_thread(self._private_key, KEY_ALGORITHM, KEY_BITS)
        leaf = new_leaf(authority, self._dns_names, key, now, self._serial())
        self._context.load(leaf.certificate_pem, leaf.private_key_pem)
        self._leaf = leaf
        _log.info(
            "serving certificate signed",
            dns_names=",".join(self._dns_names),
            not_after=leaf.not_after,
            renew_at=leaf.renew_at,
        )

    async def _authority(self) -> Manifest:
        """Return a Secret with a good CA; if another replica was faster, that one's."""
        present = await self._store.get(self._secret)
        problem = authority_problem(present, self._now())
        if not problem and present is not None:
            return present
        _log.info("making a CA", secret=str(self._secret), because=problem)
        key = await asyncio.to_thread(self._private_key, KEY_ALGORITHM, KEY_BITS)
        wanted = new_authority(self._secret, present, key, self._now(), self._serial())
        try:
            if present is None:
                return await self._store.create(wanted, manager=MANAGER)
            return await self._store.update(wanted, manager=MANAGER)
        except (AlreadyExistsError, ConflictError, NotFoundError) as error:
            winner = await self._store.get(self._secret)
            if winner is None or authority_problem(winner, self._now()):
                raise ConflictError(f"another replica writes the CA: {error}") from error
            return winner
