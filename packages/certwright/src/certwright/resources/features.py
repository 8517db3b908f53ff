"""Feature gates: what is alpha and off until asked for.

Source: reference cert-manager.md 8.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from certwright.errors import InvalidError

__all__ = [
    "ACME_USE_ARI",
    "ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS",
    "EXPERIMENTAL_CERTIFICATE_SIGNING_REQUEST_CONTROLLERS",
    "EXPERIMENTAL_GATEWAY_API_SUPPORT",
    "FEATURES",
    "LISTENER_SETS",
    "LITERAL_CERTIFICATE_SUBJECT",
    "NAME_CONSTRAINTS",
    "OTHER_NAMES",
    "SECRETS_FILTERED_CACHING",
    "SERVER_SIDE_APPLY",
    "STABLE_CERTIFICATE_REQUEST_NAME",
    "USE_CERTIFICATE_REQUEST_BASIC_CONSTRAINTS",
    "VALIDATE_CAA",
    "FeatureGates",
]

ACME_USE_ARI: Final = "ACMEUseARI"
"""Of a later version (1.21)."""
ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS: Final = "AdditionalCertificateOutputFormats"
EXPERIMENTAL_CERTIFICATE_SIGNING_REQUEST_CONTROLLERS: Final = (
    "ExperimentalCertificateSigningRequestControllers"
)
EXPERIMENTAL_GATEWAY_API_SUPPORT: Final = "ExperimentalGatewayAPISupport"
LISTENER_SETS: Final = "ListenerSets"
"""Of a later version (1.20)."""
LITERAL_CERTIFICATE_SUBJECT: Final = "LiteralCertificateSubject"
NAME_CONSTRAINTS: Final = "NameConstraints"
OTHER_NAMES: Final = "OtherNames"
"""Both of a later version (1.14)."""
SECRETS_FILTERED_CACHING: Final = "SecretsFilteredCaching"
SERVER_SIDE_APPLY: Final = "ServerSideApply"
STABLE_CERTIFICATE_REQUEST_NAME: Final = "StableCertificateRequestName"
USE_CERTIFICATE_REQUEST_BASIC_CONSTRAINTS: Final = "UseCertificateRequestBasicConstraints"
VALIDATE_CAA: Final = "ValidateCAA"

FEATURES: Final = (
    ACME_USE_ARI,
    ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS,
    EXPERIMENTAL_CERTIFICATE_SIGNING_REQUEST_CONTROLLERS,
    EXPERIMENTAL_GATEWAY_API_SUPPORT,
    LISTENER_SETS,
    LITERAL_CERTIFICATE_SUBJECT,
    NAME_CONSTRAINTS,
    OTHER_NAMES,
    SECRETS_FILTERED_CACHING,
    SERVER_SIDE_APPLY,
    STABLE_CERTIFICATE_REQUEST_NAME,
    USE_CERTIFICATE_REQUEST_BASIC_CONSTRAINTS,
    VALIDATE_CAA,
)
"""Every gate; all are alpha and off."""

_ALL_ALPHA: Final = "AllAlpha"
_ALL_BETA: Final = "AllBeta"
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True)
class FeatureGates:
    """Which features are on."""

    enabled: frozenset[str] = field(default_factory=frozenset)

    def __contains__(self, feature: str) -> bool:
        return feature in self.enabled

    @classmethod
    def parse(cls, text: str) -> FeatureGates:
        """Return the gates of `A=true,B=false`; AllAlpha stands for all that are not named.

        Raises:
            InvalidError: A gate is unknown (`unrecognized feature gate: X`), has no value or one
                that is not a bool of Go.

        Source: component-base v0.27 featuregate `Set`.
        """
        settings: dict[str, str] = {}
        for part in text.split(","):
            pair = part.strip()
            if not pair:
                continue
            gate, equals, value = pair.partition("=")
            if not equals:
                raise InvalidError(f"missing bool value for {gate.strip()}")
            settings[gate.strip()] = value.strip()
        return cls.from_mapping({gate: _boolean(gate, text) for gate, text in settings.items()})

    @classmethod
    def from_mapping(cls, settings: Mapping[str, bool]) -> FeatureGates:
        """Return the gates of a configuration file's `featureGates`.

        Raises:
            InvalidError: A gate is unknown.
        """
        for gate in settings:
            if gate not in {*FEATURES, _ALL_ALPHA, _ALL_BETA}:
                raise InvalidError(f"unrecognized feature gate: {gate}")
        alpha = settings.get(_ALL_ALPHA, False)
        return cls(frozenset(gate for gate in FEATURES if settings.get(gate, alpha)))


def _boolean(gate: str, value: str) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidError(
        f"invalid value of {gate}={value}, err: "
        f'strconv.ParseBool: parsing "{value}": invalid syntax'
    )
