"""The chart's pods against a real API server: their own arguments, their own permissions."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from certwright_testing.charts import CHART, render
from certwright_testing.cluster import Cluster, free_port, missing_assets
from certwright_testing.dry_run import ApiServer

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(180)]

NAMESPACE = "cert-manager"
VALUES: dict[str, Any] = {
    "startupapicheck": {"enabled": False},
    "featureGates": "ServerSideApply=true",
    "livenessProbe": {"enabled": True},
    "webhook": {"securePort": free_port()},
}
HOOKS = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield an API server whose webhook configurations harm nobody else."""
    if missing := missing_assets():
        pytest.skip(missing)
    started = Cluster(tmp_path_factory.mktemp("own-cluster"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


def kubeconfig_of(cluster: Cluster, account: str) -> Path:
    """Return a kubeconfig as a ServiceAccount, with what it may do and no more."""
    path = cluster.kubeconfig()
    document = yaml.safe_load(path.read_text())
    user = document["users"][0]["user"]
    user["as"] = f"system:serviceaccount:{NAMESPACE}:{account}"
    user["as-groups"] = ["system:serviceaccounts", "system:authenticated"]
    mine = path.with_name(f"kubeconfig-{account}")
    mine.write_text(yaml.safe_dump(document))
    return mine


def started(
    cluster: Cluster, objects: dict[tuple[str, str], Any], name: str, folder: Path, *more: str
) -> subprocess.Popen[bytes]:
    """Start a Deployment's container as a kubelet would, but for the token and the ports."""
    spec = objects["Deployment", name]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    known = {"POD_NAMESPACE": NAMESPACE}
    words = [*container["command"], *container["args"]]
    words = [re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], word) for word in words]
    assert words[0] == "certwright"
    kubeconfig = kubeconfig_of(cluster, spec["serviceAccountName"])
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *words, f"--kubeconfig={kubeconfig}", *more],
            stdout=log,
            stderr=log,
            cwd=folder,
        )


def wait_for(what: str, folder: Path, look: Any) -> Any:
    """Return what `look` gives when it gives something."""
    for _ in range(600):
        try:
            if found := look():
                return found
        except AssertionError:
            pass
        time.sleep(0.1)
    logs = "\n".join(path.read_text()[-1500:] for path in folder.glob("*.log"))
    raise AssertionError(f"{what}\n{logs}")


def test_the_installed_pods_issue_a_certificate(own_cluster: Cluster, tmp_path: Path) -> None:
    """Installed by Helm; cainjector writes the webhook's CA; a Certificate becomes ready."""
    server = ApiServer(own_cluster)
    with helm_python.Config(kubeconfig_path=own_cluster.kubeconfig(), namespace=NAMESPACE) as helm:
        helm.install(CHART, "cert-manager", VALUES, create_namespace=True)
    objects = render(VALUES, namespace=NAMESPACE)
    health = free_port()
    processes = [
        started(
            own_cluster,
            objects,
            "cert-manager",
            tmp_path,
            f"--metrics-listen-address=127.0.0.1:{free_port()}",
            f"--internal-healthz-listen-address=127.0.0.1:{free_port()}",
        ),
        started(
            own_cluster,
            objects,
            "cert-manager-webhook",
            tmp_path,
            "--bind-address=127.0.0.1",
            f"--healthz-port={health}",
        ),
        started(own_cluster, objects, "cert-manager-cainjector", tmp_path),
    ]
    try:
        path = f"{HOOKS}/validatingwebhookconfigurations/cert-manager-webhook"
        bundle = wait_for(
            "cainjector writes the CA",
            tmp_path,
            lambda: server.ask("GET", path)["webhooks"][0]["clientConfig"].get("caBundle"),
        )
        secret = f"/api/v1/namespaces/{NAMESPACE}/secrets/cert-manager-webhook-ca"
        assert server.ask("GET", secret)["data"]["ca.crt"] == bundle
        # There is no network of pods here, so the API server cannot call the webhook.
        for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
            server.ask("DELETE", f"{HOOKS}/{kind}/cert-manager-webhook")
        for obj in _WANTED:
            server.apply(obj)
        certificate = "/apis/cert-manager.io/v1/namespaces/one/certificates/web"
        wait_for(
            "the Certificate becomes ready",
            tmp_path,
            lambda: (
                {"type": "Ready", "status": "True"}
                in [
                    {key: one[key] for key in ("type", "status")}
                    for one in server.ask("GET", certificate)
                    .get("status", {})
                    .get("conditions", ())
                ]
            ),
        )
        assert "tls.crt" in server.ask("GET", "/api/v1/namespaces/one/secrets/web")["data"]
        assert all(process.poll() is None for process in processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


_WANTED: list[dict[str, Any]] = [
    {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "self", "namespace": "one"},
        "spec": {"selfSigned": {}},
    },
    {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "one"},
        "spec": {
            "secretName": "web",
            "dnsNames": ["web.example"],
            "issuerRef": {"name": "self"},
        },
    },
]


def test_the_job_asks_what_the_program_knows() -> None:
    """`certwright ctl check api --wait=1m` of the Job after an installation."""
    job = render()["Job", "cert-manager-startupapicheck"]
    container = job["spec"]["template"]["spec"]["containers"][0]
    words = [*container["command"], *container["args"]]
    done = subprocess.run(
        [sys.executable, "-m", *words, "--server=http://127.0.0.1:1", "--wait=1s"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin", "HOME": "/nonexistent"},
    )

    assert done.returncode == 1
    assert "Usage" not in done.stderr, done.stderr
