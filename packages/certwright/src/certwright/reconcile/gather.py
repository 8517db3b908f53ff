"""What is read before a decision about a Certificate.

::

                          spec.secretName
      Certificate ───────────────────────────────▶ Secret   key, certificate: what is served
          │  │ │                                     ▲
          │  │ └─ status.nextPrivateKeySecretName    │ issuing copies both, at once
          │  │                       │               │
          │  └─ controls ─────▶ Secret (label next-private-key): the key of the next revision
          │                                          │ its public key is in the request
          └─ controls ─▶ CertificateRequest  revision = status.revision      : current
                         CertificateRequest  revision = status.revision + 1  : next
                         CertificateRequest  older ones, kept as history

A request belongs to a revision by its annotation. There is at most one of a revision; if there are
more, nothing is decided, because it is not known which of them counts. Loops read the parts they
need; what one does not read is empty in its state.

Source: reference cert-manager.md 2.0 (who wakes whom) and 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from certwright.policy.ca_rotation import CaRotation, rotation_of
from certwright.policy.verdict import Evidence
from certwright.reconcile.contract import Reader, Wake
from certwright.reconcile.indexes import (
    CERTIFICATES_BY_KEY_SECRET,
    CERTIFICATES_BY_SECRET,
    KEY_SECRETS_BY_OWNER,
    REQUESTS_BY_NAME_PREFIX,
    REQUESTS_BY_OWNER,
    place,
)
from certwright.reconcile.names import key_secret_names, request_name_prefix
from certwright.reconcile.options import Options
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.features import ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CLUSTER_ISSUER,
    ISSUER,
    SECRET,
    Key,
    Manifest,
)
from certwright.resources.secret import Secret

__all__ = [
    "WAKE_NAMED_BY_KEY_SECRET",
    "WAKE_NAMED_BY_SECRET",
    "WAKE_OWNER_OF_KEY_SECRET",
    "WAKE_OWNER_OF_REQUEST",
    "CertificateState",
    "gather_for_issuing",
    "gather_for_keys",
    "gather_for_policy",
    "gather_for_requests",
    "gather_for_revisions",
    "is_issuing",
]

_KEY_SECRET_NAMES_MAX: Final = 8
"""Names tried for the Secret of a new key. That all are other people's is beyond chance."""


@dataclass(frozen=True, slots=True)
class CertificateState:
    """A Certificate and what belongs to it."""

    certificate: Certificate
    secret: Secret | None = None
    """The Secret of `spec.secretName`."""
    requests: tuple[CertificateRequest, ...] = ()
    """All that the Certificate controls, by name."""
    key_secrets: tuple[Secret, ...] = ()
    """Secrets with a next private key that the Certificate controls, by name."""
    next_key_secret: Secret | None = None
    """The Secret of `status.nextPrivateKeySecretName`, whosever it is."""
    taken_names: frozenset[str] = frozenset()
    """Names of objects of others, which a new key Secret or request must not take."""
    passwords: Mapping[str, Secret] = field(default_factory=dict)
    """Secrets with passwords of keystores, by name; those that exist."""
    issuer: Issuer | None = None
    """The issuer; only read where its CA is asked about renewal."""
    rotation: CaRotation | None = None
    """Where the issuer's CA stands, if it takes part in rotation."""

    @property
    def next_revision(self) -> int:
        """The revision that an issuance now leads to; the first is 1."""
        return (self.certificate.revision or 0) + 1

    @property
    def current_requests(self) -> tuple[CertificateRequest, ...]:
        """Requests of the revision that is stored; more than one is a mistake of somebody."""
        revision = self.certificate.revision
        return () if revision is None else self._requests_of(revision)

    @property
    def next_requests(self) -> tuple[CertificateRequest, ...]:
        """Requests of the next revision; more than one is a mistake of somebody."""
        return self._requests_of(self.next_revision)

    def _requests_of(self, revision: int) -> tuple[CertificateRequest, ...]:
        return tuple(request for request in self.requests if request.revision == revision)

    @property
    def duplicates(self) -> str:
        """Why nothing can be decided: there are several requests of one revision. Else empty."""
        for word, found, revision in (
            ("current", self.current_requests, self.certificate.revision),
            ("next", self.next_requests, self.next_revision),
        ):
            if len(found) > 1:
                return (
                    f"multiple CertificateRequests were found for the '{word}' revision "
                    f"{revision}, issuance is skipped until there are no more duplicates"
                )
        return ""

    def evidence(self, now: datetime, options: Options) -> Evidence:
        """Return what policies look at."""
        certificate, current = self.certificate, self.current_requests
        has_formats = ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS in options.gates
        return Evidence(
            certificate=certificate,
            now=now,
            secret=self.secret,
            current_request=current[0] if current else None,
            output_formats=certificate.additional_output_formats if has_formats else (),
            renewal=options.renewal_rule,
            rotation=self.rotation,
            owner_ref_enabled=options.enable_certificate_owner_ref,
        )


def is_issuing(certificate: Certificate) -> bool:
    """Whether an issuance is under way: the condition Issuing is True."""
    issuing = get_condition(certificate.object, "Issuing")
    return issuing is not None and issuing.is_true


# ------------------------------------------------------------------------------ gatherers


async def gather_for_policy(key: Key, reader: Reader) -> CertificateState | None:
    """Read what the trigger and readiness chains look at."""
    certificate = await _certificate(key, reader)
    if certificate is None:
        return None
    return CertificateState(
        certificate,
        secret=await _secret(reader, key.namespace, certificate.secret_name),
        requests=await _requests(reader, certificate),
        rotation=await _rotation(reader, certificate),
    )


async def gather_for_keys(key: Key, reader: Reader) -> CertificateState | None:
    """Read the Secrets with keys: the one that is served and those for the next revision."""
    certificate = await _certificate(key, reader)
    if certificate is None:
        return None
    key_secrets = await _key_secrets(reader, certificate)
    if key_secrets or not is_issuing(certificate):
        return CertificateState(certificate, key_secrets=key_secrets)
    state = CertificateState(
        certificate, secret=await _secret(reader, key.namespace, certificate.secret_name)
    )
    names = islice(key_secret_names(certificate, state.next_revision), _KEY_SECRET_NAMES_MAX)
    taken: set[str] = set()
    for name in (certificate.next_private_key_secret_name, *names):
        if await _secret(reader, key.namespace, name) is not None:
            taken.add(name)
        elif name:
            break
    return CertificateState(certificate, secret=state.secret, taken_names=frozenset(taken))


async def gather_for_requests(key: Key, reader: Reader) -> CertificateState | None:
    """Read the next private key and all requests."""
    certificate = await _certificate(key, reader)
    if certificate is None or not is_issuing(certificate):
        return None
    in_the_way = await reader.find(
        REQUESTS_BY_NAME_PREFIX, place(key.namespace, request_name_prefix(certificate))
    )
    requests = await _requests(reader, certificate)
    own = {request.name for request in requests}
    return CertificateState(
        certificate,
        requests=requests,
        next_key_secret=await _secret(
            reader, key.namespace, certificate.next_private_key_secret_name
        ),
        taken_names=frozenset(map(meta.name, in_the_way)) - own,
    )


async def gather_for_issuing(key: Key, reader: Reader) -> CertificateState | None:
    """Read everything that a target Secret is made of."""
    certificate = await _certificate(key, reader)
    if certificate is None:
        return None
    namespace = key.namespace
    passwords: dict[str, Secret] = {}
    for keystore in (certificate.pkcs12_keystore, certificate.jks_keystore):
        if keystore is not None and keystore.create:
            found = await _secret(reader, namespace, keystore.password.name)
            if found is not None:
                passwords[found.name] = found
    issuing = is_issuing(certificate)
    next_name = certificate.next_private_key_secret_name if issuing else ""
    return CertificateState(
        certificate,
        secret=await _secret(reader, namespace, certificate.secret_name),
        requests=await _requests(reader, certificate) if issuing else (),
        next_key_secret=await _secret(reader, namespace, next_name),
        passwords=passwords,
        rotation=await _rotation(reader, certificate),
    )


async def gather_for_revisions(key: Key, reader: Reader) -> CertificateState | None:
    """Read all requests, if their number is limited."""
    certificate = await _certificate(key, reader)
    if certificate is None or certificate.revision_history_limit is None:
        return None
    return CertificateState(certificate, requests=await _requests(reader, certificate))


async def _certificate(key: Key, reader: Reader) -> Certificate | None:
    """Return the Certificate; None too if it is being deleted, for then nothing is decided."""
    found = await reader.get(key)
    if found is None or meta.deletion_time(found) is not None:
        return None
    return Certificate(found)


async def _secret(reader: Reader, namespace: str, name: str) -> Secret | None:
    found = await reader.get(SECRET.key(namespace, name)) if name else None
    return None if found is None else Secret(found)


async def _rotation(reader: Reader, certificate: Certificate) -> CaRotation | None:
    ref = certificate.issuer_ref
    if ref.is_external:
        return None
    kind = CLUSTER_ISSUER if ref.kind_or_default == CLUSTER_ISSUER.name else ISSUER
    found = await reader.get(kind.key(certificate.namespace, ref.name))
    return None if found is None else rotation_of(Issuer(found))


async def _requests(reader: Reader, certificate: Certificate) -> tuple[CertificateRequest, ...]:
    return tuple(map(CertificateRequest, await reader.find(REQUESTS_BY_OWNER, certificate.uid)))


async def _key_secrets(reader: Reader, certificate: Certificate) -> tuple[Secret, ...]:
    return tuple(map(Secret, await reader.find(KEY_SECRETS_BY_OWNER, certificate.uid)))


# ------------------------------------------------------------------------------ who wakes whom


async def _owner(obj: Manifest, _reader: Reader) -> Sequence[Key]:
    owner = meta.controller_of(obj)
    if owner is None or owner.kind != CERTIFICATE.name:
        return ()
    if not owner.api_version.startswith(f"{known.GROUP}/"):
        return ()
    return (CERTIFICATE.key(meta.namespace(obj), owner.name),)


async def _named_by_secret(obj: Manifest, reader: Reader) -> Sequence[Key]:
    value = place(meta.namespace(obj), meta.name(obj))
    return [meta.key_of(found) for found in await reader.find(CERTIFICATES_BY_SECRET, value)]


async def _named_by_key_secret(obj: Manifest, reader: Reader) -> Sequence[Key]:
    value = place(meta.namespace(obj), meta.name(obj))
    return [meta.key_of(found) for found in await reader.find(CERTIFICATES_BY_KEY_SECRET, value)]


WAKE_OWNER_OF_REQUEST: Final = Wake(CERTIFICATE_REQUEST, _owner)
WAKE_OWNER_OF_KEY_SECRET: Final = Wake(SECRET, _owner)
WAKE_NAMED_BY_SECRET: Final = Wake(SECRET, _named_by_secret)
WAKE_NAMED_BY_KEY_SECRET: Final = Wake(SECRET, _named_by_key_secret)
