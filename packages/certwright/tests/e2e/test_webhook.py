"""`certwright webhook` before a real API server: refusals, identity, approval, its own CA."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from certwright.adapters.kube import Connection, KubeStore
from certwright.errors import NotFoundError, RefusedError
from certwright.resources.installation import (
    InstallationSettings,
    rbac,
    webhook_configurations,
)
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    ISSUER,
    KINDS,
    SECRET,
    Kind,
    Manifest,
)
from certwright_testing.cluster import Cluster, free_port
from certwright_testing.pki import make_request
from certwright_testing.process import Program, eventually, status_of

pytestmark = pytest.mark.cluster

NAMESPACE = "one"
CA_SECRET = SECRET.key("two", "cert-manager-webhook-ca")
ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)
BINDING = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
DENIED = 'admission webhook "webhook.cert-manager.io" denied the request: '


def store(cluster: Cluster, user: str = "", *groups: str) -> KubeStore:
    """Open the API server as the administrator, or as somebody else."""
    connection: Connection = cluster.connection()
    if user:
        connection = replace(connection, impersonate_user=user, impersonate_groups=groups)
    return KubeStore(connection, kinds=(*KINDS, ROLE, BINDING))


def people() -> list[Manifest]:
    """Return roles: alice may write requests, bob may approve for one issuer besides."""
    writing = {
        "apiGroups": ["cert-manager.io"],
        "resources": ["certificaterequests", "certificaterequests/status"],
        "verbs": ["create", "get", "update"],
    }
    approving = {
        "apiGroups": ["cert-manager.io"],
        "resources": ["signers"],
        "verbs": ["approve"],
        "resourceNames": ["issuers.cert-manager.io/one.ca", "clusterissuers.cert-manager.io/*"],
    }
    made: list[Manifest] = []
    for name, rules in (("alice", [writing]), ("bob", [writing, approving])):
        role = {
            "apiVersion": ROLE.api_version,
            "kind": "ClusterRole",
            "metadata": {"name": f"test-{name}"},
            "rules": rules,
        }
        subject = {"kind": "User", "apiGroup": ROLE.group, "name": name}
        reference = {"apiGroup": ROLE.group, "kind": "ClusterRole", "name": f"test-{name}"}
        made += [
            role,
            {
                "apiVersion": BINDING.api_version,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"test-{name}"},
                "roleRef": reference,
                "subjects": [subject],
            },
        ]
    return made


@pytest.fixture(scope="module")
def webhook(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Run the webhook with its own CA, and have the API server ask it."""
    port, health_port = free_port(), free_port()
    log: Path = tmp_path_factory.mktemp("webhook") / "webhook.log"
    arguments = (
        "webhook",
        f"--kubeconfig={cluster.kubeconfig()}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--healthz-port={health_port}",
        f"--dynamic-serving-ca-secret-namespace={CA_SECRET.namespace}",
        f"--dynamic-serving-ca-secret-name={CA_SECRET.name}",
        "--dynamic-serving-dns-names=localhost,webhook.two.svc",
        "--feature-gates=AdditionalCertificateOutputFormats=true",
        "--v=4",
    )
    with Program.running(log, *arguments) as program:
        program.until(lambda: status_of(f"http://127.0.0.1:{health_port}/healthz") == 200)
        made = asyncio.run(furnish(cluster, port))
        try:
            yield program
        finally:
            asyncio.run(clear(cluster, made))


async def furnish(cluster: Cluster, port: int) -> list[Manifest]:
    """Create the webhook configurations, by URL, and the people."""
    async with store(cluster) as admin:
        secret = await admin.get(CA_SECRET)
        assert secret is not None
        assert secret["metadata"]["annotations"]["cert-manager.io/allow-direct-injection"] == "true"
        configurations = webhook_configurations(InstallationSettings(namespace="two"))
        for configuration in configurations:
            client = configuration["webhooks"][0]["clientConfig"]
            path = client.pop("service")["path"]
            client |= {
                "url": f"https://localhost:{port}{path}",
                "caBundle": secret["data"]["ca.crt"],
            }
        made = [*people(), *configurations]
        for obj in made:
            await admin.create(obj, manager="test")
        await asked(admin)
        return made


async def asked(admin: KubeStore) -> None:
    """Wait until the API server asks the webhook: it learns of configurations a little late."""
    for _ in range(100):
        try:
            await admin.create(certificate(secretName=""), manager="test", dry_run=True)
        except RefusedError:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the API server does not ask the webhook")


async def clear(cluster: Cluster, made: list[Manifest]) -> None:
    """Delete what was made, the configurations first."""
    kinds = {(kind.api_version, kind.name): kind for kind in (*KINDS, ROLE, BINDING)}
    async with store(cluster) as admin:
        for obj in reversed(made):
            kind = kinds[obj["apiVersion"], obj["kind"]]
            await admin.delete(kind.key("", obj["metadata"]["name"]))
        for kind in (CERTIFICATE, CERTIFICATE_REQUEST, ISSUER):
            for name in ("web", "r1", "r2", "r3", "r4", "bad", "two-issuers"):
                try:
                    await admin.delete(kind.key(NAMESPACE, name))
                except NotFoundError:
                    continue


def certificate(**spec: object) -> Manifest:
    """Return a Certificate."""
    return {
        "apiVersion": CERTIFICATE.api_version,
        "kind": CERTIFICATE.name,
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"secretName": "tls", "dnsNames": ["a"], "issuerRef": {"name": "ca"}} | spec,
    }


def request(name: str, **ref: str) -> Manifest:
    """Return a CertificateRequest."""
    return {
        "apiVersion": CERTIFICATE_REQUEST.api_version,
        "kind": CERTIFICATE_REQUEST.name,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "annotations": {"cert-manager.io/private-key-secret-name": "k"},
        },
        "spec": {
            "request": make_request().object["spec"]["request"],
            "issuerRef": {"name": "ca"} | ref,
            "username": "system:admin",
            "groups": ["system:masters"],
        },
    }


def with_condition(obj: Manifest, kind: str, status: str = "True") -> Manifest:
    """Return the request with a condition."""
    return obj | {"status": {"conditions": [{"type": kind, "status": status, "reason": "Test"}]}}


async def test_bad_objects_are_refused_with_the_original_s_words(
    cluster: Cluster, webhook: Program
) -> None:
    """As kubectl shows it."""
    async with store(cluster) as admin:
        with pytest.raises(RefusedError) as caught:
            await admin.create(certificate(duration="30m", secretName=""), manager="test")
        assert str(caught.value) == (
            f"{DENIED}[spec.secretName: Required value: must be specified, spec.duration: Invalid"
            " value: 30m0s: certificate duration must be greater than 1h0m0s]"
        )
        with pytest.raises(RefusedError) as caught:
            await admin.create(certificate(duration="90d"), manager="test")
        assert str(caught.value) == f'{DENIED}time: unknown unit "d" in duration "90d"'
        issuer = {
            "apiVersion": ISSUER.api_version,
            "kind": ISSUER.name,
            "metadata": {"name": "two-issuers", "namespace": NAMESPACE},
            "spec": {"selfSigned": {}, "ca": {"secretName": "s"}},
        }
        with pytest.raises(RefusedError) as caught:
            await admin.create(issuer, manager="test")
        assert str(caught.value) == (
            f"{DENIED}spec.selfSigned: Forbidden: may not specify more than one issuer type"
        )


async def test_good_objects_are_stored_as_they_are(cluster: Cluster, webhook: Program) -> None:
    """A gate of the webhook's counts; an update is judged as well."""
    async with store(cluster) as admin:
        wanted = certificate(additionalOutputFormats=[{"type": "DER"}])
        stored = await admin.create(wanted, manager="test")
        assert stored["spec"] == wanted["spec"]
        with pytest.raises(RefusedError, match=r"spec\.secretName: Required value"):
            await admin.update(
                stored | {"spec": stored["spec"] | {"secretName": ""}}, manager="test"
            )
        again = await admin.update_status(
            stored | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            manager="test",
        )
        assert again["spec"] == wanted["spec"]


async def test_a_request_says_who_made_it_and_stays_so(cluster: Cluster, webhook: Program) -> None:
    """Whatever it claims."""
    async with store(cluster, "alice", "dev", "system:authenticated") as alice:
        stored = await alice.create(request("r1"), manager="test")
        assert stored["spec"]["username"] == "alice"
        assert sorted(stored["spec"]["groups"]) == ["dev", "system:authenticated"]
        assert "uid" not in stored["spec"]

        changed = stored | {"spec": stored["spec"] | {"username": "root"}}
        with pytest.raises(RefusedError) as caught:
            await alice.update(changed, manager="test")
        assert str(caught.value) == (
            f"{DENIED}[spec.username: Forbidden: username identity cannot be changed once set,"
            " spec: Forbidden: cannot change spec after creation]"
        )
        metadata = stored["metadata"] | {"annotations": {}}
        with pytest.raises(RefusedError, match="cannot change cert-manager annotation after"):
            await alice.update(stored | {"metadata": metadata}, manager="test")


async def test_only_who_has_the_role_approves(cluster: Cluster, webhook: Program) -> None:
    """For this issuer; afterwards nobody changes the decision."""
    async with store(cluster, "alice") as alice, store(cluster, "bob") as bob:
        stored = await alice.create(request("r2"), manager="test")
        for kind in ("Approved", "Denied"):
            with pytest.raises(RefusedError) as caught:
                await alice.update_status(with_condition(stored, kind), manager="test")
            assert str(caught.value) == (
                f'{DENIED}status.conditions: Forbidden: user "alice" does not have permissions to'
                " set approved/denied conditions for issuer {ca  }"
            )
        with pytest.raises(RefusedError, match='"Approved" condition may only be set to True'):
            await bob.update_status(with_condition(stored, "Approved", "False"), manager="test")

        approved = await bob.update_status(with_condition(stored, "Approved"), manager="test")

        with pytest.raises(RefusedError, match="'Approved' condition may not be modified once"):
            await bob.update_status(with_condition(approved, "Denied"), manager="test")
        conditions = [*approved["status"]["conditions"], {"type": "Ready", "status": "False"}]
        await alice.update_status(approved | {"status": {"conditions": conditions}}, manager="test")


async def test_signers_are_found_by_discovery(cluster: Cluster, webhook: Program) -> None:
    """A cluster-wide one, one that bob may not approve for, and one that is none."""
    async with store(cluster, "bob") as bob:
        wide = await bob.create(request("r3", kind="ClusterIssuer"), manager="test")
        await bob.update_status(with_condition(wide, "Denied"), manager="test")

        strange = await bob.create(
            request("r4", kind="Robot", group="robots.example"), manager="test"
        )
        with pytest.raises(RefusedError) as caught:
            await bob.update_status(with_condition(strange, "Approved"), manager="test")
        assert str(caught.value) == (
            f"{DENIED}spec.issuerRef: Forbidden: referenced signer resource does not exist:"
            " {ca Robot robots.example}"
        )


async def test_the_roles_of_the_installation_are_enough(cluster: Cluster, webhook: Program) -> None:
    """The webhook's account may do what the webhook does, and no more."""
    settings = InstallationSettings(namespace="two")
    rules = [
        rule
        for obj in rbac(settings)
        if obj["kind"] in {"Role", "ClusterRole"} and "webhook" in obj["metadata"]["name"]
        for rule in obj["rules"]
    ]
    assert rules == [
        {
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["subjectaccessreviews"],
            "verbs": ["create"],
        },
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "verbs": ["get", "list", "watch", "update"],
            "resourceNames": ["cert-manager-webhook-ca"],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]


def test_a_lost_ca_comes_back(cluster: Cluster, webhook: Program) -> None:
    """Within the ten seconds between two looks."""

    async def delete() -> str:
        async with store(cluster) as admin:
            before = await admin.get(CA_SECRET)
            assert before is not None
            await admin.delete(CA_SECRET)
            return str(before["data"]["ca.crt"])

    async def present() -> str:
        async with store(cluster) as admin:
            after = await admin.get(CA_SECRET)
            return str(after["data"]["ca.crt"]) if after else ""

    before = asyncio.run(delete())
    eventually(lambda: asyncio.run(present()) not in {"", before})
    assert base64.b64decode(asyncio.run(present())).startswith(b"-----BEGIN CERTIFICATE-----")


def test_it_stops_when_told(cluster: Cluster, tmp_path: Path) -> None:
    """With exit code 0; a port that is taken is one sentence and exit code 1."""
    port, health_port = free_port(), free_port()
    arguments = (
        "webhook",
        f"--kubeconfig={cluster.kubeconfig()}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--healthz-port={health_port}",
    )
    with Program.running(tmp_path / "one.log", *arguments) as first:
        first.until(lambda: status_of(f"http://127.0.0.1:{health_port}/healthz") == 200)
        with Program.running(tmp_path / "two.log", *arguments) as second:
            assert second.wait() == 1
            assert f"cannot listen on 127.0.0.1:{health_port}" in second.output
        assert first.stop() == 0
