"""Chains: certificates in any order, brought into the one order there is.

Source: reference cert-manager.md 2.7 (Chains); cert-manager v1.12.2 pkg/util/pki/parse.go
(ParseSingleCertificateChain).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from certwright.errors import InvalidError
from certwright.pki.certificates import (
    DecodedCertificate,
    decode_certificates,
    encode_certificates,
)

__all__ = ["ChainResult", "order_chain", "parse_chain"]


@dataclass(frozen=True, slots=True)
class ChainResult:
    """A chain, as a Secret and a request's status hold it."""

    chain_pem: bytes
    """Leaf first, without a self-signed root, unless the leaf is one."""
    ca_pem: bytes
    """The highest certificate known; empty if that is the leaf and it is not self-signed."""


def parse_chain(pem: bytes) -> ChainResult:
    """Return the one chain that the PEM blocks form, in whatever order they stand.

    Raises:
        InvalidError: There is no certificate, or they are not one chain.
    """
    return order_chain(decode_certificates(pem))


def order_chain(certificates: Iterable[DecodedCertificate]) -> ChainResult:
    """Return the one chain that the certificates form; the same one twice counts once.

    Raises:
        InvalidError: They are not one chain.
    """
    chains = [[certificate] for certificate in dict.fromkeys(certificates)]
    while len(chains) > 1:
        if not _join_two(chains):
            raise InvalidError("certificate chain is malformed or broken")
    if not chains:
        raise InvalidError("error decoding certificate PEM block")
    return _to_result(chains[0])


def _join_two(chains: list[list[DecodedCertificate]]) -> bool:
    """Join the first two chains that fit, in place; say whether there were two."""
    for at, chain in enumerate(chains):
        for other_at in range(at + 1, len(chains)):
            other = chains[other_at]
            if other[-1].is_signed_by(chain[0]):
                joined = other + chain
            elif chain[-1].is_signed_by(other[0]):
                joined = chain + other
            else:
                continue
            chains[at] = joined
            del chains[other_at]
            return True
    return False


def _to_result(chain: list[DecodedCertificate]) -> ChainResult:
    top = chain[-1]
    below = [certificate for certificate in chain[:-1] if not certificate.is_self_signed]
    if len(chain) == 1:
        return ChainResult(top.pem, top.pem if top.is_self_signed else b"")
    kept = below if top.is_self_signed else [*below, top]
    return ChainResult(encode_certificates(kept), top.pem)
