"""`helm upgrade` of Lymer's chart on a real API server: what an all-in-one had stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest

from certwright_testing.cluster import Cluster, missing_assets
from certwright_testing.dry_run import ApiServer
from fakes.chart import CHART, NAMESPACE

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(180)]

_CLAIM = "data-lymer-0"
_DISTRIBUTED = {
    "mode": "distributed",
    "storage": {"persistence": {"existingClaim": _CLAIM}},
}
_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Yield an API server."""
    if missing := missing_assets():
        pytest.skip(missing)
    started = Cluster(tmp_path)
    try:
        started.start()
        yield started
    finally:
        started.stop()


def _names(server: ApiServer, path: str) -> set[str]:
    return {one["metadata"]["name"] for one in server.ask("GET", path)["items"]}


def _make_claims(server: ApiServer, name: str) -> None:
    """Make the claims of a StatefulSet's first pod, as its controller does."""
    for claim in server.ask("GET", f"{_SETS}/{name}")["spec"]["volumeClaimTemplates"]:
        metadata = {"name": f"{claim['metadata']['name']}-{name}-0", "namespace": NAMESPACE}
        spec = {key: claim["spec"][key] for key in ("accessModes", "resources")}
        made: dict[str, Any] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        server.apply({**made, "metadata": metadata, "spec": spec}, NAMESPACE)


def test_an_all_in_one_becomes_collector_and_query_on_its_claim(cluster: Cluster) -> None:
    """And back; the claim stays, and so do the names that applications and people know."""
    server = ApiServer(cluster)
    services = f"/api/v1/namespaces/{NAMESPACE}/services"
    with helm_python.Config(kubeconfig_path=cluster.kubeconfig(), namespace=NAMESPACE) as helm:
        helm.install(CHART, "lymer", {}, create_namespace=True)
        assert _names(server, _SETS) == {"lymer"}
        _make_claims(server, "lymer")
        claims = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"
        assert _names(server, claims) == {_CLAIM}
        known = _names(server, services)

        helm.upgrade(CHART, "lymer", _DISTRIBUTED)
        assert _names(server, _SETS) == {"lymer-collector"}
        made = server.ask("GET", f"{_SETS}/lymer-collector")["spec"]
        assert "volumeClaimTemplates" not in made
        volumes = made["template"]["spec"]["volumes"]
        assert [
            one["persistentVolumeClaim"]["claimName"]
            for one in volumes
            if "persistentVolumeClaim" in one
        ] == [_CLAIM]
        assert known <= _names(server, services)
        assert _names(server, claims) == {_CLAIM}

        # Without it the collector would get another claim, and the old spans would be away.
        with pytest.raises(helm_python.HelmError, match=r"spec.*forbidden|Forbidden"):
            helm.upgrade(CHART, "lymer", {"mode": "distributed"})
        helm.upgrade(CHART, "lymer", {}, reset_values=True)
        assert _names(server, _SETS) == {"lymer"}
        (template,) = server.ask("GET", f"{_SETS}/lymer")["spec"]["volumeClaimTemplates"]
        assert f"{template['metadata']['name']}-lymer-0" == _CLAIM
        assert known == _names(server, services)
