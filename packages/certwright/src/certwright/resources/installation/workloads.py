"""The three Deployments and their Services, with the flags of cert-manager's static manifest.

Source: reference cert-manager.md 9.3.
"""

from __future__ import annotations

from typing import Any, Final

from certwright.resources.installation.settings import InstallationSettings
from certwright.resources.kinds import Manifest

__all__ = ["workloads"]

_WEBHOOK: Final = "cert-manager-webhook"


def workloads(settings: InstallationSettings) -> list[Manifest]:
    """Return Services and Deployments."""
    election = f"--leader-election-namespace={settings.leader_election_namespace}"
    gates = [f"--feature-gates={settings.feature_gates}"] if settings.feature_gates else []
    service = f"{_WEBHOOK}.$(POD_NAMESPACE)"
    return [
        _service(
            settings, "cert-manager", "controller", 9402, 9402, "tcp-prometheus-servicemonitor"
        ),
        _service(settings, _WEBHOOK, "webhook", 443, "https", "https"),
        _deployment(
            settings, "cert-manager-cainjector", "cainjector", "cainjector", ["--v=2", election]
        ),
        _deployment(
            settings,
            "cert-manager",
            "controller",
            "controller",
            ["--v=2", "--cluster-resource-namespace=$(POD_NAMESPACE)", election, *gates],
            ports=[
                {"containerPort": 9402, "name": "http-metrics", "protocol": "TCP"},
                {"containerPort": 9403, "name": "http-healthz", "protocol": "TCP"},
            ],
        ),
        _deployment(
            settings,
            _WEBHOOK,
            "webhook",
            "webhook",
            [
                "--v=2",
                "--secure-port=10250",
                "--dynamic-serving-ca-secret-namespace=$(POD_NAMESPACE)",
                f"--dynamic-serving-ca-secret-name={_WEBHOOK}-ca",
                f"--dynamic-serving-dns-names={_WEBHOOK},{service},{service}.svc",
                *gates,
            ],
            ports=[
                {"containerPort": 10250, "name": "https", "protocol": "TCP"},
                {"containerPort": 6080, "name": "healthcheck", "protocol": "TCP"},
            ],
            livenessProbe=_probe("/livez", 60, 10),
            readinessProbe=_probe("/healthz", 5, 5),
        ),
    ]


def _probe(path: str, initial_delay_seconds: int, period_seconds: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": 6080, "scheme": "HTTP"},
        "initialDelaySeconds": initial_delay_seconds,
        "periodSeconds": period_seconds,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _selector(settings: InstallationSettings, component: str) -> dict[str, str]:
    labels = settings.labels(component)
    return {name: value for name, value in labels.items() if name != "app"}


def _service(
    settings: InstallationSettings,
    name: str,
    component: str,
    port: int,
    target: int | str,
    port_name: str,
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": settings.metadata(name, component, settings.namespace),
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": port_name, "port": port, "protocol": "TCP", "targetPort": target}],
            "selector": _selector(settings, component),
        },
    }


def _deployment(
    settings: InstallationSettings,
    name: str,
    component: str,
    command: str,
    arguments: list[str],
    **container: Any,
) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": settings.metadata(name, component, settings.namespace),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _selector(settings, component)},
            "template": {
                "metadata": {"labels": settings.labels(component)},
                "spec": {
                    "serviceAccountName": name,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "containers": [
                        {
                            "name": f"cert-manager-{component}",
                            "image": settings.image,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["certwright", command],
                            "args": arguments,
                            **container,
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "env": [
                                {
                                    "name": "POD_NAMESPACE",
                                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
                                }
                            ],
                        }
                    ],
                },
            },
        },
    }
