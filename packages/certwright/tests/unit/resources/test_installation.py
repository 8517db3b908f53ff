"""What is installed besides the CRDs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from certwright.cli import root
from certwright.resources.installation import (
    InstallationSettings,
    rbac,
    webhook_configurations,
    workloads,
)

SETTINGS = InstallationSettings(namespace="certs", image="example/certwright:1")


def named(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind by name."""
    return {obj["metadata"]["name"]: obj for obj in objects if obj["kind"] == kind}


def test_every_role_is_bound_to_an_account_that_exists() -> None:
    """But for those that people get through Kubernetes' own roles."""
    made = rbac(SETTINGS)
    accounts = set(named(made, "ServiceAccount"))
    for role, binding in (("ClusterRole", "ClusterRoleBinding"), ("Role", "RoleBinding")):
        bindings = named(made, binding)
        roles = set(named(made, role)) - {"cert-manager-view", "cert-manager-edit"}
        assert roles == set(bindings)
        for bound in bindings.values():
            assert bound["roleRef"]["name"] in roles
            assert {subject["name"] for subject in bound["subjects"]} <= accounts


def test_the_controller_may_patch_secrets_through_one_role_only() -> None:
    """The permissions are the contract: no wider than the original's."""
    roles = named(rbac(SETTINGS), "ClusterRole")
    patching = [
        name
        for name, role in roles.items()
        for rule in role["rules"]
        if "secrets" in rule["resources"] and "patch" in rule["verbs"]
    ]

    assert patching == ["cert-manager-controller-certificates"]
    approving = roles["cert-manager-controller-approve:cert-manager-io"]
    assert approving["rules"][0]["resourceNames"] == [
        "issuers.cert-manager.io/*",
        "clusterissuers.cert-manager.io/*",
    ]
    labels = roles["cert-manager-view"]["metadata"]["labels"]
    assert labels["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert not any(
        verb == "*" or resource == "*"
        for role in roles.values()
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    )


@pytest.mark.parametrize("index", [0, 1], ids=["mutating", "validating"])
def test_the_api_server_asks_about_all_of_ours(index: int) -> None:
    """Creation and update, status too; who is not answered is refused."""
    configuration = webhook_configurations(SETTINGS)[index]
    (webhook,) = configuration["webhooks"]

    assert configuration["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from-secret": "certs/cert-manager-webhook-ca"
    }
    assert webhook["name"] == "webhook.cert-manager.io"
    assert webhook["rules"] == [
        {
            "apiGroups": ["cert-manager.io", "acme.cert-manager.io"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["*/*"],
        }
    ]
    assert webhook["failurePolicy"] == "Fail"
    assert webhook["clientConfig"]["service"]["path"] == ("/mutate", "/validate")[index]
    assert ("namespaceSelector" in webhook) is bool(index)


def test_workloads_run_our_commands_as_their_accounts() -> None:
    """Each Service finds its pods, each Deployment its account."""
    made = workloads(SETTINGS)
    deployments = named(made, "Deployment")
    accounts = named(rbac(SETTINGS), "ServiceAccount")
    commands = {}
    for name, deployment in deployments.items():
        pod = deployment["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        commands[name] = container["command"]
        assert pod["spec"]["serviceAccountName"] in accounts
        selector = deployment["spec"]["selector"]["matchLabels"].items()
        assert selector <= pod["metadata"]["labels"].items()
    assert commands == {
        "cert-manager": ["certwright", "controller"],
        "cert-manager-cainjector": ["certwright", "cainjector"],
        "cert-manager-webhook": ["certwright", "webhook"],
    }
    for name, service in named(made, "Service").items():
        selector = service["spec"]["selector"].items()
        assert selector <= deployments[name]["spec"]["template"]["metadata"]["labels"].items()


def test_the_command_prints_what_kubectl_applies() -> None:
    """All of it, or parts; an image is asked for where one is needed."""
    everything = CliRunner().invoke(root, ["manifests", "--image=x", "-n", "certs"])
    kinds = [obj["kind"] for obj in yaml.safe_load_all(everything.output)]
    assert kinds[0] == "Namespace"
    assert kinds.count("CustomResourceDefinition") == 6
    assert kinds[-1] == "ValidatingWebhookConfiguration"

    parts = CliRunner().invoke(root, ["manifests", "webhooks"])
    assert len(list(yaml.safe_load_all(parts.output))) == 2
    without = CliRunner().invoke(root, ["manifests"])
    assert without.exit_code == 2
    assert "workloads need --image" in without.output
