"""Revokes the certificate of a Certificate that is deleted, where its annotation asks for that.

::

    annotation certwright.dev/revoke-on-delete: "true" ─▶ finalizer ─(deleted)─▶ CA: revokeCert
                                                              └──────────▶ finalizer goes ◀──┘

Only ACME CAs are asked. A CA that does not answer holds a deletion up for five minutes, no longer.

Source: RFC 8555 7.6. cert-manager has nothing like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from certwright.acme.messages import Problem
from certwright.acme.questions import Done, Revoke
from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.reconcile.acme_objects import AcmeAuthority, gather_authority
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Ask,
    Controller,
    Emit,
    Plan,
    Reader,
    Sources,
    Update,
)
from certwright.reconcile.options import Options
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.kinds import CERTIFICATE, SECRET, Key, Manifest
from certwright.resources.secret import Secret

__all__ = ["RevocationGathered", "plan_revocation", "revocation_controller"]

TRYING_MAX: Final = timedelta(minutes=5)
"""How long a deletion waits for the CA."""
_CESSATION: Final = 5
"""cessationOfOperation. Source: RFC 5280 5.3.1."""


@dataclass(frozen=True, slots=True)
class RevocationGathered:
    """A Certificate, its Secret, and its ACME issuer or why there is none."""

    certificate: Certificate
    secret: Manifest | None = None
    authority: AcmeAuthority | str = ""


def plan_revocation(gathered: RevocationGathered, sources: Sources) -> Plan:
    """Plan the finalizer, or the revocation that it waits for."""
    obj = gathered.certificate.object
    is_asked = meta.annotations(obj).get(known.REVOKE_ON_DELETE) == "true"
    is_marked = known.REVOKE_FINALIZER in meta.finalizers(obj)
    deleted_at = meta.deletion_time(obj)
    if deleted_at is None:
        if is_asked and not is_marked:
            return Plan((_finalized(obj, (*meta.finalizers(obj), known.REVOKE_FINALIZER)),))
        return Plan((_released(obj),) if is_marked and not is_asked else ())
    if not is_marked:
        return Plan()
    try:
        leaf = _leaf(gathered)
        authority = gathered.authority
        if isinstance(authority, str):
            raise InvalidError(authority)  # noqa: TRY301
        account = authority.account
    except InvalidError as error:
        return _let_go(obj, f"Nothing was revoked: {error}")
    question = Revoke(account, leaf.der, _CESSATION)
    is_last = sources.now - deleted_at >= TRYING_MAX
    return Plan(ask=Ask(question, partial(_after, obj, leaf, is_last=is_last)))


def _after(
    obj: Manifest, leaf: DecodedCertificate, answer: Any, _sources: Sources, *, is_last: bool
) -> Plan:
    if isinstance(answer, Done) or (isinstance(answer, Problem) and answer.says("alreadyRevoked")):
        message = f"Revoked the certificate with serial number {leaf.serial:x}"
        return Plan((_released(obj), Emit(obj, "Normal", "Revoked", message)))
    if is_last or (isinstance(answer, Problem) and answer.is_final):
        return _let_go(obj, f"The certificate was not revoked: {answer}")
    return Plan(retry=f"cannot revoke yet: {answer}")


def _let_go(obj: Manifest, message: str) -> Plan:
    return Plan((Emit(obj, "Warning", "RevocationFailed", message), _released(obj)))


def _leaf(gathered: RevocationGathered) -> DecodedCertificate:
    """Return what is to be revoked.

    Raises:
        InvalidError: There is none, or it is another Certificate's.
    """
    name = gathered.certificate.secret_name
    if gathered.secret is None:
        raise InvalidError(f"there is no Secret {name}")
    if meta.annotations(gathered.secret).get(known.CERTIFICATE_NAME) != gathered.certificate.name:
        raise InvalidError(f"the Secret {name} is not this Certificate's")
    return decode_certificates(Secret(gathered.secret).certificate_pem)[0]


def _released(obj: Manifest) -> Update:
    kept = tuple(name for name in meta.finalizers(obj) if name != known.REVOKE_FINALIZER)
    return _finalized(obj, kept)


def _finalized(obj: Manifest, finalizers: tuple[str, ...]) -> Update:
    return Update({**obj, "metadata": {**obj["metadata"], "finalizers": list(finalizers)}})


async def _gather(key: Key, reader: Reader, *, options: Options) -> RevocationGathered | None:
    obj = await reader.get(key)
    if obj is None:
        return None
    certificate = Certificate(obj)
    is_marked = known.REVOKE_FINALIZER in meta.finalizers(obj)
    if not (is_marked or known.REVOKE_ON_DELETE in meta.annotations(obj)):
        return None
    if meta.deletion_time(obj) is None:
        return RevocationGathered(certificate)
    return RevocationGathered(
        certificate,
        await reader.get(SECRET.key(key.namespace, certificate.secret_name)),
        await gather_authority(certificate.issuer_ref, key.namespace, reader, options),
    )


def revocation_controller(options: Options) -> Controller[RevocationGathered]:
    """Return the loop, a part of certificates-issuing."""
    return Controller(
        name="certificates-revocation",
        part_of="certificates-issuing",
        kind=CERTIFICATE,
        gather=partial(_gather, options=options),
        plan=plan_revocation,
        backoff=SLOW_BACKOFF,
    )
