"""Every object that Lymer's chart renders, before a real API server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from certwright_testing.cluster import Cluster, missing_assets
from certwright_testing.dry_run import ApiServer
from fakes.chart import Objects, render
from integration.charts.test_chart import CASES

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

FOREIGN = {
    "gateway.networking.k8s.io": "gateway-api.yaml",
    "telemetry.istio.io": "istio.yaml",
    "security.istio.io": "istio.yaml",
    "monitoring.coreos.com": "prometheus-operator.yaml",
}
"""API groups that others define, and the files of tools/crd_assets.sh that do."""


def foreign_kinds(objects: Objects) -> set[tuple[str, str]]:
    """Return group and kind of what a bare API server does not know."""
    return {
        (obj["apiVersion"].split("/")[0], obj["kind"])
        for obj in objects.values()
        if obj["apiVersion"].split("/")[0] in FOREIGN
    }


def test_every_object_of_every_case_is_taken(tmp_path: Path) -> None:
    """A server-side dry run, and no field that is not known. One server for all cases."""
    if missing := missing_assets():
        pytest.skip(missing)
    definitions = Path(os.environ["KUBEBUILDER_ASSETS"]) / "crds"
    cluster = Cluster(tmp_path)
    rendered = {name: render(values) for name, values in CASES.items()}
    wanted = {kind for objects in rendered.values() for kind in foreign_kinds(objects)}
    assert len(wanted) >= 5
    try:
        cluster.start()
        server = ApiServer(cluster)
        for name in ("tracing", "istio-system"):
            server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        known = _define(server, definitions, wanted) if definitions.exists() else set()
        said: dict[str, Any] = {}
        for case, objects in rendered.items():
            asked = [
                obj
                for obj in objects.values()
                if (group := obj["apiVersion"].split("/")[0]) not in FOREIGN
                or (group, obj["kind"]) in known
            ]
            if refused := server.refusals(asked, "tracing"):
                said[case] = refused
    finally:
        cluster.stop()

    assert said == {}
    assert known in (wanted, set())


def _define(server: ApiServer, folder: Path, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Define kinds of others, wait until they are served, and return them."""
    made = set()
    for name in sorted(set(FOREIGN.values())):
        for definition in yaml.load_all((folder / name).read_text(), Loader=yaml.CSafeLoader):
            spec = definition["spec"] if definition else {"group": "", "names": {"kind": ""}}
            if (spec["group"], spec["names"]["kind"]) in wanted:
                server.apply(definition)
                made.add((spec["group"], spec["names"]["kind"]))
                server.wait_for(definition)
    return made
