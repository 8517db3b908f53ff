"""Thousands of Certificates of 160 hours, in simulated time, and a CA that is away for two days."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certwright.engine.store import Selection
from certwright.issuers.vault_questions import (
    SignByVault,
    VaultFailed,
    VaultReady,
    VaultSigned,
)
from certwright.reconcile.controllers import certificate_controllers
from certwright.reconcile.options import Options
from certwright.resources.certificate import Certificate
from certwright.resources.kinds import CERTIFICATE, Manifest
from certwright_testing.many import Many
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.world import World

LIFE = timedelta(hours=160)
AWAY = timedelta(hours=48)
DAY = timedelta(hours=24)
SPREAD = 0.3

__all__ = ["AwayCa", "Told", "leaf", "play_absence", "vault"]


@dataclass(slots=True)
class AwayCa:
    """A Vault on the network, but for a time; keeps count of what it signed, hour by hour."""

    world: Many | World | None = None
    away: tuple[datetime, datetime] | None = None
    signed: list[datetime] = field(default_factory=list)
    asked_in_vain: int = 0
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: x509.Name = field(
        default_factory=lambda: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
    )
    root: str = ""

    async def answer(self, question: Any, /) -> Any:
        """Answer as a server does, or as a network that has none."""
        assert self.world is not None
        now = self.world.now
        if self.away is not None and self.away[0] <= now < self.away[1]:
            self.asked_in_vain += 1
            stage = "sign" if isinstance(question, SignByVault) else "login"
            return VaultFailed(stage, "connection refused", may_pass=True)
        if not isinstance(question, SignByVault):
            return VaultReady()
        self.signed.append(now)
        asked = dict(question.parameters)
        csr = x509.load_pem_x509_csr(asked["csr"].encode())
        leaf = self._certificate(csr.subject, csr.public_key(), now, LIFE, len(self.signed))
        if not self.root:
            self.root = self._certificate(self.name, self.key.public_key(), now, LIFE * 99, 1)
        return VaultSigned(leaf, self.root)

    def _certificate(
        self, subject: x509.Name, key: Any, now: datetime, life: timedelta, serial: int
    ) -> str:
        is_root = subject == self.name
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(now)
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(is_root, None), critical=True)
        )
        if not is_root:
            names = x509.SubjectAlternativeName([x509.DNSName("a.example")])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def vault() -> Manifest:
    """Return an issuer on the network."""
    auth = {"tokenSecretRef": {"name": "token"}}
    spec = {"server": "https://vault.example", "path": "pki/sign/web", "auth": auth}
    return {**issuer("vault"), "spec": {"vault": spec}}


def leaf(number: int) -> Manifest:
    """Return a Certificate of 160 hours."""
    spec = {
        "secretName": f"tls-{number}",
        "dnsNames": ["a.example"],
        "duration": "160h",
        "privateKey": {"algorithm": "ECDSA"},
        "revisionHistoryLimit": 1,
        "issuerRef": {"name": "vault"},
    }
    return certificate(f"web-{number}", spec=spec)


def ends(world: Many) -> list[datetime]:
    """Return when each served certificate ends."""
    found = [Certificate(obj).not_after for obj in world.store.table.select(Selection(CERTIFICATE))]
    return [end for end in found if end is not None]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it."""

    count: int
    """Certificates."""
    signed: int
    least_left: timedelta
    """The shortest life that any of them had left while the CA was away, and a day after."""
    asked_in_vain: int
    back: tuple[int, ...]
    """Signings in each ten minutes after the CA's return, for a day."""
    later: tuple[int, ...]
    """Signings in each hour after that day."""
    cpu_seconds: float


async def play_absence(count: int) -> Told:
    """Play it: the CA goes when the first are due, and comes back two days later.

    Raises:
        AssertionError: One has ended, or is not there.
    """
    begun = time.process_time()
    ca = AwayCa()
    world = ca.world = Many(certificate_controllers(Options(renewal_spread=SPREAD)), ca)
    await world.apply(secret("token", data={"token": b"t"}), vault())
    for number in range(count):
        await world.apply(leaf(number))
        if number % 100 == 99:
            await world.advance(timedelta(seconds=5))
    await world.advance(timedelta(minutes=10))
    assert len(ca.signed) == count

    # Two thirds of the life less what --renewal-spread takes: the first are due now.
    await world.advance(timedelta(hours=90))
    ca.away = (world.now, world.now + AWAY)
    least = timedelta.max
    while world.now < ca.away[1] + DAY:
        await world.advance(timedelta(hours=1))
        least = min(least, min(ends(world)) - world.now)
        assert least > timedelta(), "one has ended"
    assert len(ends(world)) == count
    await world.advance(LIFE * 1.2)
    assert min(ends(world)) > world.now
    return Told(
        count,
        len(ca.signed),
        least,
        ca.asked_in_vain,
        _counted(ca.signed, ca.away[1], DAY, timedelta(minutes=10)),
        _counted(ca.signed, ca.away[1] + DAY, LIFE * 1.2, timedelta(hours=1)),
        time.process_time() - begun,
    )


def _counted(
    signed: list[datetime], begin: datetime, span: timedelta, step: timedelta
) -> tuple[int, ...]:
    """Return how many were signed in each step of a span."""
    counts = [0] * -(-span // step)
    for at in signed:
        if begin <= at < begin + span:
            counts[(at - begin) // step] += 1
    return tuple(counts)
