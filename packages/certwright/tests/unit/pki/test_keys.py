"""Private keys."""

from __future__ import annotations

from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa

from certwright.errors import InvalidError
from certwright.pki.keys import (
    decode_private_key,
    encode_private_key,
    encode_private_key_pkcs8,
    generate_private_key,
    private_key_violations,
    public_keys_equal,
)
from certwright.pki.pem import encode_pem
from certwright_testing.pki import make_certificate, make_key

KEYS: Final = {
    "RSA": make_key("rsa", "RSA", 2048),
    "P-256": make_key("p256", "ECDSA", 256),
    "P-384": make_key("p384", "ECDSA", 384),
    "P-521": make_key("p521", "ECDSA", 521),
    "Ed25519": make_key("ed", "Ed25519"),
}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("encoding", ["", "PKCS1", "PKCS8"])
def test_a_key_comes_back_from_every_encoding(name: str, encoding: str) -> None:
    """Whatever `spec.privateKey.encoding` says."""
    key = KEYS[name]
    decoded = decode_private_key(encode_private_key(key, encoding))

    assert public_keys_equal(key.public_key(), decoded.public_key())
    assert encode_private_key_pkcs8(decoded) == encode_private_key_pkcs8(key)


@pytest.mark.parametrize(
    ("name", "encoding", "block"),
    [
        ("RSA", "", "RSA PRIVATE KEY"),
        ("RSA", "PKCS8", "PRIVATE KEY"),
        ("P-256", "PKCS1", "EC PRIVATE KEY"),
        ("P-256", "PKCS8", "PRIVATE KEY"),
        ("Ed25519", "", "PRIVATE KEY"),
        ("Ed25519", "PKCS1", "PRIVATE KEY"),
    ],
)
def test_the_block_says_which_encoding_it_is(name: str, encoding: str, block: str) -> None:
    """Ed25519 has no encoding of its own."""
    assert encode_private_key(KEYS[name], encoding).startswith(f"-----BEGIN {block}-----".encode())


@pytest.mark.parametrize(
    ("algorithm", "size", "message"),
    [
        ("RSA", 1024, "weak rsa key size specified: 1024. minimum key size: 2048"),
        ("RSA", 8193, "rsa key size specified too big: 8193. maximum key size: 8192"),
        ("ECDSA", 255, "unsupported ecdsa key size specified: 255"),
        ("DSA", 0, "unsupported private key algorithm specified: DSA"),
    ],
)
def test_keys_that_there_are_not(algorithm: str, size: int, message: str) -> None:
    """The texts are cert-manager's."""
    with pytest.raises(InvalidError) as raised:
        generate_private_key(algorithm, size)

    assert message == str(raised.value)


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        pytest.param(b"", "error decoding private key PEM block", id="nothing"),
        pytest.param(
            encode_pem("CERTIFICATE", b"0"),
            "unknown private key type: CERTIFICATE",
            id="certificate",
        ),
        pytest.param(
            encode_pem("PRIVATE KEY", b"0"),
            "error parsing pkcs#8 private key: x509: failed to parse private key",
            id="broken",
        ),
        pytest.param(
            encode_private_key(KEYS["P-256"], "").replace(b"EC PRIVATE", b"RSA PRIVATE"),
            "error parsing rsa private key: the block holds a key of another kind",
            id="EC key in an RSA block",
        ),
        pytest.param(
            encode_private_key_pkcs8(dsa.generate_private_key(2048)),
            "error parsing pkcs#8 private key: invalid key type",
            id="DSA",
        ),
    ],
)
def test_bytes_that_are_no_key_are_refused(pem: bytes, message: str) -> None:
    """Nothing crashes, and the text says what was wrong."""
    with pytest.raises(InvalidError) as raised:
        decode_private_key(pem)

    assert message == str(raised.value)


def test_an_rsa_key_whose_numbers_do_not_belong_together_is_refused() -> None:
    """A key that was damaged in its modulus signs nothing."""
    pem = encode_private_key(KEYS["RSA"], "")
    other = encode_private_key(make_key("rsa2", "RSA", 2048), "")
    lines, others = pem.splitlines(), other.splitlines()
    damaged = b"\n".join([*lines[:3], others[3], *lines[4:]]) + b"\n"

    with pytest.raises(InvalidError, match=r"crypto/rsa|failed to parse"):
        decode_private_key(damaged)


@pytest.mark.parametrize(
    ("name", "spec", "violations"),
    [
        ("RSA", {}, []),
        ("RSA", {"algorithm": "RSA", "size": 4096}, ["spec.privateKey.size"]),
        ("RSA", {"algorithm": "ECDSA"}, ["spec.privateKey.algorithm"]),
        ("P-256", {"algorithm": "ECDSA"}, []),
        ("P-384", {"algorithm": "ECDSA"}, ["spec.privateKey.size"]),
        ("P-521", {"algorithm": "ECDSA", "size": 521}, []),
        ("P-256", {}, ["spec.privateKey.algorithm"]),
        ("Ed25519", {"algorithm": "Ed25519", "size": 7}, []),
        ("P-256", {"algorithm": "Ed25519"}, ["spec.privateKey.algorithm"]),
    ],
)
def test_a_key_is_compared_with_the_spec(
    name: str, spec: dict[str, object], violations: list[str]
) -> None:
    """Algorithm first; size only of the right algorithm."""
    assert violations == private_key_violations(KEYS[name], make_certificate(privateKey=spec))


def test_an_algorithm_nobody_knows_is_an_error() -> None:
    """Not a violation: a new key would not help."""
    with pytest.raises(InvalidError, match='unrecognised key algorithm type "DSA"'):
        private_key_violations(KEYS["RSA"], make_certificate(privateKey={"algorithm": "DSA"}))
