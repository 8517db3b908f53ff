"""What issuers keep in Secrets: keys and chains, with cert-manager's words for what is wrong.

Source: cert-manager v1.12.2 pkg/util/kube/pki.go.
"""

from __future__ import annotations

from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.keys import SigningKey, decode_private_key
from certwright.resources import known
from certwright.resources.secret import Secret

__all__ = ["certificate_chain", "key_pair_and_ca", "private_key"]


def private_key(secret: Secret) -> SigningKey:
    """Return the key in `tls.key`.

    Raises:
        InvalidError: It is absent or none.
    """
    data = secret.data
    if known.TLS_KEY not in data:
        raise InvalidError(f"no data for {_shown(known.TLS_KEY)} in secret '{_place(secret)}'")
    return decode_private_key(data[known.TLS_KEY])


def certificate_chain(secret: Secret) -> list[DecodedCertificate]:
    """Return the certificates in `tls.crt`.

    Raises:
        InvalidError: They are absent or none.
    """
    data = secret.data
    if known.TLS_CRT not in data:
        raise InvalidError(f"no data for {_shown(known.TLS_CRT)} in secret '{_place(secret)}'")
    return decode_certificates(data[known.TLS_CRT])


def key_pair_and_ca(secret: Secret) -> tuple[list[DecodedCertificate], SigningKey]:
    """Return the certificates in `tls.crt`, then the first in `ca.crt` if any, and the key.

    Raises:
        InvalidError: One of them is absent or none.
    """
    data = secret.data
    if known.TLS_KEY not in data:
        raise InvalidError(
            f"no private key data for {_shown(known.TLS_KEY)} in secret '{_place(secret)}'"
        )
    key = decode_private_key(data[known.TLS_KEY])
    if known.TLS_CRT not in data:
        raise InvalidError(
            f"no certificate data for {_shown(known.TLS_CRT)} in secret '{_place(secret)}'"
        )
    chain = decode_certificates(data[known.TLS_CRT])
    if data.get(known.CA_CRT):
        chain = [*chain, decode_certificates(data[known.CA_CRT])[0]]
    return chain, key


def _place(secret: Secret) -> str:
    return f"{secret.namespace}/{secret.name}"


def _shown(entry: str) -> str:
    return f'"{entry}"'
