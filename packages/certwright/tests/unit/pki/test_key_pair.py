"""Key pairs, in the words of Go's crypto/tls."""

from __future__ import annotations

import pytest

from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import encode_private_key
from certwright.pki.pem import encode_pem
from certwright_testing.pki import make_ca, make_key

CA, KEY = make_ca("root")
PEM, KEY_PEM = CA.pem, encode_private_key(KEY, "")
RSA_PEM = encode_private_key(make_key("rsa", "RSA", 2048), "PKCS8")


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        pytest.param(PEM, KEY_PEM, "", id="a pair"),
        pytest.param(PEM + make_ca("other")[0].pem, KEY_PEM, "", id="only the first counts"),
        pytest.param(b"\xef\xbb\xbftext\n" + PEM, b"text\n" + KEY_PEM, "", id="text around"),
        pytest.param(
            b"", KEY_PEM, "tls: failed to find any PEM data in certificate input", id="no cert"
        ),
        pytest.param(
            KEY_PEM,
            PEM,
            "tls: failed to find certificate PEM data in certificate input, but did find a private "
            "key; PEM inputs may have been switched",
            id="switched",
        ),
        pytest.param(
            encode_pem("X", b"") + encode_pem("Y", b""),
            KEY_PEM,
            'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM '
            "blocks of the following types: [X Y]",
            id="other blocks as certificate",
        ),
        pytest.param(PEM, b"", "tls: failed to find any PEM data in key input", id="no key"),
        pytest.param(
            PEM,
            PEM,
            "tls: found a certificate rather than a key in the PEM for the private key",
            id="certificate as key",
        ),
        pytest.param(
            PEM,
            encode_pem("X", b"") + PEM,
            'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after '
            "skipping PEM blocks of the following types: [X CERTIFICATE]",
            id="other blocks as key",
        ),
        pytest.param(
            encode_pem("CERTIFICATE", b"0"), KEY_PEM, "x509: malformed certificate", id="broken"
        ),
        pytest.param(
            PEM,
            encode_pem("PRIVATE KEY", b"0"),
            "tls: failed to parse private key",
            id="broken key",
        ),
        pytest.param(
            PEM, RSA_PEM, "tls: private key type does not match public key type", id="RSA, ECDSA"
        ),
        pytest.param(
            PEM,
            encode_private_key(make_key("other"), ""),
            "tls: private key does not match public key",
            id="another key",
        ),
    ],
)
def test_a_certificate_and_a_key_are_a_pair_or_it_is_said_why_not(
    certificate: bytes, key: bytes, expected: str
) -> None:
    """Users search for these texts."""
    assert expected == check_key_pair(certificate, key)
