"""The Certificate: what a user wants, and what became of it.

Every property gives what is stored; an absent field is None, "" or (). Defaults are only in the
properties that end in `_or_default`, because stored objects keep unset fields unset.

Source: reference cert-manager.md 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from certwright.resources.durations import HOUR_NANO, parse_duration
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.meta import mapping_at
from certwright.resources.times import parse_time
from certwright.resources.view import View

__all__ = [
    "DEFAULT_DURATION_NANO",
    "DEFAULT_USAGES",
    "SIGNATURE_ALGORITHMS",
    "Certificate",
    "Keystore",
    "PrivateKeySpec",
    "RenewalWindow",
    "SecretKeyRef",
    "Subject",
]

DEFAULT_DURATION_NANO: Final = 2160 * HOUR_NANO
"""90 days."""
DEFAULT_USAGES: Final = ("digital signature", "key encipherment")
SIGNATURE_ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "RSA": ("SHA256WithRSA", "SHA384WithRSA", "SHA512WithRSA"),
        "ECDSA": ("ECDSAWithSHA256", "ECDSAWithSHA384", "ECDSAWithSHA512"),
        "Ed25519": ("PureEd25519",),
    }
)
"""What `spec.signatureAlgorithm` may be, by `spec.privateKey.algorithm`."""
_SIZE_DEFAULT: Final = {"RSA": 2048, "ECDSA": 256}


@dataclass(frozen=True, slots=True)
class SecretKeyRef:
    """Names one entry of a Secret in the same namespace."""

    name: str
    key: str = ""

    @classmethod
    def from_object(cls, ref: Mapping[str, Any]) -> SecretKeyRef:
        """Read the JSON of a reference."""
        return cls(str(ref.get("name") or ""), str(ref.get("key") or ""))


@dataclass(frozen=True, slots=True)
class Subject:
    """`spec.subject`: the distinguished name but for its common name."""

    organizations: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()
    provinces: tuple[str, ...] = ()
    street_addresses: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    serial_number: str = ""


@dataclass(frozen=True, slots=True)
class PrivateKeySpec:
    """`spec.privateKey`."""

    algorithm: str = ""
    """`RSA`, `ECDSA`, `Ed25519`, or empty."""
    size: int = 0
    """Bits; 0 if unset."""
    encoding: str = ""
    """`PKCS1`, `PKCS8`, or empty."""
    rotation_policy: str = ""
    """`Never`, `Always`, or empty."""

    @property
    def algorithm_or_default(self) -> str:
        """RSA if unset."""
        return self.algorithm or "RSA"

    @property
    def size_or_default(self) -> int:
        """2048 bits for RSA, 256 for ECDSA, 0 for Ed25519, if unset."""
        return self.size or _SIZE_DEFAULT.get(self.algorithm_or_default, 0)

    @property
    def encoding_or_default(self) -> str:
        """PKCS1 if unset."""
        return self.encoding or "PKCS1"

    @property
    def rotation_policy_or_default(self) -> str:
        """Never if unset."""
        return self.rotation_policy or "Never"


@dataclass(frozen=True, slots=True)
class Keystore:
    """One of `spec.keystores`."""

    create: bool
    password: SecretKeyRef
    literal_password: str = ""
    """`password`, of later versions (1.17); counts where there is no reference."""
    alias: str = ""
    """Of the key, JKS only; of later versions (1.15)."""
    profile: str = ""
    """Algorithms, PKCS#12 only; of later versions (1.14)."""


@dataclass(frozen=True, slots=True)
class RenewalWindow:
    """One of `spec.renewal.windows`, as written."""

    cron: str
    timezone: str
    duration: str | None


@dataclass(frozen=True, slots=True)
class Certificate(View):
    """A view of a Certificate; reads `object` and never changes it."""

    # ------------------------------------------------------------------ spec

    @property
    def secret_name(self) -> str:
        """`spec.secretName`: the Secret that the key and certificate are written to."""
        return str(self.spec.get("secretName") or "")

    @property
    def common_name(self) -> str:
        """`spec.commonName`."""
        return str(self.spec.get("commonName") or "")

    @property
    def literal_subject(self) -> str:
        """`spec.literalSubject`, an RFC 4514 string."""
        return str(self.spec.get("literalSubject") or "")

    @property
    def dns_names(self) -> tuple[str, ...]:
        """`spec.dnsNames`."""
        return _texts(self.spec, "dnsNames")

    @property
    def ip_addresses(self) -> tuple[str, ...]:
        """`spec.ipAddresses`, as written."""
        return _texts(self.spec, "ipAddresses")

    @property
    def uris(self) -> tuple[str, ...]:
        """`spec.uris`."""
        return _texts(self.spec, "uris")

    @property
    def email_addresses(self) -> tuple[str, ...]:
        """`spec.emailAddresses`."""
        return _texts(self.spec, "emailAddresses")

    @property
    def other_names(self) -> tuple[tuple[str, str], ...]:
        """`spec.otherNames`, of later versions: object identifier and text."""
        return tuple(
            (str(entry.get("oid") or ""), str(entry.get("utf8Value") or ""))
            for entry in self.spec.get("otherNames") or ()
        )

    @property
    def name_constraints(self) -> Mapping[str, Any] | None:
        """`spec.nameConstraints` as it is, of later versions; None if there are none."""
        found = self.spec.get("nameConstraints")
        return found if isinstance(found, Mapping) and found else None

    @property
    def subject(self) -> Subject | None:
        """`spec.subject`, or None."""
        subject = self.spec.get("subject")
        if not isinstance(subject, Mapping):
            return None
        return Subject(
            organizations=_texts(subject, "organizations"),
            countries=_texts(subject, "countries"),
            organizational_units=_texts(subject, "organizationalUnits"),
            localities=_texts(subject, "localities"),
            provinces=_texts(subject, "provinces"),
            street_addresses=_texts(subject, "streetAddresses"),
            postal_codes=_texts(subject, "postalCodes"),
            serial_number=str(subject.get("serialNumber") or ""),
        )

    @property
    def subject_or_default(self) -> Subject:
        """An empty subject if there is none."""
        return self.subject or Subject()

    @property
    def issuer_ref(self) -> IssuerRef:
        """`spec.issuerRef`."""
        return IssuerRef.from_object(mapping_at(self.spec, "issuerRef"))

    @property
    def private_key(self) -> PrivateKeySpec | None:
        """`spec.privateKey`, or None."""
        key = self.spec.get("privateKey")
        if not isinstance(key, Mapping):
            return None
        return PrivateKeySpec(
            algorithm=str(key.get("algorithm") or ""),
            size=int(key.get("size") or 0),
            encoding=str(key.get("encoding") or ""),
            rotation_policy=str(key.get("rotationPolicy") or ""),
        )

    @property
    def private_key_or_default(self) -> PrivateKeySpec:
        """An empty one if there is none; its own `_or_default` properties fill the fields."""
        return self.private_key or PrivateKeySpec()

    @property
    def signature_algorithm(self) -> str:
        """`spec.signatureAlgorithm` of later versions: how the request is signed; or empty."""
        return str(self.spec.get("signatureAlgorithm") or "")

    @property
    def duration_nano(self) -> int | None:
        """`spec.duration` in nanoseconds, or None.

        Raises:
            InvalidError: It is no duration.
        """
        return _duration_nano(self.spec, "duration")

    @property
    def duration_nano_or_default(self) -> int:
        """2160 hours if unset; a duration of 0 stays 0, as in cert-manager."""
        duration_nano = self.duration_nano
        return DEFAULT_DURATION_NANO if duration_nano is None else duration_nano

    @property
    def renew_before_nano(self) -> int | None:
        """`spec.renewBefore` in nanoseconds, or None.

        Raises:
            InvalidError: It is no duration.
        """
        return _duration_nano(self.spec, "renewBefore")

    @property
    def renew_before_percentage(self) -> int | None:
        """`spec.renewBeforePercentage` of later versions, or None."""
        percentage = self.spec.get("renewBeforePercentage")
        return None if percentage is None else int(percentage)

    @property
    def renewal_policy(self) -> str | None:
        """`spec.renewal.policy` of later versions: `RenewBefore`, `Disabled`; None if unset."""
        renewal = self.spec.get("renewal")
        return str(renewal.get("policy") or "") if isinstance(renewal, Mapping) else None

    @property
    def renewal_windows(self) -> tuple[RenewalWindow, ...]:
        """`spec.renewal.windows` of later versions."""
        renewal = self.spec.get("renewal")
        listed = renewal.get("windows") if isinstance(renewal, Mapping) else None
        return tuple(
            RenewalWindow(
                cron=str(window.get("cron") or ""),
                timezone=str(window.get("timezone") or ""),
                duration=None
                if window.get("windowDuration") is None
                else str(window["windowDuration"]),
            )
            for window in listed or ()
            if isinstance(window, Mapping)
        )

    @property
    def usages(self) -> tuple[str, ...]:
        """`spec.usages`."""
        return _texts(self.spec, "usages")

    @property
    def usages_or_default(self) -> tuple[str, ...]:
        """Digital signature and key encipherment if none are set."""
        return self.usages or DEFAULT_USAGES

    @property
    def is_ca(self) -> bool:
        """`spec.isCA`."""
        return bool(self.spec.get("isCA"))

    @property
    def encode_usages_in_request_or_default(self) -> bool:
        """`spec.encodeUsagesInRequest`; True if unset."""
        return self.spec.get("encodeUsagesInRequest") is not False

    @property
    def revision_history_limit(self) -> int | None:
        """`spec.revisionHistoryLimit`; None keeps all."""
        limit = self.spec.get("revisionHistoryLimit")
        return None if limit is None else int(limit)

    @property
    def secret_template_labels(self) -> Mapping[str, str]:
        """`spec.secretTemplate.labels`."""
        return mapping_at(self.spec, "secretTemplate", "labels")

    @property
    def secret_template_annotations(self) -> Mapping[str, str]:
        """`spec.secretTemplate.annotations`."""
        return mapping_at(self.spec, "secretTemplate", "annotations")

    @property
    def additional_output_formats(self) -> tuple[str, ...]:
        """The types in `spec.additionalOutputFormats`: `DER`, `CombinedPEM`."""
        formats = self.spec.get("additionalOutputFormats") or ()
        return tuple(str(entry.get("type") or "") for entry in formats)

    @property
    def pkcs12_keystore(self) -> Keystore | None:
        """`spec.keystores.pkcs12`, or None."""
        return _keystore(self.spec, "pkcs12")

    @property
    def jks_keystore(self) -> Keystore | None:
        """`spec.keystores.jks`, or None."""
        return _keystore(self.spec, "jks")

    # ------------------------------------------------------------------ status

    @property
    def revision(self) -> int | None:
        """`status.revision`, or None before the first issuance."""
        revision = self.status.get("revision")
        return None if revision is None else int(revision)

    @property
    def next_private_key_secret_name(self) -> str:
        """`status.nextPrivateKeySecretName`, or empty."""
        return str(self.status.get("nextPrivateKeySecretName") or "")

    @property
    def failed_issuance_attempts(self) -> int | None:
        """`status.failedIssuanceAttempts`, or None."""
        attempts = self.status.get("failedIssuanceAttempts")
        return None if attempts is None else int(attempts)

    @property
    def last_failure_time(self) -> datetime | None:
        """`status.lastFailureTime`, or None."""
        return _instant(self.status, "lastFailureTime")

    @property
    def not_before(self) -> datetime | None:
        """`status.notBefore`, or None."""
        return _instant(self.status, "notBefore")

    @property
    def not_after(self) -> datetime | None:
        """`status.notAfter`, or None."""
        return _instant(self.status, "notAfter")

    @property
    def renewal_time(self) -> datetime | None:
        """`status.renewalTime`, or None."""
        return _instant(self.status, "renewalTime")


def _texts(mapping: Mapping[str, Any], field: str) -> tuple[str, ...]:
    return tuple(str(text) for text in mapping.get(field) or ())


def _duration_nano(mapping: Mapping[str, Any], field: str) -> int | None:
    text = mapping.get(field)
    return None if text is None else parse_duration(str(text))


def _instant(mapping: Mapping[str, Any], field: str) -> datetime | None:
    text = mapping.get(field)
    return parse_time(str(text)) if text else None


def _keystore(spec: Mapping[str, Any], kind: str) -> Keystore | None:
    keystore = mapping_at(spec, "keystores").get(kind)
    if not isinstance(keystore, Mapping):
        return None
    return Keystore(
        create=bool(keystore.get("create")),
        password=SecretKeyRef.from_object(mapping_at(keystore, "passwordSecretRef")),
        literal_password=str(keystore.get("password") or ""),
        alias=str(keystore.get("alias") or ""),
        profile=str(keystore.get("profile") or ""),
    )
