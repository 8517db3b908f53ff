"""What holds for the chart as a whole: it takes cert-manager's place, and says what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

import certwright
from certwright.resources import crds
from certwright.resources.installation import (
    InstallationSettings,
    rbac,
    webhook_configurations,
    workloads,
)
from certwright_testing.charts import CHART, Objects, nested, notes, refusal, render

ROOT = CHART.parents[1]
MANAGED = ("app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart")


def test_lint_finds_nothing() -> None:
    """`helm lint --strict`."""
    report = helm_python.lint(CHART, {}, strict=True)

    assert report["errors"] == []
    assert [m for m in report["messages"] if m["severity"] > 1] == []


def test_the_chart_is_of_this_release() -> None:
    """Its version is the program's, so the default tag is the image that is built from here."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))

    assert chart["version"] == chart["appVersion"] == certwright.__version__


def without_helm(objects: Objects) -> Objects:
    """Take off what only Helm puts on."""
    for obj in objects.values():
        for name in MANAGED:
            obj["metadata"]["labels"].pop(name, None)
    return objects


def plain(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what matters of a role, a binding or an account."""
    return {key: obj.get(key) for key in ("rules", "roleRef", "subjects")} | {
        "namespace": obj["metadata"].get("namespace"),
        "labels": {k: v for k, v in obj["metadata"]["labels"].items() if k not in MANAGED},
    }


def test_permissions_are_those_of_the_plain_manifests() -> None:
    """`certwright manifests rbac` and the chart are two doors to one set of rules."""
    rendered = render({"startupapicheck": {"enabled": False}}, namespace="cert-manager")
    kinds = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
    ours = {key: plain(obj) for key, obj in rendered.items() if key[0] in kinds}
    theirs = {
        (obj["kind"], obj["metadata"]["name"]): plain(obj)
        for obj in rbac(InstallationSettings())
        if obj["kind"] in kinds
    }

    assert len(theirs) > 20
    assert ours == theirs


def test_an_installation_of_the_plain_manifests_can_be_adopted() -> None:
    """Same objects, and the same selectors, which no API server lets anybody change."""
    rendered = render({"startupapicheck": {"enabled": False}}, namespace="cert-manager")
    settings = InstallationSettings(image="i")
    for obj in [*workloads(settings), *webhook_configurations(settings)]:
        found = rendered[obj["kind"], obj["metadata"]["name"]]
        assert found["metadata"].get("namespace") == obj["metadata"].get("namespace")
        if obj["kind"] in {"Deployment", "Service"}:
            assert found["spec"]["selector"] == obj["spec"]["selector"]


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("cert-manager", {}, "cert-manager"),
        ("my-cert-manager", {}, "my-cert-manager"),
        ("certs", {}, "certs-cert-manager"),
        ("certs", {"nameOverride": "tls"}, "certs-tls"),
        ("certs", {"fullnameOverride": "tls"}, "tls"),
        ("c" * 53, {}, f"{'c' * 53}-cert-mana"),
    ],
)
def test_names_follow_the_release(release: str, values: dict[str, Any], name: str) -> None:
    """As in the original, whatever this chart is called; 63 characters at most."""
    rendered = render(values, name=release)

    assert ("Deployment", name) in rendered
    assert ("Deployment", f"{name[:55].rstrip('-')}-webhook") in rendered
    assert all(len(name) <= 63 for kind, name in rendered if "Role" not in kind)
    for obj in rendered.values():
        if obj["kind"] == "Deployment":
            labels = obj["spec"]["template"]["metadata"]["labels"]
            assert obj["spec"]["selector"]["matchLabels"].items() <= labels.items()
            assert labels["app.kubernetes.io/instance"] == release


def test_definitions_are_those_of_the_program() -> None:
    """The copies in the chart are whole, and labelled as of the release."""
    rendered = render({"installCRDs": True})

    for definition in crds.load():
        found = rendered["CustomResourceDefinition", definition["metadata"]["name"]]
        assert found["spec"] == definition["spec"]
        assert found["metadata"]["labels"]["app.kubernetes.io/instance"] == "cert-manager"
        assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        # As in the original nothing keeps them when the release goes.
        assert "annotations" not in found["metadata"]
    for path in (Path(crds.__file__).parent).glob("*.yaml"):
        assert (CHART / "files" / "crds" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "values",
    [
        # What people write in values files of 1.12.2, and what its templates take.
        {"installCRDs": "true", "replicaCount": "2"},
        {"image": {"tag": 1.12, "registry": None}},
        {"global": {"logLevel": "4", "imagePullSecrets": [{"name": "a"}, {"name": "b"}]}},
        {"nodeSelector": None, "tolerations": None, "resources": None, "strategy": None},
        {"podAnnotations": "", "affinity": [], "extraArgs": {}},
        {"podDisruptionBudget": {"enabled": True, "minAvailable": None, "maxUnavailable": "25%"}},
        {"ingressShim": None, "livenessProbe": None, "acmesolver": {"image": None}},
        {"prometheus": {"servicemonitor": {"enabled": True, "targetPort": "http-metrics"}}},
        {"webhook": {"config": {}, "url": {}, "timeoutSeconds": "30"}},
        {"startupapicheck": {"enabled": False, "image": None, "rbac": None}},
        {"crds": {"enabled": True}, "enableServiceLinks": False, "anything": {"at": ["all"]}},
    ],
)
def test_the_schema_takes_what_the_original_takes(values: dict[str, Any]) -> None:
    """It has no schema; ours refuses only what could not be applied either."""
    assert refusal(values) == ""


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (nested("extraArgs", "--v=4"), "/extraArgs"),
        (nested("webhook.nodeSelector", ["linux"]), "/webhook/nodeSelector"),
        (nested("global.imagePullSecrets", "my-secret"), "/global/imagePullSecrets"),
        (nested("cainjector.image.repository", ["a"]), "/cainjector/image/repository"),
        (nested("webhook.config", {"securePort": 1}), "webhook.config.apiVersion must be set"),
        (
            nested("webhook.config", {"apiVersion": "a/v1"}),
            "webhook.config.kind must be set",
        ),
    ],
)
def test_a_wrong_shape_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    """The message says where."""
    assert named in refusal(values)


def test_pod_security_policies_are_those_of_the_original() -> None:
    """Four, each bound to its own account."""
    rendered = render({"global": {"podSecurityPolicy": {"enabled": True}}})
    names = [name for kind, name in rendered if kind == "PodSecurityPolicy"]

    assert len(names) == 4
    for name in names:
        assert rendered["ClusterRole", f"{name}-psp"]["rules"][0]["resourceNames"] == [name]
        subject = rendered["ClusterRoleBinding", f"{name}-psp"]["subjects"][0]
        assert ("ServiceAccount", subject["name"]) in rendered


def test_labels_that_are_given_twice_break_nothing() -> None:
    """A user's label wins, but for those that are selected by."""
    rendered = render(
        {
            "global": {"commonLabels": {"team": "a", "app.kubernetes.io/name": "x"}},
            "podLabels": {"team": "b"},
        }
    )
    obj = rendered["Deployment", "cert-manager"]

    assert obj["metadata"]["labels"]["team"] == "a"
    labels = obj["spec"]["template"]["metadata"]["labels"]
    assert labels["team"] == "b"
    assert obj["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_notes_say_what_is_left_to_do() -> None:
    """An image that nobody can pull is said at once, not by a pod that waits."""
    repositories = {
        name: {"image": {"repository": f"r/{name}"}} for name in ("webhook", "cainjector")
    }
    mine = {
        **repositories,
        "image": {"repository": "r/c"},
        "acmesolver": {"image": {"repository": "r/a"}},
    }

    assert "ATTENTION" in notes()
    assert "ATTENTION" not in notes(mine)
    assert "manifests crds" in notes(mine)
    assert "manifests crds" not in notes({**mine, "installCRDs": True})


def test_the_four_lines_to_edit_are_marked() -> None:
    """The installation manual names four lines of values.yaml; ours carry a mark."""
    lines = (CHART / "values.yaml").read_text("utf-8").splitlines()

    for at, name in enumerate(("controller", "webhook", "cainjector", "acmesolver"), 1):
        (marked,) = [line for line in lines if line.endswith(f"# ({at})")]
        assert marked.strip().startswith(f"repository: registry.example.com/certwright-{name}")


def test_the_page_names_the_lines_to_edit() -> None:
    """docs/install/certwright.md says which they are."""
    lines = (CHART / "values.yaml").read_text("utf-8").splitlines()
    page = (ROOT / "docs" / "install" / "certwright.md").read_text("utf-8")
    names = ("image", "webhook.image", "cainjector.image", "acmesolver.image")

    for at, name in enumerate(names, 1):
        (line,) = [n for n, text in enumerate(lines, 1) if text.endswith(f"# ({at})")]
        assert f"| {line} | `{name}.repository` |" in page


def test_the_repository_is_packaged(tmp_path: Path) -> None:
    """`make charts`: an index, the archives it names, and the CRDs apart."""
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "package_charts.py"), str(tmp_path)],
        check=True,
        capture_output=True,
    )
    index = yaml.safe_load((tmp_path / "index.yaml").read_text())
    (entry,) = index["entries"]["certwright"]
    definitions = list(yaml.safe_load_all((tmp_path / "certwright.crds.yaml").read_text()))

    assert helm_python.Chart.load(tmp_path / entry["urls"][0]).version == certwright.__version__
    assert {d["metadata"]["name"]: d for d in definitions} == {
        d["metadata"]["name"]: d for d in crds.load()
    }
