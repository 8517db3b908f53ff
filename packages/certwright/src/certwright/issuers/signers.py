"""Every type of issuer that Certwright signs for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from certwright.issuers.acme import AcmeSigner
from certwright.issuers.ca import CaSigner
from certwright.issuers.contract import LocalSigner, Signer
from certwright.issuers.self_signed import SelfSignedSigner
from certwright.resources.issuer import IssuerType

__all__ = ["LOCAL_SIGNERS", "SIGNERS"]

_LOCAL: Final[tuple[LocalSigner, ...]] = (CaSigner(), SelfSignedSigner())
_ALL: Final[tuple[Signer, ...]] = (AcmeSigner(), *_LOCAL)

LOCAL_SIGNERS: Final = MappingProxyType[IssuerType, LocalSigner](
    {signer.type: signer for signer in _LOCAL}
)
"""Those whose readiness follows from objects alone."""

SIGNERS: Final = MappingProxyType[IssuerType, Signer]({signer.type: signer for signer in _ALL})
"""Signers by type; what is not here is refused by the loops with a condition."""
