"""Every type of issuer that Certwright signs for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from certwright.issuers.ca import CaSigner
from certwright.issuers.contract import Signer
from certwright.issuers.self_signed import SelfSignedSigner
from certwright.resources.issuer import IssuerType

__all__ = ["SIGNERS"]

_ALL: Final[tuple[Signer, ...]] = (CaSigner(), SelfSignedSigner())

SIGNERS: Final = MappingProxyType[IssuerType, Signer]({signer.type: signer for signer in _ALL})
"""Signers by type; what is not here is refused by the loops with a condition."""
