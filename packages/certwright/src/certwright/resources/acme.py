"""The Order, the Challenge, and the ACME part of an issuer.

Source: reference cert-manager.md 1.3, 1.4, 1.5.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.resources import known
from certwright.resources.durations import parse_duration
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.kinds import Manifest
from certwright.resources.meta import mapping_at
from certwright.resources.view import View

__all__ = [
    "FAILURE_STATES",
    "FINAL_STATES",
    "AcmeIssuer",
    "Challenge",
    "Order",
    "SecretRef",
]

FAILURE_STATES: Final = frozenset({"invalid", "expired", "errored"})
FINAL_STATES: Final = FAILURE_STATES | {"valid"}


@dataclass(frozen=True, slots=True)
class SecretRef:
    """One entry of a Secret."""

    name: str
    key: str

    @classmethod
    def from_object(cls, ref: Any, default_key: str = "") -> SecretRef:
        """Read a `...SecretRef`; absent fields are empty."""
        found = ref if isinstance(ref, Mapping) else {}
        return cls(str(found.get("name") or ""), str(found.get("key") or "") or default_key)


@dataclass(frozen=True, slots=True)
class AcmeIssuer:
    """A view of the ACME part of an Issuer or ClusterIssuer."""

    object: Manifest

    @property
    def spec(self) -> Mapping[str, Any]:
        """`spec.acme`."""
        return mapping_at(self.object, "spec", "acme")

    @property
    def server(self) -> str:
        """URL of the CA's directory."""
        return str(self.spec.get("server") or "")

    @property
    def email(self) -> str:
        """Whom the CA may write to; empty for nobody."""
        return str(self.spec.get("email") or "")

    @property
    def ca_bundle(self) -> bytes:
        """Whose certificates count for the CA's own server, PEM; empty for the system's roots."""
        return _octets(self.spec.get("caBundle"), "spec.acme.caBundle")

    @property
    def skip_tls_verify(self) -> bool:
        """Whether the server's certificate does not matter."""
        return self.spec.get("skipTLSVerify") is True

    @property
    def key_ref(self) -> SecretRef:
        """Where the account's key is."""
        return SecretRef.from_object(self.spec.get("privateKeySecretRef"), known.TLS_KEY)

    @property
    def is_key_made(self) -> bool:
        """Whether a key is made if there is none."""
        return self.spec.get("disableAccountKeyGeneration") is not True

    @property
    def binding(self) -> Mapping[str, Any]:
        """`externalAccountBinding`, or an empty mapping."""
        return mapping_at(self.spec, "externalAccountBinding")

    @property
    def preferred_chain(self) -> str:
        """Common name of the issuer at the top of the wanted chain; empty for the CA's choice."""
        return str(self.spec.get("preferredChain") or "")

    @property
    def has_durations(self) -> bool:
        """Whether the CA is asked for the duration that a Certificate wants."""
        return self.spec.get("enableDurationFeature") is True

    @property
    def profile(self) -> str:
        """Name of the CA's profile to order by. Source: reference 14 (1.18)."""
        return str(self.spec.get("profile") or "")

    @property
    def solvers(self) -> Sequence[Mapping[str, Any]]:
        """`solvers`, in their order."""
        return [entry for entry in self.spec.get("solvers") or () if isinstance(entry, Mapping)]

    @property
    def status(self) -> Mapping[str, Any]:
        """`status.acme`."""
        return mapping_at(self.object, "status", "acme")

    @property
    def account_url(self) -> str:
        """The account's URL; empty before it is registered."""
        return str(self.status.get("uri") or "")

    @property
    def registered_email(self) -> str:
        """`status.acme.lastRegisteredEmail`."""
        return str(self.status.get("lastRegisteredEmail") or "")

    @property
    def key_hash(self) -> str:
        """`status.acme.lastPrivateKeyHash`."""
        return str(self.status.get("lastPrivateKeyHash") or "")


@dataclass(frozen=True, slots=True)
class Order(View):
    """A view of an Order; reads `object` and never changes it."""

    @property
    def issuer_ref(self) -> IssuerRef:
        """`spec.issuerRef`."""
        return IssuerRef.from_object(mapping_at(self.spec, "issuerRef"))

    @property
    def request(self) -> bytes:
        """`spec.request`: PEM, or DER as old versions wrote it.

        Raises:
            InvalidError: It is not base64.
        """
        return _octets(self.spec.get("request"), "spec.request")

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The names to prove, common name too, each once, sorted."""
        names = set(map(str, self.spec.get("dnsNames") or ()))
        common_name = str(self.spec.get("commonName") or "")
        addresses = set(self.ip_addresses)
        return tuple(sorted(names | ({common_name} - {""} - addresses)))

    @property
    def ip_addresses(self) -> tuple[str, ...]:
        """The addresses to prove, each once, sorted."""
        return tuple(sorted(set(map(str, self.spec.get("ipAddresses") or ()))))

    @property
    def duration_nano(self) -> int | None:
        """`spec.duration`.

        Raises:
            InvalidError: It is no duration.
        """
        text = self.spec.get("duration")
        return None if text is None else parse_duration(str(text))

    @property
    def url(self) -> str:
        """Where the CA has it; empty before it was ordered."""
        return str(self.status.get("url") or "")

    @property
    def finalize_url(self) -> str:
        """Where the CSR goes."""
        return str(self.status.get("finalizeURL") or "")

    @property
    def state(self) -> str:
        """Such as `pending`; empty before it was ordered."""
        return str(self.status.get("state") or "")

    @property
    def reason(self) -> str:
        """`status.reason`."""
        return str(self.status.get("reason") or "")

    @property
    def authorizations(self) -> Sequence[Mapping[str, Any]]:
        """`status.authorizations`."""
        return self.status.get("authorizations") or ()

    @property
    def certificate(self) -> bytes:
        """The chain, leaf first, PEM; empty before it is there.

        Raises:
            InvalidError: It is not base64.
        """
        return _octets(self.status.get("certificate"), "status.certificate")

    @property
    def has_failed(self) -> bool:
        """Whether there will be no certificate."""
        return self.state in FAILURE_STATES


@dataclass(frozen=True, slots=True)
class Challenge(View):
    """A view of a Challenge; reads `object` and never changes it."""

    @property
    def issuer_ref(self) -> IssuerRef:
        """`spec.issuerRef`."""
        return IssuerRef.from_object(mapping_at(self.spec, "issuerRef"))

    @property
    def url(self) -> str:
        """Where the CA has it."""
        return str(self.spec.get("url") or "")

    @property
    def authorization_url(self) -> str:
        """Where the CA has the authorization that it is a part of."""
        return str(self.spec.get("authorizationURL") or "")

    @property
    def dns_name(self) -> str:
        """The name, or address, to prove; without `*.`."""
        return str(self.spec.get("dnsName") or "")

    @property
    def is_wildcard(self) -> bool:
        """Whether it proves the names below too."""
        return self.spec.get("wildcard") is True

    @property
    def type(self) -> str:
        """`HTTP-01` or `DNS-01`."""
        return str(self.spec.get("type") or "")

    @property
    def token(self) -> str:
        """`spec.token`."""
        return str(self.spec.get("token") or "")

    @property
    def key(self) -> str:
        """What is served, or stands in the TXT record."""
        return str(self.spec.get("key") or "")

    @property
    def solver(self) -> Mapping[str, Any]:
        """`spec.solver`."""
        return mapping_at(self.spec, "solver")

    @property
    def state(self) -> str:
        """Such as `pending`; empty before the CA was asked."""
        return str(self.status.get("state") or "")

    @property
    def reason(self) -> str:
        """`status.reason`."""
        return str(self.status.get("reason") or "")

    @property
    def is_processing(self) -> bool:
        """Whether the scheduler let it begin."""
        return self.status.get("processing") is True

    @property
    def is_presented(self) -> bool:
        """Whether its answer is in place."""
        return self.status.get("presented") is True

    @property
    def is_final(self) -> bool:
        """Whether it is proven, or never will be."""
        return self.state in FINAL_STATES

    @property
    def has_failed(self) -> bool:
        """Whether it never will be proven."""
        return self.state in FAILURE_STATES


def _octets(text: Any, field: str) -> bytes:
    try:
        return base64.b64decode(str(text or ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError(f"{field} is not base64: {error}") from error
