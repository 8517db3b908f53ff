"""Every type of issuer that Certwright signs for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from certwright.issuers.acme import AcmeSigner
from certwright.issuers.ca import CaSigner
from certwright.issuers.contract import Signer, StatedSigner
from certwright.issuers.self_signed import SelfSignedSigner
from certwright.issuers.vault import VaultSigner
from certwright.issuers.venafi import VenafiSigner
from certwright.resources.issuer import IssuerType

__all__ = ["SIGNERS", "STATED_SIGNERS"]

_STATED: Final[tuple[StatedSigner, ...]] = (
    CaSigner(),
    SelfSignedSigner(),
    VaultSigner(),
    VenafiSigner(),
)
_ALL: Final[tuple[Signer, ...]] = (AcmeSigner(), *_STATED)

STATED_SIGNERS: Final = MappingProxyType[IssuerType, StatedSigner](
    {signer.type: signer for signer in _STATED}
)
"""Those that say by themselves whether they are ready; an ACME account is a life of its own."""

SIGNERS: Final = MappingProxyType[IssuerType, Signer]({signer.type: signer for signer in _ALL})
"""Signers by type: every type there is."""
