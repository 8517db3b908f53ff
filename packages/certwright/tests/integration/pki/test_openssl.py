"""Requests and certificates, read and verified by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from certwright.issuers.ca import CaSigner
from certwright.issuers.contract import Signed
from certwright.pki.keys import encode_private_key
from certwright.pki.usages import EXTENDED_KEY_USAGES, KEY_USAGES
from certwright_testing.pki import (
    make_ca,
    make_certificate,
    make_issuer,
    make_key,
    make_request,
    make_secret,
    make_signing_request,
)

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

KEYS = [("RSA", 2048), ("ECDSA", 256), ("ECDSA", 384), ("ECDSA", 521), ("Ed25519", 0)]


def openssl(*arguments: str, data: bytes = b"") -> str:
    """Run openssl; return what it says, both ways."""
    run = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    return (run.stdout + run.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize(("algorithm", "size"), KEYS)
def test_a_request_verifies(algorithm: str, size: int) -> None:
    """With every kind of key."""
    key = make_key(f"{algorithm}{size}", algorithm, size)
    certificate = make_certificate(
        commonName="예시" * 40,
        subject={"countries": ["KOR"], "organizations": ["a", "b"]},
        privateKey={"algorithm": algorithm, "size": size},
    )
    shown = openssl(
        "req", "-noout", "-verify", "-text", data=make_request(certificate, key=key).request
    )

    assert "verify OK" in shown
    assert "C = KOR, O = a + O = b" in shown


@pytest.mark.parametrize(("algorithm", "size"), KEYS)
def test_a_leaf_verifies_against_its_root(algorithm: str, size: int, tmp_path: Path) -> None:
    """Through an intermediate, whatever key the leaf has."""
    root, root_key = make_ca("root")
    middle, middle_key = make_ca("middle", (root, root_key))
    secret = make_secret(
        "ca",
        {"tls.crt": middle.pem, "tls.key": encode_private_key(middle_key, ""), "ca.crt": root.pem},
    )
    key = make_key(f"{algorithm}{size}", algorithm, size)
    request = make_request(
        make_certificate(dnsNames=["a.example"], privateKey={"algorithm": algorithm, "size": size}),
        key=key,
    )
    outcome = CaSigner().sign(make_signing_request(request, make_issuer(), secret))
    assert isinstance(outcome, Signed)
    (tmp_path / "chain.pem").write_bytes(outcome.certificate_pem)
    (tmp_path / "root.pem").write_bytes(outcome.ca_pem)
    shown = openssl(
        "verify", "-attime", "1686000000", "-x509_strict", "-verify_hostname", "a.example",
        "-CAfile", str(tmp_path / "root.pem"), "-untrusted", str(tmp_path / "chain.pem"),
        str(tmp_path / "chain.pem"),
    )  # fmt: skip

    assert shown.endswith(": OK\n")


def test_every_usage_is_what_openssl_calls_it(tmp_path: Path) -> None:
    """Encipher only without key agreement too, which the library would not write."""
    shown = {}
    for usage in (*KEY_USAGES, *EXTENDED_KEY_USAGES):
        request = make_request(make_certificate(commonName="u", usages=[usage]))
        root, key = make_ca("root")
        secret = make_secret("ca", {"tls.crt": root.pem, "tls.key": encode_private_key(key, "")})
        outcome = CaSigner().sign(make_signing_request(request, make_issuer(), secret))
        assert isinstance(outcome, Signed)
        text = openssl(
            "x509", "-noout", "-ext", "keyUsage,extendedKeyUsage", data=outcome.certificate_pem
        )
        shown[usage] = text.strip().splitlines()[-1].strip()

    assert shown == {
        "signing": "Digital Signature",
        "digital signature": "Digital Signature",
        "content commitment": "Non Repudiation",
        "key encipherment": "Key Encipherment",
        "key agreement": "Key Agreement",
        "data encipherment": "Data Encipherment",
        "cert sign": "Certificate Sign",
        "crl sign": "CRL Sign",
        "encipher only": "Encipher Only",
        "decipher only": "Decipher Only",
        "any": "Any Extended Key Usage",
        "server auth": "TLS Web Server Authentication",
        "client auth": "TLS Web Client Authentication",
        "code signing": "Code Signing",
        "email protection": "E-mail Protection",
        "s/mime": "E-mail Protection",
        "ipsec end system": "IPSec End System",
        "ipsec tunnel": "IPSec Tunnel",
        "ipsec user": "IPSec User",
        "timestamping": "Time Stamping",
        "ocsp signing": "OCSP Signing",
        "microsoft sgc": "Microsoft Server Gated Crypto",
        "netscape sgc": "Netscape Server Gated Crypto",
    }


@pytest.mark.parametrize(("algorithm", "size"), KEYS)
@pytest.mark.parametrize("encoding", ["PKCS1", "PKCS8"])
def test_keys_are_read_by_openssl(algorithm: str, size: int, encoding: str) -> None:
    """In both encodings."""
    pem = encode_private_key(make_key(f"{algorithm}{size}", algorithm, size), encoding)
    shown = openssl("pkey", "-noout", "-check", data=pem)

    assert "Key is valid" in shown
