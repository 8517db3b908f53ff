"""The chart's pods against a real API server: their own arguments, their own permissions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest

from certwright_testing.chart_pods import HOOKS, lead_to_this_machine, running, wait_for
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


def test_the_installed_pods_issue_a_certificate(own_cluster: Cluster, tmp_path: Path) -> None:
    """Installed by Helm; cainjector writes the webhook's CA; a Certificate becomes ready."""
    server = ApiServer(own_cluster)
    with helm_python.Config(kubeconfig_path=own_cluster.kubeconfig(), namespace=NAMESPACE) as helm:
        helm.install(CHART, "cert-manager", VALUES, create_namespace=True)
    objects = render(VALUES, namespace=NAMESPACE)
    with running(own_cluster, objects, NAMESPACE, tmp_path) as processes:
        path = f"{HOOKS}/validatingwebhookconfigurations/cert-manager-webhook"
        bundle = wait_for(
            "cainjector writes the CA",
            tmp_path,
            lambda: server.ask("GET", path)["webhooks"][0]["clientConfig"].get("caBundle"),
        )
        secret = f"/api/v1/namespaces/{NAMESPACE}/secrets/cert-manager-webhook-ca"
        assert server.ask("GET", secret)["data"]["ca.crt"] == bundle
        lead_to_this_machine(server, NAMESPACE, VALUES["webhook"]["securePort"])
        issuer, wanted = _WANTED
        server.apply(issuer)
        # The API server asks the webhook: it writes as the original's does, and refuses likewise.
        wanted["spec"] |= {"duration": "90h", "renewBefore": "30h", "isCA": False}
        wait_for("the webhook answers", tmp_path, lambda: server.apply(wanted))
        certificate = "/apis/cert-manager.io/v1/namespaces/one/certificates/web"
        spec = server.ask("GET", certificate)["spec"]
        assert (spec["duration"], spec["renewBefore"], "isCA" in spec) == (
            "90h0m0s",
            "30h0m0s",
            False,
        )
        with pytest.raises(AssertionError, match="must be greater than renewBefore"):
            server.apply({**wanted, "spec": wanted["spec"] | {"renewBefore": "100h"}})
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
