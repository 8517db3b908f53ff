"""The chart on a real API server: what it takes, and what an upgrade leaves alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from certwright_testing.charts import CHART, render
from certwright_testing.cluster import Cluster, missing_assets
from certwright_testing.dry_run import ApiServer

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

EVERYTHING: dict[str, Any] = {
    "installCRDs": True,
    "global": {
        "imagePullSecrets": [{"name": "s"}],
        "commonLabels": {"team": "a"},
        "priorityClassName": "high",
        "leaderElection": {"namespace": "mgmt", "leaseDuration": "9s"},
    },
    "replicaCount": 2,
    "strategy": {"type": "Recreate"},
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"},
    "featureGates": "ServerSideApply=true",
    "extraArgs": ["--v=4"],
    "extraEnv": [{"name": "A", "value": "b"}],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    "resources": {"limits": {"memory": "1Gi"}},
    "podAnnotations": {"a": "b"},
    "podDnsPolicy": "None",
    "podDnsConfig": {"nameservers": ["1.1.1.1"]},
    "livenessProbe": {"enabled": True},
    "http_proxy": "http://proxy:80",
    "webhook": {
        "hostNetwork": True,
        "serviceType": "LoadBalancer",
        "loadBalancerIP": "10.9.9.9",
        "networkPolicy": {"enabled": True},
        "podDisruptionBudget": {"enabled": True},
        "config": {
            "apiVersion": "webhook.config.cert-manager.io/v1alpha1",
            "kind": "WebhookConfiguration",
            "securePort": 10260,
        },
    },
    "cainjector": {"podDisruptionBudget": {"enabled": True}, "replicaCount": 2},
}


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_every_object_is_taken(cluster: Cluster, values: dict[str, Any]) -> None:
    """A server-side dry run of each, and no field that is not known."""
    server = ApiServer(cluster)
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mgmt"}})

    assert server.refusals(render(values).values(), "mgmt") == []


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


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a chart that is called cert-manager, v1.12.2.

    That of the original, if CERT_MANAGER_CHART names its folder. Else ours under that name, which
    renders the same objects (test_values.py) with the original's name of the chart on them.
    """
    if folder := os.environ.get("CERT_MANAGER_CHART"):
        return Path(folder)
    copied = tmp_path_factory.mktemp("original") / "cert-manager"
    shutil.copytree(CHART, copied)
    chart = yaml.safe_load((copied / "Chart.yaml").read_text())
    chart |= {"name": "cert-manager", "version": "v1.12.2", "appVersion": "v1.12.2"}
    (copied / "Chart.yaml").write_text(yaml.safe_dump(chart))
    return copied


def test_a_release_of_cert_manager_is_taken_over_and_given_back(
    own_cluster: Cluster, original: Path
) -> None:
    """Definitions, certificates and Deployments stay the same objects, there and back."""
    server = ApiServer(own_cluster)
    values = {"installCRDs": True, "startupapicheck": {"enabled": False}}
    rendered = render(values, namespace="cert-manager").values()
    definitions = [obj for obj in rendered if obj["kind"] == "CustomResourceDefinition"]
    # Nobody answers for the webhook here, so it must not be asked about our Certificate.
    hooks = [obj for obj in rendered if obj["kind"].endswith("WebhookConfiguration")]
    for obj in definitions:  # the kit's own, of no release
        server.ask("DELETE", server.path(obj, ""))

    with helm_python.Config(
        kubeconfig_path=own_cluster.kubeconfig(), namespace="cert-manager"
    ) as helm:
        helm.install(original, "cert-manager", values, create_namespace=True)
        for definition in definitions:
            server.wait_for(definition)
        for obj in hooks:
            server.ask("DELETE", server.path(obj, ""))
        made = [server.apply(obj) for obj in _PRECIOUS]
        watched = [*(obj for obj in rendered if obj not in hooks), *made]
        before = {server.path(obj, "cert-manager"): uid(server, obj) for obj in watched}
        helm.upgrade(CHART, "cert-manager", values)
        during = {server.path(obj, "cert-manager"): uid(server, obj) for obj in watched}
        deployment = server.ask(
            "GET", "/apis/apps/v1/namespaces/cert-manager/deployments/cert-manager"
        )
        helm.upgrade(original, "cert-manager", values)
        after = {server.path(obj, "cert-manager"): uid(server, obj) for obj in watched}
        assert all(uid(server, obj) for obj in hooks)

    assert len(before) > 40
    assert before == during == after
    assert deployment["metadata"]["labels"]["helm.sh/chart"].startswith("certwright-")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].startswith("registry.example.com/certwright-controller:")


_PRECIOUS: list[dict[str, Any]] = [
    {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "kept", "namespace": "one"},
        "spec": {"secretName": "kept", "issuerRef": {"name": "i"}, "dnsNames": ["a.example"]},
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "kept", "namespace": "one"},
        "stringData": {"tls.key": "k"},
    },
]


def uid(server: ApiServer, obj: dict[str, Any]) -> str:
    """Return which object it is, not only what it is called."""
    return str(server.ask("GET", server.path(obj, "cert-manager"))["metadata"]["uid"])
