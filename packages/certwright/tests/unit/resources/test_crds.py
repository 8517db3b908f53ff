"""The CRDs: the files are what tools/crds says, and hold what a drop-in needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from certwright.resources import crds
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, CHALLENGE, ISSUER, ORDER

ROOT = Path(__file__).resolve().parents[5]
DEFINITIONS = {crd["spec"]["names"]["kind"]: crd for crd in crds.load()}


def test_the_files_are_generated() -> None:
    """Whoever edits the YAML by hand is told where to edit."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/gen_crds.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("kind", crds.CUSTOM_KINDS, ids=lambda kind: kind.name)
def test_one_version_is_served_and_status_is_apart(kind: Any) -> None:
    """No conversion, no second version."""
    spec = DEFINITIONS[kind.name]["spec"]

    assert spec["group"] == kind.group
    assert spec["names"]["plural"] == kind.plural
    assert spec["scope"] == ("Namespaced" if kind.namespaced else "Cluster")
    assert "conversion" not in spec
    (version,) = spec["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1", True, True)
    assert version["subresources"] == {"status": {}}
    assert DEFINITIONS[kind.name]["metadata"]["labels"] == {
        "app": "cert-manager",
        "app.kubernetes.io/instance": "cert-manager",
        "app.kubernetes.io/name": "cert-manager",
    }


def _schemas(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from _schemas(below, f"{path}.{name}")
    for step in ("items", "additionalProperties"):
        if step in schema:
            yield from _schemas(schema[step], f"{path}[]")


@pytest.mark.parametrize("kind", crds.CUSTOM_KINDS, ids=lambda kind: kind.name)
def test_only_gateway_parents_have_defaults_and_every_field_is_described(kind: Any) -> None:
    """A default in the schema would change stored objects, and issue certificates anew."""
    found = dict(_schemas(crds.schema_of(kind), kind.name))

    defaults = {path for path, schema in found.items() if "default" in schema}
    assert all(".parentRefs[]." in path for path in defaults)
    assert not [
        path
        for path, schema in found.items()
        if "description" not in schema and not path.endswith(("[]", ".metadata"))
    ]


def test_columns_are_those_of_the_original() -> None:
    """Name, and priority 1 for `-o wide` only."""
    columns = {
        name: [
            (column["name"], column.get("priority", 0))
            for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]
        ]
        for name, crd in DEFINITIONS.items()
    }

    assert columns["Certificate"] == [
        ("Ready", 0),
        ("Secret", 0),
        ("Issuer", 1),
        ("Status", 1),
        ("Age", 0),
    ]
    assert columns["CertificateRequest"] == [
        ("Approved", 0),
        ("Denied", 0),
        ("Ready", 0),
        ("Issuer", 0),
        ("Requestor", 0),
        ("Status", 1),
        ("Age", 0),
    ]
    assert columns["Issuer"] == columns["ClusterIssuer"]
    assert columns["Issuer"] == [("Ready", 0), ("Status", 1), ("Age", 0)]
    assert columns["Order"] == [("State", 0), ("Issuer", 1), ("Reason", 1), ("Age", 0)]
    assert columns["Challenge"] == [("State", 0), ("Domain", 0), ("Reason", 1), ("Age", 0)]


def test_rules_of_the_schemas() -> None:
    """A sample of each kind of rule, read from the installed files."""
    certificate = dict(_schemas(crds.schema_of(CERTIFICATE), ""))
    request = dict(_schemas(crds.schema_of(CERTIFICATE_REQUEST), ""))
    issuer = dict(_schemas(crds.schema_of(ISSUER), ""))
    order = dict(_schemas(crds.schema_of(ORDER), ""))
    challenge = dict(_schemas(crds.schema_of(CHALLENGE), ""))

    assert set(certificate[".spec"]["required"]) == {"secretName", "issuerRef"}
    assert certificate[".spec.privateKey.algorithm"]["enum"] == ["RSA", "ECDSA", "Ed25519"]
    assert certificate[".status.conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert certificate[".spec.revisionHistoryLimit"]["format"] == "int32"
    assert request[".spec.groups"]["x-kubernetes-list-type"] == "atomic"
    assert request[".spec.request"]["format"] == "byte"
    assert issuer[".spec.acme.preferredChain"]["maxLength"] == 64
    config = issuer[".spec.acme.solvers[].dns01.webhook.config"]
    assert config["x-kubernetes-preserve-unknown-fields"] is True
    assert "type" not in config
    assert order[""]["required"] == ["metadata", "spec"]
    assert challenge[".spec.solver"] == issuer[".spec.acme.solvers[]"]


def test_the_stream_is_plain_yaml_without_anchors() -> None:
    """For `kubectl apply -f -`."""
    text = crds.text()

    assert [crd["metadata"]["name"] for crd in yaml.safe_load_all(text)] == [
        "certificates.cert-manager.io",
        "certificaterequests.cert-manager.io",
        "issuers.cert-manager.io",
        "clusterissuers.cert-manager.io",
        "orders.acme.cert-manager.io",
        "challenges.acme.cert-manager.io",
    ]
    assert "&id" not in text
