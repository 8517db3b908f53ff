"""Each parameter of cert-manager's chart has its effect, and its default, in what Helm renders.

Source: reference cert-manager.md 9.2.
"""

# ruff: noqa: FBT003 - a row of a table says True and False

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from certwright_testing.charts import field as field_of
from certwright_testing.charts import merged, nested, render

MAP: Final = {"example.com/key": "value"}
POD: Final = "spec/template/spec"
CONTAINER: Final = f"{POD}/containers/0"
SAFE_POD: Final = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
SAFE_CONTAINER: Final = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
VOLUMES: Final = [{"name": "v", "emptyDir": {}}]
TOLERATIONS: Final = [{"key": "a", "operator": "Exists"}]
SPREAD: Final = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
AFFINITY: Final = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
RESOURCES: Final = {"limits": {"memory": "64Mi"}}
RUNNING_HOOK: Final = {
    "helm.sh/hook": "post-install",
    "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
}
OPEN: Final = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


@dataclass(frozen=True)
class Row:
    """A parameter, what it is set to, the field that shows it, and that without and with it."""

    parameter: str
    value: Any
    kind: str
    name: str
    path: str
    default: Any
    wanted: Any
    also: dict[str, Any] = field(default_factory=dict)
    """Values that both renderings have."""


@dataclass(frozen=True)
class Has:
    """Equal to every list that has an item, or every map that has these items."""

    item: Any

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dict):
            return bool(self.item.items() <= other.items())
        return isinstance(other, list) and self.item in other

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Lacks(Has):
    """Equal to everything else."""

    def __eq__(self, other: object) -> bool:
        return not Has(self.item) == other

    __hash__ = None  # type: ignore[assignment]


def row(parameter: str, value: Any, where: str, default: Any, wanted: Any, **also: Any) -> Row:
    """Return a row; `where` is KIND NAME PATH."""
    kind, name, path = where.split(" ", 2)
    given: dict[str, Any] = {}
    for key, extra in also.items():
        given = merged(given, nested(key.replace("__", "."), extra))
    return Row(parameter, value, kind, name, path, default, wanted, given)


def of_a_component(prefix: str, kind: str, name: str) -> Iterator[Row]:
    """Yield what the pods of all four have."""
    here = f"{kind} {name}"
    repository = {
        "": "registry.example.com/certwright-controller",
        "webhook.": "registry.example.com/certwright-webhook",
        "cainjector.": "registry.example.com/certwright-cainjector",
        "startupapicheck.": "registry.example.com/certwright-controller",
    }[prefix]
    image = f"{here} {CONTAINER}/image"
    yield row(f"{prefix}image.repository", "r/x", image, f"{repository}:0.1.0", "r/x:0.1.0")
    yield row(
        f"{prefix}image.tag",
        "v1.12.2",
        image,
        "r/y:0.1.0",
        "r/y:v1.12.2",
        **{f"{prefix}image.repository".replace(".", "__"): "r/y"},
    )
    yield row(
        f"{prefix}image.pullPolicy",
        "Always",
        f"{here} {CONTAINER}/imagePullPolicy",
        "IfNotPresent",
        "Always",
    )
    for parameter, path, default, value in (
        ("securityContext", f"{POD}/securityContext", SAFE_POD, {**SAFE_POD, "runAsUser": 7}),
        (
            "containerSecurityContext",
            f"{CONTAINER}/securityContext",
            SAFE_CONTAINER,
            {**SAFE_CONTAINER, "readOnlyRootFilesystem": True},
        ),
        ("resources", f"{CONTAINER}/resources", None, RESOURCES),
        (
            "nodeSelector",
            f"{POD}/nodeSelector",
            {"kubernetes.io/os": "linux"},
            {"kubernetes.io/os": "linux", "disk": "ssd"},
        ),
        ("affinity", f"{POD}/affinity", None, AFFINITY),
        ("tolerations", f"{POD}/tolerations", None, TOLERATIONS),
    ):
        yield row(f"{prefix}{parameter}", value, f"{here} {path}", default, value)
    yield row(
        f"{prefix}extraArgs",
        ["--more=1"],
        f"{here} {CONTAINER}/args",
        Lacks("--more=1"),
        Has("--more=1"),
    )
    metadata = f"{here} spec/template/metadata"
    yield row(f"{prefix}podLabels", MAP, f"{metadata}/labels", Lacks(MAP), Has(MAP))
    before: Any = Lacks(MAP)
    yield row(f"{prefix}podAnnotations", MAP, f"{metadata}/annotations", before, Has(MAP))
    yield from of_an_account(prefix, kind, name)


def of_an_account(prefix: str, kind: str, name: str) -> Iterator[Row]:
    """Yield what the ServiceAccounts of all four have."""
    account, used = f"ServiceAccount {name}", f"{kind} {name} {POD}/serviceAccountName"
    yield row(f"{prefix}serviceAccount.create", False, f"{account} *", True, False)
    yield row(f"{prefix}serviceAccount.name", "mine", used, name, "mine")
    yield row(
        f"{prefix}serviceAccount.annotations",
        MAP,
        f"{account} metadata/annotations",
        Lacks(MAP),
        Has(MAP),
    )
    yield row(
        f"{prefix}serviceAccount.automountServiceAccountToken",
        False,
        f"{account} automountServiceAccountToken",
        True,
        False,
    )


def of_a_deployment(prefix: str, name: str) -> Iterator[Row]:
    """Yield what three of them have besides."""
    here, budget = f"Deployment {name}", f"PodDisruptionBudget {name}"
    enabled = {f"{prefix}podDisruptionBudget".replace(".", "__"): {"enabled": True}}
    yield row(f"{prefix}replicaCount", 3, f"{here} spec/replicas", 1, 3)
    path = f"{here} metadata/annotations"
    yield row(f"{prefix}deploymentAnnotations", MAP, path, None, MAP)
    path = f"{here} {POD}/topologySpreadConstraints"
    yield row(f"{prefix}topologySpreadConstraints", SPREAD, path, None, SPREAD)
    yield row(f"{prefix}podDisruptionBudget.enabled", True, f"{budget} *", False, True)
    parameter = f"{prefix}podDisruptionBudget.minAvailable"
    yield row(parameter, 2, f"{budget} spec/minAvailable", 1, 2, **enabled)
    parameter = f"{prefix}podDisruptionBudget.maxUnavailable"
    yield row(parameter, "50%", f"{budget} spec/maxUnavailable", None, "50%", **enabled)


def of_the_globals() -> Iterator[Row]:
    """Yield global.*."""
    controller = f"Deployment cert-manager {CONTAINER}/args"
    yield row(
        "global.imagePullSecrets",
        [{"name": "s"}],
        "ServiceAccount cert-manager-webhook imagePullSecrets",
        None,
        [{"name": "s"}],
    )
    path = "ClusterRole cert-manager-view metadata/labels"
    yield row("global.commonLabels", MAP, path, Lacks(MAP), Has(MAP))
    path = "ClusterRole cert-manager-cainjector *"
    yield row("global.rbac.create", False, path, True, False)
    path = f"Job cert-manager-startupapicheck {POD}/priorityClassName"
    yield row("global.priorityClassName", "high", path, None, "high")
    path = "PodSecurityPolicy cert-manager-webhook *"
    yield row("global.podSecurityPolicy.enabled", True, path, False, True)
    armoured = "apparmor.security.beta.kubernetes.io/defaultProfileName"
    yield row(
        "global.podSecurityPolicy.useAppArmor",
        False,
        "PodSecurityPolicy cert-manager metadata/annotations",
        Has({armoured: "runtime/default"}),
        Lacks({armoured: "runtime/default"}),
        global__podSecurityPolicy__enabled=True,
    )
    path = "Role cert-manager-cainjector:leaderelection metadata/namespace"
    yield row("global.leaderElection.namespace", "mine", path, "kube-system", "mine")
    for parameter, option in (
        ("leaseDuration", "--leader-election-lease-duration=77s"),
        ("renewDeadline", "--leader-election-renew-deadline=77s"),
        ("retryPeriod", "--leader-election-retry-period=77s"),
    ):
        parameter = f"global.leaderElection.{parameter}"  # noqa: PLW2901
        yield row(parameter, "77s", controller, Lacks(option), Has(option))


def of_the_controller() -> Iterator[Row]:
    """Yield what only the controller has."""
    here = "Deployment cert-manager"
    args, env = f"{here} {CONTAINER}/args", f"{here} {CONTAINER}/env"
    crd = "CustomResourceDefinition certificates.cert-manager.io"
    yield row("installCRDs", True, f"{crd} *", False, True)
    for parameter, value, before, after in (
        (
            "clusterResourceNamespace",
            "mine",
            Has("--cluster-resource-namespace=$(POD_NAMESPACE)"),
            "--cluster-resource-namespace=mine",
        ),
        ("featureGates", "ServerSideApply=true", None, "--feature-gates=ServerSideApply=true"),
        ("ingressShim.defaultIssuerName", "ca", None, "--default-issuer-name=ca"),
        ("ingressShim.defaultIssuerKind", "Issuer", None, "--default-issuer-kind=Issuer"),
        ("ingressShim.defaultIssuerGroup", "g.io", None, "--default-issuer-group=g.io"),
        (
            "dns01RecursiveNameservers",
            "1.1.1.1:53,8.8.8.8:53",
            None,
            "--dns01-recursive-nameservers=1.1.1.1:53,8.8.8.8:53",
        ),
        ("dns01RecursiveNameserversOnly", True, None, "--dns01-recursive-nameservers-only=true"),
        ("enableCertificateOwnerRef", True, None, "--enable-certificate-owner-ref=true"),
        (
            "maxConcurrentChallenges",
            7,
            Has("--max-concurrent-challenges=60"),
            "--max-concurrent-challenges=7",
        ),
        (
            "acmesolver.image.repository",
            "r/s",
            Has("--acme-http01-solver-image=registry.example.com/certwright-acmesolver:0.1.0"),
            "--acme-http01-solver-image=r/s:0.1.0",
        ),
        (
            "acmesolver.image.tag",
            "v1.12.2",
            None,
            "--acme-http01-solver-image=registry.example.com/certwright-acmesolver:v1.12.2",
        ),
    ):
        yield row(parameter, value, args, before or Lacks(after), Has(after))
    # The original's chart has this and uses it nowhere; so do we.
    unused = Has("--acme-http01-solver-image=registry.example.com/certwright-acmesolver:0.1.0")
    yield row("acmesolver.image.pullPolicy", "Always", args, unused, unused)
    extra = {"name": "MORE", "value": "1"}
    yield row("extraEnv", [extra], env, Lacks(extra), Has(extra))
    for parameter in ("http_proxy", "https_proxy", "no_proxy"):
        wanted = {"name": parameter.upper(), "value": "p:1"}
        yield row(parameter, "p:1", env, Lacks(wanted), Has(wanted))
    mounts = [{"name": "v", "mountPath": "/v"}]
    yield row("volumes", VOLUMES, f"{here} {POD}/volumes", None, VOLUMES)
    yield row("volumeMounts", mounts, f"{here} {CONTAINER}/volumeMounts", None, mounts)
    yield row("podDnsPolicy", "None", f"{here} {POD}/dnsPolicy", None, "None")
    servers = {"nameservers": ["1.1.1.1"]}
    yield row("podDnsConfig", servers, f"{here} {POD}/dnsConfig", None, servers)
    yield from of_a_service("", "cert-manager")
    probe = f"{here} {CONTAINER}/livenessProbe"
    path = {"path": "/livez", "port": "http-healthz", "scheme": "HTTP"}
    yield row("livenessProbe.enabled", True, f"{probe}/httpGet", None, path)
    for parameter, default in (
        ("initialDelaySeconds", 10),
        ("periodSeconds", 10),
        ("timeoutSeconds", 15),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 8),
    ):
        yield row(
            f"livenessProbe.{parameter}",
            99,
            f"{probe}/{parameter}",
            default,
            99,
            livenessProbe__enabled=True,
        )


def of_a_service(prefix: str, name: str) -> Iterator[Row]:
    """Yield labels and annotations of a Service."""
    path = f"Service {name} metadata"
    yield row(f"{prefix}serviceLabels", MAP, f"{path}/labels", Lacks(MAP), Has(MAP))
    yield row(f"{prefix}serviceAnnotations", MAP, f"{path}/annotations", None, MAP)


def of_prometheus() -> Iterator[Row]:
    """Yield prometheus.*."""
    yield row("prometheus.enabled", False, "Service cert-manager *", True, False)
    here, prefix = "ServiceMonitor cert-manager", "prometheus.servicemonitor"
    yield row(f"{prefix}.enabled", True, f"{here} *", False, True)
    on = {"prometheus__servicemonitor__enabled": True}
    yield row(f"{prefix}.namespace", "mon", f"{here} metadata/namespace", "mgmt", "mon", **on)
    path = f"{here} metadata/labels/prometheus"
    yield row(f"{prefix}.prometheusInstance", "mine", path, "default", "mine", **on)
    path = "Service cert-manager spec/ports/0/targetPort"
    yield row(f"{prefix}.targetPort", 99, path, 9402, 99, **on)
    yield row(f"{prefix}.labels", MAP, f"{here} metadata/labels", Lacks(MAP), Has(MAP), **on)
    for parameter, default, value in (
        ("path", "/metrics", "/m"),
        ("interval", "60s", "9s"),
        ("scrapeTimeout", "30s", "8s"),
        ("honorLabels", False, True),
    ):
        path = f"{here} spec/endpoints/0/{parameter}"
        yield row(f"{prefix}.{parameter}", value, path, default, value, **on)


def of_the_webhook() -> Iterator[Row]:
    """Yield what only the webhook has."""
    name = "cert-manager-webhook"
    here = f"Deployment {name}"
    for kind in ("Mutating", "Validating"):
        path = f"{kind}WebhookConfiguration {name} metadata/annotations"
        parameter = f"webhook.{kind.lower()}WebhookConfigurationAnnotations"
        yield row(parameter, MAP, path, Lacks(MAP), Has(MAP))
    path = f"ValidatingWebhookConfiguration {name} webhooks/0"
    yield row("webhook.timeoutSeconds", 30, f"{path}/timeoutSeconds", 10, 30)
    yield row(
        "webhook.url.host",
        "h.example",
        f"{path}/clientConfig",
        {"service": {"name": name, "namespace": "mgmt", "path": "/validate"}},
        {"url": "https://h.example/validate"},
    )
    yield from of_a_service("webhook.", name)
    yield row(
        "webhook.serviceType", "NodePort", f"Service {name} spec/type", "ClusterIP", "NodePort"
    )
    path = f"Service {name} spec/loadBalancerIP"
    yield row("webhook.loadBalancerIP", "10.1.1.1", path, None, "10.1.1.1")
    config = {
        "apiVersion": "webhook.config.cert-manager.io/v1alpha1",
        "kind": "WebhookConfiguration",
        "securePort": 1234,
    }
    path = f"{here} {CONTAINER}/ports/0/containerPort"
    yield row("webhook.config", config, path, 10250, 1234)
    yield row("webhook.securePort", 444, path, 10250, 444)
    yield row("webhook.hostNetwork", True, f"{here} {POD}/hostNetwork", None, True)
    policy, on = f"NetworkPolicy {name}-allow", {"webhook__networkPolicy__enabled": True}
    yield row("webhook.networkPolicy.enabled", True, f"{policy}-ingress *", False, True)
    path, rule = f"{policy}-ingress spec/ingress", [{"from": [{"podSelector": {}}]}]
    yield row("webhook.networkPolicy.ingress", rule, path, [{"from": OPEN}], rule, **on)
    path, rule = f"{policy}-egress spec/egress", [{"to": [{"podSelector": {}}]}]
    ports = [(80, "TCP"), (443, "TCP"), (53, "TCP"), (53, "UDP"), (6443, "TCP")]
    given = {"ports": [{"port": port, "protocol": p} for port, p in ports], "to": OPEN}
    yield row("webhook.networkPolicy.egress", rule, path, [given], rule, **on)
    for probe, initial, period in (("livenessProbe", 60, 10), ("readinessProbe", 5, 5)):
        for parameter, default in (
            ("failureThreshold", 3),
            ("initialDelaySeconds", initial),
            ("periodSeconds", period),
            ("successThreshold", 1),
            ("timeoutSeconds", 1),
        ):
            path = f"{here} {CONTAINER}/{probe}/{parameter}"
            yield row(f"webhook.{probe}.{parameter}", 99, path, default, 99)


def of_the_others() -> Iterator[Row]:
    """Yield what only cainjector and startupapicheck have."""
    path = "Deployment cert-manager-cainjector *"
    yield row("cainjector.enabled", False, path, True, False)
    job = "Job cert-manager-startupapicheck"
    yield row("startupapicheck.enabled", False, f"{job} *", True, False)
    path = f"{job} {CONTAINER}/args"
    yield row("startupapicheck.timeout", "5m", path, Has("--wait=1m"), Has("--wait=5m"))
    yield row("startupapicheck.backoffLimit", 9, f"{job} spec/backoffLimit", 4, 9)
    path = f"{job} metadata/annotations"
    yield row("startupapicheck.jobAnnotations", MAP, path, Has(RUNNING_HOOK), Has(MAP))


ROWS: Final = [
    *of_the_globals(),
    *of_the_controller(),
    *of_prometheus(),
    *of_the_webhook(),
    *of_the_others(),
    *of_a_component("", "Deployment", "cert-manager"),
    *of_a_component("webhook.", "Deployment", "cert-manager-webhook"),
    *of_a_component("cainjector.", "Deployment", "cert-manager-cainjector"),
    *of_a_component("startupapicheck.", "Job", "cert-manager-startupapicheck"),
    *of_a_deployment("", "cert-manager"),
    *of_a_deployment("webhook.", "cert-manager-webhook"),
    *of_a_deployment("cainjector.", "cert-manager-cainjector"),
]


def test_every_parameter_has_its_row() -> None:
    """161 of 161; one stands twice in the original's own table."""
    text = Path(__file__).with_name("parameters.txt").read_text("utf-8")
    listed = Counter(line for line in text.splitlines() if not line.startswith("#"))

    assert sum(listed.values()) == 161
    assert Counter(row.parameter for row in ROWS) == listed


@pytest.mark.parametrize("row", ROWS, ids=[row.parameter for row in ROWS])
def test_a_parameter_has_its_effect(row: Row) -> None:
    """The field has its default without it, and what is wanted with it."""
    without = render(row.also)
    given = render(merged(row.also, nested(row.parameter, row.value)))

    assert field_of(without, row.kind, row.name, row.path) == row.default
    assert field_of(given, row.kind, row.name, row.path) == row.wanted
