"""Fields of later cert-manager versions: name constraints, other names, stores; by gates only."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from certwright.admission.validation import validate_create
from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.csr import generate_csr
from certwright.pki.keys import generate_private_key
from certwright.reconcile.options import Options
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.crds import load
from certwright.resources.features import NAME_CONSTRAINTS, OTHER_NAMES, FeatureGates
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright.resources.times import format_time
from certwright_testing.objects import certificate, issuer
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import World

GATES = FeatureGates(frozenset({NAME_CONSTRAINTS, OTHER_NAMES}))
OFF = FeatureGates()
UPN = "1.3.6.1.4.1.311.20.2.3"
CONSTRAINTS: Manifest = {
    "critical": True,
    "permitted": {
        "dnsDomains": ["example.com"],
        "ipRanges": ["10.0.0.0/8", "2001:db8::/32"],
        "emailAddresses": [".example.com"],
        "uriDomains": ["example.com"],
    },
    "excluded": {"dnsDomains": ["bad.example.com"]},
}
KEY = {"algorithm": "ECDSA"}


def root(**spec: Any) -> Manifest:
    """Return a CA."""
    wanted = {"secretName": "root", "isCA": True, "commonName": "r", "privateKey": KEY}
    return certificate("root", spec={**wanted, "issuerRef": {"name": "ca"}, **spec})


def leaf(**spec: Any) -> Manifest:
    """Return a leaf by it."""
    wanted = {"secretName": "tls", "dnsNames": ["a.example.com"], "privateKey": KEY}
    return certificate("web", spec={**wanted, "issuerRef": {"name": "leaves"}, **spec})


async def settled(gates: FeatureGates, *objects: Manifest, **ca: Any) -> World:
    """Return a world with issuers and these."""
    world = World(Options(gates=gates), private_key=ecdsa_only)
    leaves = {**issuer("leaves"), "spec": {"ca": {"secretName": "root", **ca}}}
    await world.apply(issuer(), leaves, *objects)
    await world.settle()
    return world


async def shown(world: World, name: str) -> x509.Certificate:
    """Return a certificate as another library reads it."""
    secret = Secret(await world.got(SECRET.key("one", name)))
    return x509.load_der_x509_certificate(decode_certificates(secret.certificate_pem)[0].der)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program that judges ours."""
    return subprocess.run(words, capture_output=True, text=True, check=False)


async def test_a_ca_with_name_constraints(tmp_path: Path) -> None:
    """Another library reads them as they were asked for; OpenSSL obeys them."""
    bad = leaf(dnsNames=["x.bad.example.com"], secretName="bad")
    bad["metadata"]["name"] = "bad"
    world = await settled(GATES, root(nameConstraints=CONSTRAINTS), leaf(), bad)
    found = (await shown(world, "root")).extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    assert found.value.excluded_subtrees == [x509.DNSName("bad.example.com")]
    assert {str(name.value) for name in found.value.permitted_subtrees or ()} == {
        "example.com",
        "10.0.0.0/8",
        "2001:db8::/32",
        ".example.com",
    }
    assert len(world.all(CERTIFICATE_REQUEST)) == 3
    world.restart()
    await world.settle()
    assert len(world.all(CERTIFICATE_REQUEST)) == 3
    assert shutil.which("openssl") is not None
    for name, is_good in (("tls", True), ("bad", False)):
        secret = Secret(await world.got(SECRET.key("one", name)))
        (tmp_path / "ca.pem").write_bytes(secret.ca_pem)
        (tmp_path / "leaf.pem").write_bytes(secret.certificate_pem)
        verified = run(
            *("openssl", "verify", "-attime", str(int(world.now.timestamp()) + 60), "-CAfile"),
            *(str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")),
        )
        assert (verified.returncode == 0) == is_good, verified.stderr


async def test_constraints_that_change_are_issued_anew() -> None:
    """As every other field."""
    world = await settled(GATES, root(nameConstraints=CONSTRAINTS))
    await world.change(
        CERTIFICATE.key("one", "root"), nameConstraints={"excluded": {"dnsDomains": ["x"]}}
    )
    await world.settle()
    found = (await shown(world, "root")).extensions.get_extension_for_class(x509.NameConstraints)
    assert not found.critical
    assert found.value.permitted_subtrees is None
    await world.change(CERTIFICATE.key("one", "root"), nameConstraints=None)
    await world.settle()
    with pytest.raises(x509.ExtensionNotFound):
        (await shown(world, "root")).extensions.get_extension_for_class(x509.NameConstraints)


async def test_other_names() -> None:
    """Beside the others, and alone."""
    wanted = [{"oid": UPN, "utf8Value": "ü@example.com"}]
    world = await settled(GATES, root(), leaf(otherNames=wanted))
    names = (await shown(world, "tls")).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    [other] = names.value.get_values_for_type(x509.OtherName)
    assert other.type_id.dotted_string == UPN
    assert other.value == b"\x0c\x0e" + "ü@example.com".encode()
    assert names.value.get_values_for_type(x509.DNSName) == ["a.example.com"]
    await world.change(CERTIFICATE.key("one", "web"), dnsNames=None)
    await world.settle()
    names = (await shown(world, "tls")).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert len(list(names.value)) == 1
    ready = get_condition(await world.got(CERTIFICATE.key("one", "web")), "Ready")
    assert ready is not None
    assert ready.is_true


async def test_a_foreign_request_gets_neither_without_the_gates() -> None:
    """1.12 drops them from what it signs, whoever asks."""
    wanted = [{"oid": UPN, "utf8Value": "admin@example.com"}]
    asking = root(otherNames=wanted, nameConstraints=CONSTRAINTS)
    csr = generate_csr(Certificate(asking), ecdsa_only("ECDSA", 256), GATES)
    world = await settled(OFF, root())
    request = {
        "apiVersion": CERTIFICATE_REQUEST.api_version,
        "kind": CERTIFICATE_REQUEST.name,
        "metadata": {"name": "theirs", "namespace": "one"},
        "spec": {"request": b64encode(csr).decode(), "isCA": True, "issuerRef": {"name": "leaves"}},
    }
    await world.apply(request)
    await world.settle()
    found = await world.got(CERTIFICATE_REQUEST.key("one", "theirs"))
    signed = x509.load_pem_x509_certificate(b64decode(found["status"]["certificate"]))
    oids = {extension.oid for extension in signed.extensions}
    assert x509.NameConstraints.oid not in oids
    assert x509.SubjectAlternativeName.oid not in oids


@pytest.mark.parametrize(
    ("spec", "gates", "words"),
    [
        ({"nameConstraints": CONSTRAINTS, "isCA": True}, OFF, "NameConstraints must be enabled"),
        ({"otherNames": [{"oid": UPN, "utf8Value": "a"}]}, OFF, "OtherNames must be enabled"),
        ({"nameConstraints": CONSTRAINTS}, GATES, "isCa should be true"),
        ({"nameConstraints": {"critical": True}, "isCA": True}, GATES, "either permitted or"),
        (
            {"nameConstraints": {"permitted": {"ipRanges": ["10.0.0.0/99"]}}, "isCA": True},
            GATES,
            "invalid CIDR address",
        ),
        ({"otherNames": [{"oid": "1.x", "utf8Value": "a"}]}, GATES, "oid syntax invalid"),
        ({"otherNames": [{"oid": UPN}]}, GATES, "non-empty UTF8"),
    ],
)
def test_what_is_wrong_is_refused(spec: Manifest, gates: FeatureGates, words: str) -> None:
    """In the webhook, and so in a folder."""
    assert words in validate_create(leaf(**spec), gates).text


async def test_an_issuer_says_where_its_certificate_is() -> None:
    """`issuingCertificateURLs`, beside OCSP."""
    urls = {
        "issuingCertificateURLs": ["http://ca.example/ca.der"],
        "ocspServers": ["http://o.example"],
    }
    world = await settled(OFF, root(), leaf(), **urls)
    found = (await shown(world, "tls")).extensions.get_extension_for_class(
        x509.AuthorityInformationAccess
    )
    assert [entry.access_location.value for entry in found.value] == [
        "http://o.example",
        "http://ca.example/ca.der",
    ]


async def test_stores_with_passwords_of_their_own(tmp_path: Path) -> None:
    """Literal passwords, an alias, modern algorithms; as Java reads them."""
    stores = {
        "jks": {"create": True, "password": "changeit", "alias": "mine"},
        "pkcs12": {"create": True, "password": "changeit", "profile": "Modern2023"},
    }
    world = await settled(OFF, root(), leaf(keystores=stores))
    data = Secret(await world.got(SECRET.key("one", "tls"))).data
    if shutil.which("keytool") is None:
        pytest.skip("keytool is not installed: the stores were made, Java did not read them")
    for name, word in (("keystore.jks", "mine"), ("keystore.p12", "PrivateKeyEntry")):
        (tmp_path / name).write_bytes(data[name])
        listed = run(
            *("keytool", "-list", "-storepass", "changeit"), "-keystore", str(tmp_path / name)
        )
        assert word in listed.stdout, listed.stdout + listed.stderr


NIGHT = {"policy": "RenewBefore", "windows": [{"cron": "0 2 * * *", "windowDuration": "1h"}]}


async def revision(world: World) -> tuple[int, str | None]:
    """Return how often the leaf was issued, and when it is renewed."""
    status = (await world.got(CERTIFICATE.key("one", "web")))["status"]
    return status["revision"], status.get("renewalTime")


async def test_renewal_waits_for_a_window() -> None:
    """Once, in its first second, over a restart too; without the window it is at once."""
    world = await settled(OFF, root(duration="87600h"), leaf(renewal=NIGHT))
    issued = world.now  # 10:00; due 60 days later
    due = (issued + timedelta(days=60)).date()
    opens = datetime.combine(due + timedelta(days=1), time(2), UTC)
    assert await revision(world) == (1, format_time(opens))
    await world.advance(timedelta(days=60, hours=1))
    world.restart()
    await world.advance(opens - world.now - timedelta(seconds=1))
    assert (await revision(world))[0] == 1
    await world.advance(timedelta(seconds=1))
    assert (await revision(world))[0] == 2
    await world.advance(timedelta(days=1))
    assert (await revision(world))[0] == 2
    await world.advance(timedelta(days=60))
    assert (await revision(world))[0] == 3


async def test_a_window_that_is_taken_away_does_not_count() -> None:
    """What was due is renewed."""
    world = await settled(OFF, root(duration="87600h"), leaf(renewal=NIGHT))
    await world.advance(timedelta(days=60, hours=1))
    assert (await revision(world))[0] == 1
    await world.change(CERTIFICATE.key("one", "web"), renewal=None)
    await world.settle()
    assert (await revision(world))[0] == 2


async def test_a_certificate_that_is_not_renewed() -> None:
    """It ends, says so and is no alarm; other changes issue it as ever."""
    world = await settled(OFF, root(duration="87600h"), leaf(renewal={"policy": "Disabled"}))
    assert await revision(world) == (1, None)
    await world.advance(timedelta(days=91))
    assert await revision(world) == (1, None)
    assert world.said("RenewalLate") == []
    ready = get_condition(await world.got(CERTIFICATE.key("one", "web")), "Ready")
    assert ready is not None
    assert ready.reason == "Expired"
    await world.change(CERTIFICATE.key("one", "web"), dnsNames=["b.example.com"])
    await world.settle()
    assert await revision(world) == (2, None)


@pytest.mark.parametrize(
    ("asked", "key", "name"),
    [
        ("", {"algorithm": "RSA", "size": 4096}, "sha512"),
        ("SHA256WithRSA", {"algorithm": "RSA", "size": 4096}, "sha256"),
        ("SHA384WithRSA", {}, "sha384"),
        ("ECDSAWithSHA512", KEY, "sha512"),
        ("PureEd25519", {"algorithm": "Ed25519"}, ""),
    ],
)
def test_a_request_is_signed_as_asked(asked: str, key: Manifest, name: str) -> None:
    """As another library reads it; unset it follows the key's size, as in 1.12."""
    made = private_key(key.get("algorithm", "RSA"))
    wanted = Certificate(leaf(signatureAlgorithm=asked, privateKey=key))
    read = x509.load_pem_x509_csr(generate_csr(wanted, made, OFF))
    found = read.signature_hash_algorithm
    assert ("" if found is None else found.name) == name
    assert read.is_signature_valid


@cache
def private_key(algorithm: str) -> Any:
    """Return a key; its size is not what the signature follows."""
    return generate_private_key(algorithm, 2048 if algorithm == "RSA" else 256)


def test_a_signature_of_another_key_is_an_error_of_the_request() -> None:
    """Where no webhook has refused it."""
    wanted = Certificate(leaf(signatureAlgorithm="SHA256WithRSA"))
    with pytest.raises(InvalidError, match=r"spec\.signatureAlgorithm: SHA256WithRSA is not for"):
        generate_csr(wanted, private_key("ECDSA"), OFF)


async def test_another_signature_counts_at_the_next_issuance() -> None:
    """The certificate is as good as before; as with another encoding of the key."""
    world = await settled(OFF, root(), leaf())
    before = len(world.all(CERTIFICATE_REQUEST))
    await world.change(CERTIFICATE.key("one", "web"), signatureAlgorithm="ECDSAWithSHA512")
    await world.settle()
    assert len(world.all(CERTIFICATE_REQUEST)) == before
    await world.advance(timedelta(days=61))
    [request] = [
        request
        for request in world.all(CERTIFICATE_REQUEST)
        if request["metadata"]["annotations"]["cert-manager.io/certificate-name"] == "web"
        and request["metadata"]["annotations"]["cert-manager.io/certificate-revision"] == "2"
    ]
    csr = x509.load_pem_x509_csr(b64decode(request["spec"]["request"]))
    assert csr.signature_hash_algorithm is not None
    assert csr.signature_hash_algorithm.name == "sha512"


def test_the_crds_of_1_12_have_none_of_them() -> None:
    """Served by a switch only."""
    plain, later = str(load()), str(load(later_fields=True))
    for field in (
        "nameConstraints",
        "otherNames",
        "issuingCertificateURLs",
        "'alias'",
        "signatureAlgorithm",
        "windowDuration",
    ):
        assert field not in plain
        assert field in later
