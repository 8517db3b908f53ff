"""What Lymer's chart renders: every mode, every file of values, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

import lymer
from fakes.chart import CHART, Manifest, Objects, notes, refusal, render, values_file
from lymer.config.sources import load_effective

EVERYTHING: dict[str, Any] = {
    "mode": "distributed",
    "commonLabels": {"team": "a"},
    "imagePullSecrets": [{"name": "registry"}],
    "uiconfig": {"menu": [{"label": "Docs", "url": "https://example.com"}]},
    "config": {"query": {"max_trace_size_spans": 50000}},
    "tls": {
        "issuerRef": {"name": "ca", "kind": "ClusterIssuer"},
        "plainReceivers": ["otlp_http", "zipkin"],
    },
    "collector": {
        "podDisruptionBudget": {"enabled": True},
        "ingress": {"enabled": True, "hosts": [{"host": "otlp.example.com"}]},
        "httproute": {"enabled": True, "parentRefs": [{"name": "gw"}]},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "extraEnv": [{"name": "A", "value": "b"}],
        "extraEnvFrom": [{"secretRef": {"name": "s"}}],
        "extraVolumes": [{"name": "x", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
        "extraContainers": [{"name": "c", "image": "i"}],
        "extraInitContainers": [{"name": "d", "image": "i"}],
        "service": {"extraPorts": [{"name": "tcp-x", "port": 1}]},
        "config": {"collector": {"tags": "cluster=blue"}},
    },
    "query": {
        "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
        "ingress": {"enabled": True, "hosts": ["traces.example.com"]},
        "httproute": {
            "enabled": True,
            "parentRefs": [{"name": "gw"}],
            "hostnames": ["traces.example.com"],
        },
    },
    "agent": {
        "buffer": {"type": "hostPath"},
        "daemonset": {"useHostPort": True},
        "tags": "cluster=blue,pod=${POD_NAME:none}",
    },
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
    "networkPolicy": {
        "enabled": True,
        "receiversFrom": [{"namespaceSelector": {}}],
        "queryFrom": [{"podSelector": {}}],
    },
    "istio": {
        "enabled": True,
        "inject": True,
        "telemetry": {"customTags": {"a": {"literal": {"value": "b"}}}},
    },
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}
    ],
}
CASES: dict[str, dict[str, Any]] = {
    "all-in-one": {},
    "all-in-one-tls": {"tls": {"issuerRef": {"name": "ca"}}},
    "distributed": {"mode": "distributed"},
    "sidecar": {"mode": "distributed", "agent": {"kind": "Sidecar"}},
    "no-agent": {"mode": "distributed", "agent": {"kind": "None"}},
    "secrets": {
        "mode": "distributed",
        "tls": {"existingSecrets": {"collector": "a", "query": "b", "agent": "c"}},
    },
    "clickhouse": {
        "mode": "distributed",
        "storage": {
            "clickhouse": {
                "url": ["https://clickhouse-0:8443", "https://clickhouse-1:8443"],
                "cluster": "traces",
                "existingSecret": "clickhouse",
                "caKey": "ca.crt",
            }
        },
        "collector": {
            "autoscaling": {
                "enabled": True,
                "targetMemoryUtilizationPercentage": 70,
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
            }
        },
    },
    "kafka": {"mode": "distributed", "ingester": {"enabled": True}},
    "kafka-secured": {
        "mode": "distributed",
        "tls": {"issuerRef": {"name": "ca"}},
        "ingester": {"enabled": True, "autoscaling": {"enabled": True}},
        "collector": {"replicaCount": 3},
        "storage": {
            "clickhouse": {"url": "http://clickhouse:8123", "existingSecret": "clickhouse"},
            "kafka": {
                "brokers": ["kafka-0:9093", "kafka-1:9093"],
                "tls": True,
                "mechanism": "scram-sha-512",
                "user": "lymer",
                "existingSecret": "kafka",
                "caKey": "ca.crt",
            },
        },
        "networkPolicy": {"enabled": True},
    },
    "no-disk": {"storage": {"persistence": {"enabled": False}}},
    "everything": EVERYTHING,
    **{path.name: values_file(path.name) for path in sorted(CHART.glob("values-*.yaml"))},
}
each_case = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())


@each_case
def test_lint_finds_nothing(values: dict[str, Any]) -> None:
    """`helm lint --strict` with each."""
    report = helm_python.lint(CHART, values, strict=True)

    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


def pods(objects: Objects) -> dict[str, Manifest]:
    """Return the pod templates by the name of their workload."""
    return {
        name: obj["spec"]["template"]
        for (kind, name), obj in objects.items()
        if kind in {"StatefulSet", "Deployment", "DaemonSet"}
    }


@each_case
def test_pods_are_safe_whole_and_reachable(values: dict[str, Any]) -> None:
    """What a pod mounts is there, what it listens on has a name, nobody is root who need not."""
    objects = render(values)
    for name, template in pods(objects).items():
        spec = template["spec"]
        container = spec["containers"][0]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsUser"] == 65532
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert spec["automountServiceAccountToken"] is False
        claims = objects_claims(objects, name)
        volumes = {volume["name"] for volume in spec["volumes"]} | claims
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in objects
        named = {port["name"] for port in container["ports"]}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[kind]["httpGet"]["port"] in named
            assert "scheme" not in container[kind]["httpGet"], "a probe has no certificate"


def objects_claims(objects: Objects, name: str) -> set[str]:
    """Return names of the claims of a StatefulSet."""
    found = objects.get(("StatefulSet", name), {"spec": {}})
    return {claim["metadata"]["name"] for claim in found["spec"].get("volumeClaimTemplates", ())}


@each_case
def test_services_lead_to_ports_that_pods_have(values: dict[str, Any]) -> None:
    """Each port of a Service exists in the pods that it selects; Istio reads its protocol."""
    objects = render(values)
    templates = pods(objects)
    services = [obj for (kind, _), obj in objects.items() if kind == "Service"]
    assert {service["metadata"]["name"] for service in services} >= {
        "lymer-collector",
        "lymer-query",
    }
    for service in services:
        selector = service["spec"]["selector"]
        chosen = [
            template
            for template in templates.values()
            if selector.items() <= template["metadata"]["labels"].items()
        ]
        assert len(chosen) == 1
        there = {port["name"] for port in chosen[0]["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert port["name"].split("-")[0] in {"grpc", "http", "udp", "tcp"}
            assert port["name"].startswith("tcp-") or port["targetPort"] in there


@each_case
def test_every_file_of_settings_is_one_that_lymer_takes(
    values: dict[str, Any], tmp_path: Path
) -> None:
    """`lymer config check` finds nothing, for the role that reads it."""
    objects = render(values)
    for name, template in pods(objects).items():
        role = template["spec"]["containers"][0]["args"][0]
        file = tmp_path / f"{name}.yaml"
        text = objects["ConfigMap", name]["data"]["config.yaml"]
        text = text.replace("/etc/lymer/ui.json", _ui(tmp_path))
        file.write_text(re.sub(r"/etc/lymer-(?:clickhouse|kafka)/\S+", _ui(tmp_path), text))
        effective = load_effective(file, {"HOME": "/tmp"}, role=role)
        assert effective.config.listen_host == "0.0.0.0"
        assert effective.remarks == ()


def _ui(folder: Path) -> str:
    path = folder / "ui.json"
    path.write_text("{}")
    return str(path)


def test_the_chart_is_of_this_release() -> None:
    """Its version is the program's, so the default tag is the image that is built from here."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))

    assert chart["version"] == chart["appVersion"] == lymer.__version__


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"storage": {"clickhouse": {"urls": "http://a"}}}, "/storage/clickhouse"),
        (
            {"mode": "distributed", "collector": {"autoscaling": {"enabled": True}}},
            "set storage.clickhouse.url",
        ),
        ({"mode": "distributed", "collector": {"replicaCount": 3}}, "set storage.clickhouse.url"),
        (
            {"mode": "distributed", "ingester": {"enabled": True, "replicaCount": 2}},
            "ingester.replicaCount",
        ),
        (
            {
                "mode": "distributed",
                "collector": {"replicaCount": 2},
                "storage": {
                    "clickhouse": {"url": "http://a"},
                    "persistence": {"existingClaim": "b"},
                },
            },
            "storage.persistence.existingClaim",
        ),
        ({"image": None}, "missing property 'image'"),
        ({"mode": "streaming"}, "/mode"),
        ({"queries": {}}, "queries"),
        ({"agent": {"kind": "Sidecars"}}, "/agent/kind"),
        ({"storage": {"retention": "seven days"}}, "/storage/retention"),
        (
            {"istio": {"enabled": True}, "tls": {"issuerRef": {"name": "ca"}}},
            "tls.plainReceivers=[otlp_http, zipkin]",
        ),
    ],
)
def test_what_cannot_work_is_refused_by_name(values: dict[str, Any], said: str) -> None:
    """By the schema, or with a sentence that says what to set."""
    assert said in refusal(values)


def without_sections(values: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return a null for each map that lies so deep among some values."""
    maps = {key: value for key, value in values.items() if isinstance(value, dict)}
    if not depth:
        return dict.fromkeys(maps)
    return {key: without_sections(value, depth - 1) for key, value in maps.items()}


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_section_may_be_null(depth: int) -> None:
    """Or missing, as when `helm upgrade --reuse-values` brings values of an older chart."""
    values = values_file("values.yaml")
    del values["image"]

    assert refusal({"mode": "distributed"} | without_sections(values, depth)) == ""


def test_collectors_on_a_server_are_scaled() -> None:
    """Each with a journal of its own; query asks the server, and no collector."""
    objects = render(CASES["clickhouse"])
    collector = objects["StatefulSet", "lymer-collector"]["spec"]
    assert "replicas" not in collector, "that is the autoscaler's"
    assert [claim["metadata"]["name"] for claim in collector["volumeClaimTemplates"]] == ["data"]
    scaler = objects["HorizontalPodAutoscaler", "lymer-collector"]["spec"]
    assert scaler["scaleTargetRef"]["kind"] == "StatefulSet"
    assert {metric["resource"]["name"] for metric in scaler["metrics"]} == {"cpu", "memory"}
    for role in ("collector", "query"):
        config = yaml.safe_load(objects["ConfigMap", f"lymer-{role}"]["data"]["config.yaml"])
        assert config["storage"]["clickhouse_url"].count("https://") == 2
        assert config["storage"]["clickhouse_password_file"] == "/etc/lymer-clickhouse/password"
        assert "remote_storage" not in config

    fixed = {"mode": "distributed", "collector": {"replicaCount": 3}}
    server = {"storage": {"clickhouse": {"url": "http://clickhouse:8123"}}}
    assert render(fixed | server)["StatefulSet", "lymer-collector"]["spec"]["replicas"] == 3


def test_a_changed_setting_starts_pods_anew() -> None:
    """A pod's annotation follows its settings."""
    one = pods(render({}))["lymer"]["metadata"]["annotations"]["checksum/config"]
    two = pods(render({"storage": {"retention": "1d"}}))["lymer"]["metadata"]["annotations"]

    assert one != two["checksum/config"]


def test_the_notes_name_what_is_left_to_do() -> None:
    """The registry, and in a mesh its configuration."""
    assert "ATTENTION" in notes()
    said = notes(values_file("values-manual.yaml") | {"image": {"repository": "r/lymer"}})
    assert "ATTENTION" not in said
    assert "lymer-istio-mesh" in said


def test_a_sidecar_keeps_its_hands_off_links_with_tls_of_their_own() -> None:
    """Else STRICT mTLS of the mesh refuses what is not its own; probes and metrics likewise."""
    values = {
        "mode": "distributed",
        "istio": {"enabled": True, "inject": True},
        "tls": {"issuerRef": {"name": "ca"}, "plainReceivers": ["otlp_http", "zipkin"]},
    }
    for template in pods(render(values)).values():
        annotations = template["metadata"]["annotations"]
        prefix = "traffic.sidecar.istio.io"
        inbound = set(annotations[f"{prefix}/excludeInboundPorts"].split(","))
        assert {"4317", "17271", "14250", "13133", "14269", "14271", "16687"} <= inbound
        assert not {"4318", "9411"} & inbound
        assert annotations[f"{prefix}/excludeOutboundPorts"] == "4317,17271"
        assert template["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"

    plain = {key: value for key, value in values.items() if key != "tls"}
    for template in pods(render(plain)).values():
        annotations = template["metadata"]["annotations"]
        assert not any(key.endswith("OutboundPorts") for key in annotations)
