"""`certwright doctor` on a cluster with the chart's objects: what is missing, by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import helm_python
import pytest

from certwright_testing.charts import CHART
from certwright_testing.cluster import Cluster, missing_assets
from certwright_testing.dry_run import ApiServer

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


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


def said(cluster: Cluster) -> tuple[int, dict[str, str]]:
    """Return the exit code and the problems by subject."""
    done = subprocess.run(
        [sys.executable, "-m", "certwright", "doctor", f"--kubeconfig={cluster.kubeconfig()}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line.split(None, 1) for line in done.stdout.splitlines()]
    found = [text.split(": ", 1) for level, text in lines if level == "problem"]
    return done.returncode, dict(found)


def test_what_is_missing_is_named(own_cluster: Cluster) -> None:
    """Before an installation, after one of another name, and when a role or a CRD went."""
    server = ApiServer(own_cluster)
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}})
    ready = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "one"},
        "spec": {"secretName": "web", "issuerRef": {"name": "gone"}, "dnsNames": ["a.example"]},
    }
    server.apply(ready)
    code, before = said(own_cluster)
    assert code == 1
    assert "install the chart" in before["Deployment cert-manager"]
    assert "cert-manager may not" in before["permissions"]
    assert "gone does not exist" in before["Certificate one/web"]
    assert "CRDs" not in before

    with helm_python.Config(
        kubeconfig_path=own_cluster.kubeconfig(), namespace="cert-manager"
    ) as helm:
        helm.install(CHART, "prod", {"startupapicheck": {"enabled": False}})
    code, after = said(own_cluster)
    assert code == 1
    assert "permissions" not in after
    assert "registry.example.com" in after["Deployment prod-cert-manager"]
    assert "no CA" in after["mutatingwebhookconfigurations"]
    assert "has no ready pod" in after["webhook"]

    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/prod-cert-manager-controller-orders"
    server.ask("DELETE", role)
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    server.ask("DELETE", f"{definition}/challenges.acme.cert-manager.io")
    _, broken = said(own_cluster)
    assert "prod-cert-manager may not" in broken["permissions"]
    assert "challenges.acme.cert-manager.io missing" in broken["CRDs"]
