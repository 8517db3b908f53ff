"""Keystores, opened by openssl and by Java's keytool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from certwright.errors import InvalidError
from certwright.issuers.ca import CaSigner
from certwright.issuers.contract import Signed
from certwright.pki.certificates import decode_certificate, decode_certificates
from certwright.pki.keys import decode_private_key, encode_private_key, encode_private_key_pkcs8
from certwright.pki.keystores import (
    combined_pem,
    jks_keystore,
    jks_truststore,
    key_der,
    pkcs12_keystore,
    pkcs12_truststore,
)
from certwright.pki.pem import decode_pem
from certwright_testing.pki import (
    make_ca,
    make_certificate,
    make_issuer,
    make_key,
    make_request,
    make_secret,
    make_signing_request,
)

PASSWORD: Final = "correct-horse"
ROOT, ROOT_KEY = make_ca("root")
MIDDLE, MIDDLE_KEY = make_ca("middle", (ROOT, ROOT_KEY))
needs_keytool = pytest.mark.skipif(
    shutil.which("keytool") is None, reason="keytool (a Java runtime) is not installed"
)
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed"
)
ALGORITHMS: Final = ["RSA", "ECDSA", "Ed25519"]


def issued(algorithm: str) -> tuple[bytes, bytes, bytes]:
    """Return key, chain and CA of a certificate for that kind of key."""
    key = make_key(algorithm, algorithm)
    secret = make_secret(
        "ca",
        {"tls.crt": MIDDLE.pem, "tls.key": encode_private_key(MIDDLE_KEY, ""), "ca.crt": ROOT.pem},
    )
    certificate = make_certificate(commonName="leaf", privateKey={"algorithm": algorithm})
    request = make_request(certificate, key=key)
    outcome = CaSigner().sign(make_signing_request(request, make_issuer(), secret))
    assert isinstance(outcome, Signed)
    return encode_private_key(key, ""), outcome.certificate_pem, outcome.ca_pem


def keytool(*arguments: str) -> str:
    """Run keytool; return what it says, both ways."""
    run = subprocess.run(
        ["keytool", *arguments, "-storepass", PASSWORD],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def openssl(*arguments: str) -> bytes:
    """Run openssl; return what it prints."""
    return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout


@needs_openssl
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_openssl_opens_a_pkcs12_keystore_without_legacy(algorithm: str, tmp_path: Path) -> None:
    """Key and whole chain come out as they went in."""
    key, chain, ca = issued(algorithm)
    path = tmp_path / "keystore.p12"
    path.write_bytes(pkcs12_keystore(PASSWORD.encode(), key, chain, ca))
    shown = openssl("pkcs12", "-in", str(path), "-passin", f"pass:{PASSWORD}", "-nodes")
    blocks = list(decode_pem(shown))
    certificates = [decode_certificate(b.der) for b in blocks if b.type == "CERTIFICATE"]
    keys = [block for block in blocks if block.type == "PRIVATE KEY"]

    assert certificates == decode_certificates(chain + ca)
    assert keys == list(decode_pem(encode_private_key_pkcs8(decode_private_key(key))))


@needs_keytool
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["p12", "jks"])
def test_keytool_finds_the_key_and_its_chain(algorithm: str, kind: str, tmp_path: Path) -> None:
    """Leaf, intermediate and, in PKCS#12, the root behind them."""
    key, chain, ca = issued(algorithm)
    write = pkcs12_keystore if kind == "p12" else jks_keystore
    path = tmp_path / f"keystore.{kind}"
    path.write_bytes(write(PASSWORD.encode(), key, chain, ca))
    alias = "1" if kind == "p12" else "certificate"
    shown = keytool("-list", "-rfc", "-alias", alias, "-keystore", str(path))

    assert "PrivateKeyEntry" in shown
    assert f"Certificate chain length: {3 if kind == 'p12' else 2}" in shown
    assert decode_certificates(shown.encode())[:2] == decode_certificates(chain)


@needs_keytool
@needs_openssl
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_jks_key_comes_out_with_the_password(algorithm: str, tmp_path: Path) -> None:
    """Keytool turns JKS into PKCS#12 only if it can open the key; openssl then shows it."""
    key, chain, ca = issued(algorithm)
    jks, p12 = tmp_path / "keystore.jks", tmp_path / "out.p12"
    jks.write_bytes(jks_keystore(PASSWORD.encode(), key, chain, ca))
    said = keytool(
        "-importkeystore", "-srckeystore", str(jks), "-srcstorepass", PASSWORD, "-srcalias",
        "certificate", "-destkeystore", str(p12), "-deststoretype", "PKCS12", "-deststorepass",
        PASSWORD,
    )  # fmt: skip
    assert p12.exists(), said
    shown = openssl("pkcs12", "-in", str(p12), "-passin", f"pass:{PASSWORD}", "-nodes", "-nocerts")
    found = next(block for block in decode_pem(shown) if block.type == "PRIVATE KEY")

    assert next(decode_pem(encode_private_key_pkcs8(decode_private_key(key)))) == found


@needs_keytool
@pytest.mark.parametrize("kind", ["p12", "jks"])
def test_keytool_trusts_the_cas_of_a_truststore(kind: str, tmp_path: Path) -> None:
    """Each CA is an entry that Java trusts."""
    write = pkcs12_truststore if kind == "p12" else jks_truststore
    path = tmp_path / f"truststore.{kind}"
    path.write_bytes(write(PASSWORD.encode(), ROOT.pem + MIDDLE.pem))
    shown = keytool("-list", "-keystore", str(path))

    assert shown.count("trustedCertEntry") == 2
    for alias in ("cn=root", "cn=middle") if kind == "p12" else ("ca,", "ca-1,"):
        assert alias in shown


@needs_keytool
@pytest.mark.parametrize("kind", ["p12", "jks"])
def test_another_password_opens_nothing(kind: str, tmp_path: Path) -> None:
    """The store is protected by the password."""
    key, chain, ca = issued("ECDSA")
    write = pkcs12_keystore if kind == "p12" else jks_keystore
    path = tmp_path / "keystore"
    path.write_bytes(write(b"something else", key, chain, ca))

    assert "password was incorrect" in keytool("-list", "-keystore", str(path))


def test_a_jks_keystore_is_the_same_for_the_same_input() -> None:
    """So a Secret is not rewritten without need; another password gives another one."""
    parts = issued("ECDSA")

    assert jks_keystore(b"x", *parts) == jks_keystore(b"x", *parts)
    assert jks_keystore(b"x", *parts) != jks_keystore(b"y", *parts)


def test_a_keystore_without_a_key_is_refused() -> None:
    """With the words for what is missing."""
    _, chain, ca = issued("ECDSA")
    for write in (pkcs12_keystore, jks_keystore):
        with pytest.raises(InvalidError, match="error decoding private key PEM block"):
            write(b"x", b"", chain, ca)
    for write in (pkcs12_truststore, jks_truststore):
        with pytest.raises(InvalidError, match="error decoding certificate PEM block"):
            write(b"x", b"")


def test_the_extra_formats_follow_the_encoding_of_the_key() -> None:
    """`key.der` is what is in `tls.key`; `tls-combined.pem` has a line between its parts."""
    key, chain, _ = issued("ECDSA")
    pkcs8 = encode_private_key(decode_private_key(key), "PKCS8")

    assert key_der(key) != key_der(pkcs8)
    assert combined_pem(key, chain) == key + b"\n" + chain


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_store_with_pbmac1(algorithm: str) -> None:
    """The OpenSSL of `cryptography` (3.4 or newer) reads the MAC of RFC 9879."""
    key, chain, ca = issued(algorithm)
    password = "pässwort-鍵".encode()
    store = pkcs12_keystore(password, key, chain, ca, profile="Modern2026")
    pbmac1 = bytes.fromhex("06092a864886f70d01050e")
    assert pbmac1 in store
    assert pbmac1 not in pkcs12_keystore(password, key, chain, ca, profile="Modern2023")

    found_key, leaf, others = pkcs12.load_key_and_certificates(store, password)
    expected = decode_certificates(chain)[0]
    assert leaf is not None
    assert found_key is not None
    assert leaf.public_bytes(Encoding.DER) == expected.der
    assert found_key.public_key() == decode_private_key(key).public_key()
    assert len(others) == len(decode_certificates(chain + ca)) - 1
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(store, b"another")

    trusted = pkcs12_truststore(password, ca, profile="Modern2026")
    assert pbmac1 in trusted
    assert len(pkcs12.load_key_and_certificates(trusted, password)[2]) == 1
    assert pbmac1 not in pkcs12_truststore(b"", ca, profile="Modern2026")
