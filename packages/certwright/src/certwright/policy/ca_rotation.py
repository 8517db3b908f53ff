"""What is trusted while a CA changes, and when its leaves are issued anew.

::

    another CA ─▶ leaves trust both ─(lead)─▶ it signs, leaves are issued anew, spread over one lead
               ─▶ no leaf by the old one is left ─(lead)─▶ the old one is trusted no longer

The lead is the time that readers need to see new files: whoever meets a leaf by the new CA has
trusted it for so long, and whoever still shows a leaf by the old one has so long to read its new
one. All of it stands in an annotation of the issuer, so that a process which dies goes on from
there; where the annotation is lost, what the leaves still have is taken.

Source: none; cert-manager leaves leaves and `ca.crt` as they are (issue 2478).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.pki.certificates import (
    DecodedCertificate,
    decode_certificate,
    decode_certificates,
    encode_certificates,
)
from certwright.pki.chain import order_chain
from certwright.pki.renewal_time import fraction_of
from certwright.resources import known, meta
from certwright.resources.durations import parse_duration
from certwright.resources.issuer import Issuer
from certwright.resources.times import format_time, parse_time

__all__ = ["CaRotation", "Trusted", "anchor_of", "lead_of", "next_rotation", "rotation_of"]

TRUSTED_MAX: Final = 16
"""Certificates that are trusted at once; the annotation of an issuer has room for many more."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A certificate at the top of a chain."""

    certificate: DecodedCertificate
    since: datetime
    """When its key was first trusted."""
    unused: datetime | None = None
    """Since when no leaf is known to need it; None while it is the CA's, or one does."""


@dataclass(frozen=True, slots=True)
class CaRotation:
    """Where an issuer stands."""

    lead: timedelta
    chain: tuple[DecodedCertificate, ...]
    """The CA's certificates: the one that signs, then those above it."""
    signs: datetime
    """From when on it signs."""
    trusted: tuple[Trusted, ...]
    """The CA's own first, then what its Secret trusts too, then what was trusted before."""

    @property
    def certificates(self) -> tuple[DecodedCertificate, ...]:
        """Everything that is trusted."""
        return tuple(entry.certificate for entry in self.trusted)

    def bundle(self, chain_pem: bytes, ca_pem: bytes) -> bytes:
        """Return `ca.crt` for a chain: its own anchor first, then all else that is trusted.

        The first one counts for those that read one only, ours among them.

        Args:
            chain_pem: The leaf's `tls.crt`.
            ca_pem: Its `ca.crt` as it is, or as the issuer gave it.

        Raises:
            InvalidError: One of them cannot be read.
        """
        present = decode_certificates(ca_pem) if ca_pem else []
        own = anchor_of(decode_certificates(chain_pem), (*self.certificates, *present))
        first = present[:1] if own is None else [own]
        return encode_certificates(list(dict.fromkeys((*first, *self.certificates))))

    def is_current(self, chain: Sequence[DecodedCertificate]) -> bool:
        """Return whether the CA, asked now, would give this leaf this chain."""
        ca = self.chain[0]
        if not _is_signed_by(chain[0], ca):
            return False
        try:
            expected = order_chain([*self.chain, chain[0]]).chain_pem
        except InvalidError:
            return False
        return tuple(decode_certificates(expected)) == tuple(chain)

    def reissue_at(self, who: str) -> datetime:
        """Return when a leaf by another chain is issued anew; `who` spreads them over one lead."""
        return self.signs + self.lead * fraction_of(who)

    def encode(self) -> str:
        """Return the text of the annotation."""
        return json.dumps(
            {
                "chain": [_text(certificate) for certificate in self.chain],
                "signs": format_time(self.signs),
                "trusted": [
                    {
                        "certificate": _text(entry.certificate),
                        "since": format_time(entry.since),
                        **({"unused": format_time(entry.unused)} if entry.unused else {}),
                    }
                    for entry in self.trusted
                ],
            },
            separators=(",", ":"),
        )


def lead_of(issuer: Issuer) -> timedelta | None:
    """Return the lead that the issuer's annotation asks for; None for no rotation.

    Raises:
        InvalidError: It is no duration from 0 to a year.
    """
    text = meta.annotations(issuer.object).get(known.CA_ROTATION)
    if text is None or issuer.spec.get("ca") is None:
        return None
    try:
        lead = timedelta(microseconds=parse_duration(text) // 1000)
    except InvalidError as error:
        raise InvalidError(f"annotation {known.CA_ROTATION}: {error}; such as 10m") from error
    if not timedelta() <= lead <= timedelta(days=366):
        raise InvalidError(f"annotation {known.CA_ROTATION}: {text} is not from 0s to 8784h")
    return lead


def rotation_of(issuer: Issuer) -> CaRotation | None:
    """Return where the issuer stands; None if it does not take part, or is not known yet."""
    try:
        lead = lead_of(issuer)
    except InvalidError:
        return None
    text = meta.annotations(issuer.object).get(known.CA_ROTATION_STATE)
    return None if lead is None or not text else _decode(text, lead)


def anchor_of(
    chain: Sequence[DecodedCertificate], candidates: Iterable[DecodedCertificate]
) -> DecodedCertificate | None:
    """Return the first of the candidates that the chain ends in or was signed by."""
    top = chain[-1]
    return next((found for found in candidates if found == top or _is_signed_by(top, found)), None)


def next_rotation(
    old: CaRotation | None,
    lead: timedelta,
    chain: Sequence[DecodedCertificate],
    others: Iterable[DecodedCertificate],
    *,
    needed: AbstractSet[DecodedCertificate],
    now: datetime,
) -> CaRotation:
    """Return where the issuer stands now.

    Args:
        old: Where it stood; None at first.
        lead: The time that readers need.
        chain: The CA's certificates, the one that signs first.
        others: What the CA's own `ca.crt` trusts too: the CA above may be changing.
        needed: What leaves still end in; where `old` is None, all of it is trusted on.
        now: UTC.

    Raises:
        InvalidError: The CA's certificates are no chain.
    """
    begun, now = now.replace(microsecond=0), _rounded_up(now)
    ordered = order_chain(chain)
    top = decode_certificates(ordered.ca_pem or ordered.chain_pem)[-1]
    before = (
        tuple(Trusted(found, now) for found in sorted(needed, key=lambda found: found.der))
        if old is None
        else old.trusted
    )
    trusted = [
        Trusted(found, _since(found, before, now))
        for found in dict.fromkeys((top, *others))
        if found == top or found.not_after > now
    ]
    present = {entry.certificate for entry in trusted}
    for entry in before:
        if entry.certificate in present or entry.certificate.not_after <= now:
            continue
        if entry.certificate in needed:
            trusted.append(replace(entry, unused=None))
        elif entry.unused is None:
            trusted.append(replace(entry, unused=now))
        elif now < entry.unused + lead:
            trusted.append(entry)
    if old is None:
        is_new = bool(before) and not _is_known(top, before)
        signs = now + lead if is_new else begun
    elif old.chain == tuple(chain):
        signs = old.signs
    else:
        signs = max(now, trusted[0].since + lead)
    return CaRotation(lead, tuple(chain), signs, tuple(trusted[:TRUSTED_MAX]))


def _rounded_up(now: datetime) -> datetime:
    """Return the next whole second: texts have no more, and a lead must not become shorter."""
    whole = now.replace(microsecond=0)
    return whole if whole == now else whole + timedelta(seconds=1)


def _since(found: DecodedCertificate, before: Iterable[Trusted], now: datetime) -> datetime:
    """Return since when it is trusted: another certificate for a known name and key always was."""
    return min((entry.since for entry in before if _is_same(found, entry.certificate)), default=now)


def _is_known(found: DecodedCertificate, before: Iterable[Trusted]) -> bool:
    return any(_is_same(found, entry.certificate) for entry in before)


def _is_same(one: DecodedCertificate, other: DecodedCertificate) -> bool:
    """Return whether who trusts one trusts the other: the same name and key."""
    return (one.public_key_der, one.subject_der) == (other.public_key_der, other.subject_der)


@lru_cache(maxsize=4096)
def _is_signed_by(child: DecodedCertificate, parent: DecodedCertificate) -> bool:
    return child.issuer_der == parent.subject_der and child.is_signed_by(parent)


def _text(certificate: DecodedCertificate) -> str:
    return base64.b64encode(certificate.der).decode("ascii")


@lru_cache(maxsize=64)
def _decode(text: str, lead: timedelta) -> CaRotation | None:
    """Read the annotation; None if it is not as we write it: it is written anew then."""
    try:
        found: Any = json.loads(text)
        return CaRotation(
            lead,
            tuple(_certificate(entry) for entry in found["chain"]),
            parse_time(found["signs"]),
            tuple(
                Trusted(
                    _certificate(entry["certificate"]),
                    parse_time(entry["since"]),
                    parse_time(entry["unused"]) if "unused" in entry else None,
                )
                for entry in found["trusted"]
            ),
        )
    except (InvalidError, ValueError, KeyError, TypeError):
        return None


def _certificate(text: str) -> DecodedCertificate:
    return decode_certificate(base64.b64decode(text, validate=True))
