"""What `certwright ctl` says and does, on a store in memory."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from certwright.errors import InvalidError, NotFoundError, RefusedError, UnavailableError
from certwright.pki.keys import decode_private_key, private_key_violations
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition, with_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, Manifest
from certwright.resources.meta import controller_reference
from certwright.roles.ctl.api_check import api_problem, simple_problem
from certwright.roles.ctl.approval import decide
from certwright.roles.ctl.certificate_status import certificate_status
from certwright.roles.ctl.renewal import RenewalWish, renew
from certwright.roles.ctl.request_creation import RequestWish, create_request
from certwright.roles.ctl.secret_inspection import Internet, inspect_secret
from certwright.roles.ctl.texts import age
from certwright_testing.api_server import MemoryStore
from certwright_testing.pki import make_ca, make_certificate, make_issuer, make_request, make_secret

NOW: Final = datetime(2023, 6, 2, 12, tzinfo=UTC)
ROOT, ROOT_KEY = make_ca("root")


def new_store() -> MemoryStore:
    """Return an empty store whose clock stands at 10 o'clock."""
    return MemoryStore(now=lambda: NOW - timedelta(hours=2))


async def put(store: MemoryStore, obj: Manifest) -> Manifest:
    """Store an object with its status."""
    made = await store.create(obj, manager="test")
    if "status" not in obj:
        return made
    return await store.update_status({**made, "status": obj["status"]}, manager="test")


def named(name: str, namespace: str = "sandbox", **metadata: Any) -> Manifest:
    """Return a Certificate of that name."""
    obj = make_certificate(dnsNames=["a.example"]).object
    return {**obj, "metadata": {"name": name, "namespace": namespace, **metadata}}


# ------------------------------------------------------------------------------ status


async def test_the_status_of_a_certificate_is_one_page_about_all_that_belongs_to_it() -> None:
    """Certificate, issuer, Secret, dates, request: with conditions and events of each."""
    store = new_store()
    ready: Manifest = {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "message": "fine"},
            {"type": "Issuing", "status": "True", "reason": "Renewing", "message": "due"},
        ],
        "notBefore": "2023-06-02T10:00:00Z",
        "notAfter": "2023-08-31T10:00:00Z",
        "renewalTime": "2023-08-01T10:00:00Z",
        "revision": 1,
    }
    certificate = await put(store, {**named("leaf"), "status": ready})
    await put(store, make_issuer().object)
    await put(store, make_secret("leaf", {"tls.crt": ROOT.pem, "tls.key": b"k"}))
    request = make_request().object
    request["metadata"] |= {
        "name": "leaf-2",
        "annotations": {"cert-manager.io/certificate-revision": "2"},
        "ownerReferences": [controller_reference(certificate)],
    }
    await put(store, request)
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "leaf.1", "namespace": "sandbox"},
        "involvedObject": {"kind": "Certificate", "uid": certificate["metadata"]["uid"]},
        "type": "Normal",
        "reason": "Issuing",
        "message": "Done\n",
        "source": {"component": "cert-manager-certificates-issuing"},
        "firstTimestamp": "2023-06-02T11:00:00Z",
        "lastTimestamp": "2023-06-02T11:58:30Z",
        "count": 3,
    }
    await put(store, event)

    expected = f"""\
Name: leaf
Namespace: sandbox
Created at: 2023-06-02T10:00:00Z
Conditions:
  Ready: True, Reason: Ready, Message: fine
  Issuing: True, Reason: Renewing, Message: due
DNS Names:
- a.example
Events:
  Type    Reason   Age                From                               Message
  ----    ------   ----               ----                               -------
  Normal  Issuing  90s (x3 over 60m)  cert-manager-certificates-issuing  Done
Issuer:
  Name: ca
  Kind: Issuer
  Conditions:
    No Conditions set
  Events:  <none>
Secret:
  Name: leaf
  Issuer Country: {""}
  Issuer Organisation: {""}
  Issuer Common Name: root
  Key Usage: Digital Signature, Key Encipherment, Cert Sign
  Extended Key Usages: {""}
  Public Key Algorithm: ECDSA
  Signature Algorithm: ECDSA-SHA256
  Subject Key ID: {ROOT.subject_key_id.hex()}
  Authority Key ID: {""}
  Serial Number: 05
  Events:  <none>
Not Before: 2023-06-02T10:00:00Z
Not After: 2023-08-31T10:00:00Z
Renewal Time: 2023-08-01T10:00:00Z
CertificateRequest:
  Name: leaf-2
  Namespace: sandbox
  Conditions:
    No Conditions set
  Events:  <none>
"""
    found = await certificate_status(store, "sandbox", "leaf", NOW)
    assert expected == found


async def test_what_is_missing_is_said_in_its_place() -> None:
    """A page is given as long as there is the Certificate."""
    store = new_store()
    await put(store, named("leaf"))
    page = await certificate_status(store, "sandbox", "leaf", NOW)

    assert 'error when getting Issuer: issuers.cert-manager.io "ca" not found\n' in page
    assert 'error when finding Secret "leaf": secrets "leaf" not found\n' in page
    assert "Not Before: <none>\n" in page
    assert page.endswith("No CertificateRequest found for this Certificate\n")
    with pytest.raises(NotFoundError, match=r'certificates.cert-manager.io "nobody" not found'):
        await certificate_status(store, "sandbox", "nobody", NOW)


async def test_an_issuer_of_somebody_else_is_not_looked_for() -> None:
    """Its controller knows."""
    store = new_store()
    obj = named("leaf")
    obj["spec"]["issuerRef"] = {"name": "x", "group": "example.org", "kind": "Foo"}
    await put(store, obj)

    assert 'The Foo "x" is not of the group cert-manager.io' in await certificate_status(
        store, "sandbox", "leaf", NOW
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "<invalid>"), (-1, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (600, "10m"),
        (3600 * 3, "3h"), (3600 * 5 + 60, "5h1m"), (3600 * 47, "47h"), (3600 * 49, "2d1h"),
        (86400 * 30, "30d"), (86400 * 365 * 3 + 86400, "3y1d"), (86400 * 365 * 9, "9y"),
    ],
)  # fmt: skip
def test_ages_are_kubectl_s(seconds: int, expected: str) -> None:
    """Two units at most."""
    assert expected == age(timedelta(seconds=seconds))


# ------------------------------------------------------------------------------ renew


async def lines_of(store: MemoryStore, wish: RenewalWish) -> list[str]:
    """Return what a renewal says."""
    return [line async for line in renew(store, wish, NOW)]


async def renewed(store: MemoryStore) -> set[str]:
    """Return the names of Certificates that are marked."""
    found = set()
    for namespace, name in (("sandbox", "a"), ("sandbox", "b"), ("other", "a")):
        obj = await store.get(CERTIFICATE.key(namespace, name))
        assert obj is not None
        condition = get_condition(obj, "Issuing")
        if condition is not None:
            assert (condition.status, condition.reason, condition.message) == (
                "True",
                "ManuallyTriggered",
                "Certificate re-issuance manually triggered",
            )
            assert condition.observed_generation == 1
            found.add(f"{namespace}/{name}")
    return found


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (RenewalWish("sandbox", ["b"]), {"sandbox/b"}),
        (RenewalWish("sandbox", all_of_them=True), {"sandbox/a", "sandbox/b"}),
        (RenewalWish("sandbox", selector="app=x"), {"sandbox/a"}),
        (
            RenewalWish("sandbox", all_of_them=True, all_namespaces=True),
            {"sandbox/a", "sandbox/b", "other/a"},
        ),
        (RenewalWish("", selector="app=x", all_namespaces=True), {"sandbox/a", "other/a"}),
        (RenewalWish("", ["a"], all_namespaces=True), {"sandbox/a", "other/a"}),
        (RenewalWish("nowhere", all_of_them=True), set()),
    ],
)
async def test_renewal_marks_what_was_meant(wish: RenewalWish, expected: set[str]) -> None:
    """And says so, a line for each."""
    store = new_store()
    await put(store, named("a", labels={"app": "x"}))
    await put(store, named("b"))
    await put(store, named("a", "other", labels={"app": "x"}))
    lines = await lines_of(store, wish)

    assert expected == await renewed(store)
    assert {f"Manually triggered issuance of Certificate {place}" for place in expected} == {*lines}


@pytest.mark.parametrize(
    "wish",
    [
        RenewalWish("x"),
        RenewalWish("x", ["a"], selector="b"),
        RenewalWish("x", ["a"], all_of_them=True),
        RenewalWish("x", selector="b", all_of_them=True),
        RenewalWish("x", all_of_them=True, all_namespaces=True),
    ],
)
def test_a_renewal_that_contradicts_itself_is_refused(wish: RenewalWish) -> None:
    """Before anything is asked."""
    with pytest.raises(InvalidError):
        wish.check(namespace_given=True)


async def test_a_certificate_that_is_not_there_is_not_renewed() -> None:
    """Nor are the others named with it: all are looked up first."""
    store = new_store()
    await put(store, named("a"))
    with pytest.raises(NotFoundError, match="not found"):
        await lines_of(store, RenewalWish("sandbox", ["a", "nobody"]))

    found = await store.get(CERTIFICATE.key("sandbox", "a"))
    assert found is not None
    assert get_condition(found, "Issuing") is None


# ------------------------------------------------------------------------------ approve, deny


@pytest.mark.parametrize("verdict", ["Approved", "Denied"])
async def test_a_request_is_decided_once(verdict: Any) -> None:
    """The second decision is refused whatever it is."""
    store = new_store()
    await put(store, make_request().object)
    said = await decide(store, "sandbox", "leaf-1", verdict, reason="R", message="M", now=NOW)
    found = await store.get(CERTIFICATE_REQUEST.key("sandbox", "leaf-1"))
    assert found is not None
    condition = get_condition(found, verdict)

    assert said == f"{verdict} CertificateRequest 'sandbox/leaf-1'"
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("True", "R", "M")
    for second in ("Approved", "Denied"):
        with pytest.raises(InvalidError, match=f"already {verdict.lower()}"):
            await decide(store, "sandbox", "leaf-1", second, reason="R", message="M", now=NOW)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ check


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (
            "the server could not find the requested resource (post certificates.cert-manager.io)",
            "the cert-manager CRDs are not yet installed on the Kubernetes API server",
        ),
        (
            (
                'Internal error occurred: failed calling webhook "webhook.cert-manager.io": Post '
                '"https://a.b.svc:443/mutate?timeout=10s": service "cert-manager-webhook" not found'
            ),
            "the cert-manager webhook service is not created yet",
        ),
        (
            (
                'Internal error occurred: failed calling webhook "w": Post "https://a/mutate": '
                "dial tcp 10.96.38.90:443: connect: connection refused"
            ),
            "the cert-manager webhook deployment is not ready yet",
        ),
        (
            (
                'failed calling webhook "w": Post "https://a/mutate": x509: certificate signed by '
                "unknown authority (possibly because of ...)"
            ),
            "the cert-manager webhook CA bundle is not injected yet",
        ),
        (
            (
                'failed calling webhook "w": Post "https://a/mutate": tls: failed to verify '
                "certificate: x509: certificate signed by unknown authority"
            ),
            "the cert-manager webhook CA bundle is not injected yet",
        ),
        ("something else", ""),
    ],
)
def test_errors_of_an_api_server_are_said_in_short(error: str, short: str) -> None:
    """The last but one is how newer API servers word it."""
    assert short == simple_problem(error)


class _Refusing(MemoryStore):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def create(self, obj: Manifest, /, *, manager: str, dry_run: bool = False) -> Manifest:
        assert dry_run
        raise self._error


async def test_a_check_keeps_nothing_and_says_what_is_wrong() -> None:
    """Verbose or not."""
    store = new_store()
    assert await api_problem(store, "sandbox", verbose=False) == ""
    refused = 'Post "https://a": dial tcp: connect: connection refused'
    short = "the cert-manager webhook deployment is not ready yet"

    assert short == await api_problem(_Refusing(RefusedError(refused)), "x", verbose=False)
    assert f"{short} ({refused})" == await api_problem(
        _Refusing(RefusedError(refused)), "x", verbose=True
    )
    assert await api_problem(_Refusing(UnavailableError("gone")), "x", verbose=True) == "gone"
    assert (await store.get(CERTIFICATE.key("sandbox", "cmapichecker"))) is None


# ------------------------------------------------------------------------------ create


async def test_a_request_is_created_from_a_file_and_its_key_kept(tmp_path: Path) -> None:
    """The key is the owner's only; duration, usages and issuer are as written."""
    store = new_store()
    (tmp_path / "certificate.yaml").write_text(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: x, labels: {a: b}}\n"
        "spec: {dnsNames: [a.example], secretName: s, issuerRef: {name: ca}, duration: 2h,"
        " usages: [server auth], privateKey: {algorithm: ECDSA}}\n"
    )
    key_file = tmp_path / "out.key"
    wish = RequestWish("made", tmp_path / "certificate.yaml", key_file)
    lines = [line async for line in create_request(store, "sandbox", wish, FeatureGates())]
    made = await store.get(CERTIFICATE_REQUEST.key("sandbox", "made"))
    assert made is not None

    assert lines == [
        f"Private key written to file {key_file}",
        "CertificateRequest made has been created in namespace sandbox",
    ]
    assert key_file.stat().st_mode & 0o777 == 0o600
    certificate = Certificate({"spec": {"privateKey": {"algorithm": "ECDSA"}}})
    assert private_key_violations(decode_private_key(key_file.read_bytes()), certificate) == []
    assert made["metadata"]["labels"] == {"a": "b"}
    assert {name: made["spec"][name] for name in ("duration", "usages", "issuerRef")} == {
        "duration": "2h",
        "usages": ["server auth"],
        "issuerRef": {"name": "ca"},
    }


async def test_a_created_request_is_waited_for(tmp_path: Path) -> None:
    """Until it is signed; a failure ends the wait with its words."""
    store = new_store()
    path = tmp_path / "certificate.yaml"
    path.write_text(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: x}\n"
        "spec: {dnsNames: [a], secretName: s, issuerRef: {name: ca}, privateKey: "
        "{algorithm: Ed25519}}\n"
    )
    for name, status in (("good", "True"), ("bad", "False")):
        wish = RequestWish(
            name, path, tmp_path / "k", fetch=True, output_file=tmp_path / f"{name}.crt"
        )
        wish.check()
        steps = create_request(store, "sandbox", wish, FeatureGates())
        said = [await anext(steps) for _ in range(3)]
        assert said[-1].endswith("Wait until it is signed...")
        made = await store.get(CERTIFICATE_REQUEST.key("sandbox", name))
        assert made is not None
        changed = with_condition(
            made,
            type="Ready",
            status=status,
            reason="Issued" if status == "True" else "Failed",
            message="the issuer's words",
            now=NOW,
        )
        changed["status"]["certificate"] = base64.b64encode(ROOT.pem).decode()
        await store.update_status(changed, manager="test")
        if status == "True":
            assert [line async for line in steps] == [
                "CertificateRequest good in namespace sandbox has been signed",
                f"Certificate written to file {tmp_path / 'good.crt'}",
            ]
            assert (tmp_path / "good.crt").read_bytes() == ROOT.pem
        else:
            with pytest.raises(InvalidError, match="the issuer's words"):
                await anext(steps)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no objects found in manifest file"),
        ("a: b\n---\nc: d\n", "multiple objects found in manifest file"),
        ("kind: Secret\n", "decoded object is not a v1 Certificate"),
        ("a: [", "cannot read"),
    ],
)
async def test_a_file_without_one_certificate_is_refused(
    content: str, message: str, tmp_path: Path
) -> None:
    """Before a key is made."""
    path = tmp_path / "x.yaml"
    path.write_text(content)
    steps = create_request(new_store(), "x", RequestWish("n", path), FeatureGates())
    with pytest.raises(InvalidError, match=message):
        await anext(steps)


# ------------------------------------------------------------------------------ inspect


async def _nothing(*_: object) -> bytes:
    raise UnavailableError("no network")


def internet(*trusted: bytes) -> Internet:
    """Return a network that answers nothing."""
    return Internet(get=_nothing, post_ocsp=_nothing, trusted=lambda: trusted)


async def test_a_secret_is_inspected() -> None:
    """Names, dates, issuer, fingerprint, trust."""
    store = new_store()
    await put(store, make_secret("ca", {"tls.crt": ROOT.pem, "tls.key": b"k"}))
    page = await inspect_secret(store, "sandbox", "ca", internet(), NOW)

    assert page.startswith(
        "Valid for:\n\tDNS Names: <none>\n\tURIs: <none>\n\tIP Addresses: <none>\n"
        "\tEmail Addresses: <none>\n\tUsages: \n\t\t- digital signature\n\t\t- key encipherment\n"
        "\t\t- cert sign\n\nValidity period:\n\tNot Before: Fri, 02 Jun 2023 10:00:00 UTC\n"
    )
    assert "\tIs a CA certificate: true\n" in page
    assert page.endswith(
        "Debugging:\n\tTrusted by this computer:\tno: x509: certificate signed by unknown "
        "authority\n\tCRL Status:\tNo CRL endpoints set\n\tOCSP Status:\tCannot check OCSP, does "
        "not have a CA or intermediate certificate provided"
    )
    trusting = await inspect_secret(store, "sandbox", "ca", internet(ROOT.der), NOW)
    assert "Trusted by this computer:\tyes" in trusting
    late = await inspect_secret(store, "sandbox", "ca", internet(), NOW + timedelta(days=400))
    assert "no: x509: certificate has expired or is not yet valid: current time" in late


async def test_a_secret_without_a_certificate_is_an_error() -> None:
    """Also one that is not there."""
    store = new_store()
    await put(store, make_secret("empty", {}))
    with pytest.raises(InvalidError, match="no PEM data found in secret"):
        await inspect_secret(store, "sandbox", "empty", internet(), NOW)
    with pytest.raises(NotFoundError, match='error when finding Secret "x"'):
        await inspect_secret(store, "sandbox", "x", internet(), NOW)
