"""What an Order takes to the CA, and what it takes from it: CSR and chain.

Source: reference cert-manager.md 3.4 (finalize, preferredChain).
"""

from __future__ import annotations

from certwright.acme.questions import Downloaded
from certwright.errors import InvalidError
from certwright.pki.certificates import (
    DecodedCertificate,
    decode_certificates,
    encode_certificates,
)
from certwright.pki.names import name_of_rdns
from certwright.pki.pem import decode_pem

__all__ = ["choose_chain", "csr_der"]


def csr_der(request: bytes) -> bytes:
    """Return the CSR of an Order, which is PEM, or DER in old ones."""
    block = next(decode_pem(request), None)
    return request if block is None else block.der


def choose_chain(found: Downloaded, preferred: str) -> bytes:
    """Return the chain whose top was issued by `preferred`, or the CA's first choice.

    cert-manager 1.12 looks at every certificate of a chain, so that a cross-signed one deep in it
    matches (its issue 6757, mended in 1.14 as here).

    Raises:
        InvalidError: The CA's first choice is no chain.
    """
    first = decode_certificates(found.chain_pem)
    if not preferred:
        return encode_certificates(first)
    for chain in (first, *_readable(found.alternates)):
        if name_of_rdns(chain[-1].issuer).common_name == preferred:
            return encode_certificates(chain)
    return encode_certificates(first)


def _readable(chains: tuple[bytes, ...]) -> list[list[DecodedCertificate]]:
    found: list[list[DecodedCertificate]] = []
    for pem in chains:
        try:
            found.append(decode_certificates(pem))
        except InvalidError:
            continue
    return found
