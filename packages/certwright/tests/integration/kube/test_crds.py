"""Our CRDs in a real API server: what they take, refuse, drop and print."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from certwright.adapters.kube import KubeStore
from certwright.admission import shape_errors, unknown_fields
from certwright.errors import NotFoundError, RefusedError
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    ISSUER,
    ORDER,
    Kind,
    Manifest,
)
from certwright.resources.meta import key_of
from certwright_testing.cluster import Cluster
from certwright_testing.examples import EXAMPLES

pytestmark = pytest.mark.cluster


@asynccontextmanager
async def _emptied(cluster: Cluster) -> AsyncIterator[KubeStore]:
    async with KubeStore(cluster.connection()) as store:
        yield store
        for example in EXAMPLES.values():
            try:
                await store.delete(key_of(example))
            except NotFoundError:
                continue


@pytest.fixture
def store(cluster: Cluster) -> AbstractAsyncContextManager[KubeStore]:
    """Open the API server; examples are gone afterwards."""
    return _emptied(cluster)


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.name)
async def test_a_full_object_is_stored_as_it_is(store: KubeStore, kind: Kind) -> None:
    """Every field of the schema, spec and status; nothing is dropped, nothing is added."""
    example = EXAMPLES[kind]
    assert shape_errors(example) == []
    assert unknown_fields(example) == []

    created = await store.create(example, manager="test")
    stored = await store.update_status(created | {"status": example["status"]}, manager="test")

    if kind == ISSUER or kind.name == "ClusterIssuer":
        parent = stored["spec"]["acme"]["solvers"][1]["http01"]["gatewayHTTPRoute"]["parentRefs"][0]
        # The only defaults there are.
        assert (parent.pop("group"), parent.pop("kind")) == ("gateway.networking.k8s.io", "Gateway")
    assert stored["spec"] == example["spec"]
    assert stored["status"] == example["status"]


BAD = [
    (CERTIFICATE, ["spec", "privateKey", "algorithm"], "DSA"),
    (CERTIFICATE, ["spec", "usages", 0], "flying"),
    (CERTIFICATE, ["spec", "additionalOutputFormats", 0, "type"], "PEM"),
    (CERTIFICATE, ["spec", "dnsNames"], "a"),
    (CERTIFICATE, ["spec", "secretName"], None),
    (CERTIFICATE, ["spec", "revisionHistoryLimit"], "3"),
    (CERTIFICATE_REQUEST, ["spec", "request"], "not base64!"),
    (CERTIFICATE_REQUEST, ["spec", "issuerRef"], None),
    (ISSUER, ["spec", "acme", "preferredChain"], "x" * 65),
    (ISSUER, ["spec", "acme", "solvers", 2, "dns01", "cnameStrategy"], "Perhaps"),
    (
        ISSUER,
        ["spec", "acme", "solvers", 1, "http01", "gatewayHTTPRoute", "parentRefs", 0, "port"],
        0,
    ),
    (
        ISSUER,
        ["spec", "acme", "solvers", 1, "http01", "gatewayHTTPRoute", "parentRefs", 0, "kind"],
        "-",
    ),
    (ORDER, ["spec"], None),
    (CHALLENGE, ["spec", "type"], "TLS-01"),
]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    BAD,
    ids=[f"{kind.name} {'.'.join(map(str, path))}" for kind, path, _ in BAD],
)
async def test_what_the_api_server_refuses_we_refuse_in_its_words(
    store: KubeStore, kind: Kind, path: list[Any], value: Any
) -> None:
    """One wrong value each; files have no API server before them, and get the same text."""
    bad = deepcopy(EXAMPLES[kind])
    at: Any = bad
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value

    with pytest.raises(RefusedError) as caught:
        await store.create(bad, manager="test")

    (error,) = shape_errors(bad)
    assert error.path in str(caught.value)
    if error.type != "Too long":  # its text changed in Kubernetes 1.32
        assert str(error) in str(caught.value)


async def test_unknown_fields_are_dropped(store: KubeStore) -> None:
    """But for what a webhook solver's config holds."""
    odd = deepcopy(EXAMPLES[ISSUER])
    odd["spec"]["acme"]["surprise"] = 1
    odd["spec"]["acme"]["solvers"][-1]["dns01"]["webhook"]["config"]["surprise"] = 1

    stored = await store.create(odd, manager="test")

    assert unknown_fields(odd) == ["spec.acme.surprise"]
    assert "surprise" not in stored["spec"]["acme"]
    assert stored["spec"]["acme"]["solvers"][-1]["dns01"]["webhook"]["config"]["surprise"] == 1


async def test_kubectl_prints_the_columns(store: KubeStore, cluster: Cluster) -> None:
    """The usual ones, and all with `-o wide`; short names and categories work."""
    kubectl = Path(os.environ["KUBEBUILDER_ASSETS"]) / "kubectl"
    if not kubectl.exists():
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    for example in EXAMPLES.values():
        created = await store.create(example, manager="test")
        await store.update_status(created | {"status": example["status"]}, manager="test")
    config = cluster.kubeconfig()

    def printed(*arguments: str) -> list[str]:
        done = subprocess.run(
            [str(kubectl), f"--kubeconfig={config}", "-n", "one", "get", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={"HOME": str(cluster.folder), "PATH": os.environ["PATH"]},
        )
        return done.stdout.splitlines()

    def words(*arguments: str) -> Manifest:
        header, row = printed(arguments[0], "full", *arguments[1:])
        starts = [match.start() for match in re.finditer(r"\S+", header)]
        ends = [*starts[1:], max(len(header), len(row))]
        return {
            header[start:end].strip(): row[start:end].strip()
            for start, end in zip(starts, ends, strict=True)
        }

    assert list(words("cert")) == ["NAME", "READY", "SECRET", "AGE"]
    wide = words("certs", "-o", "wide")
    assert wide | {"AGE": ""} == {
        "NAME": "full",
        "READY": "True",
        "SECRET": "tls",
        "ISSUER": "ca",
        "STATUS": "message of Ready",
        "AGE": "",
    }
    request = words("cr", "-o", "wide")
    assert (request["REQUESTOR"], request["APPROVED"], request["STATUS"]) == (
        "alice",
        "True",
        "message of Ready",
    )
    assert list(words("issuers", "-o", "wide")) == ["NAME", "READY", "STATUS", "AGE"]
    assert list(words("clusterissuers")) == ["NAME", "READY", "AGE"]
    assert words("orders", "-o", "wide")["REASON"] == "why"
    assert words("challenges")["DOMAIN"] == "a.example"
    names = printed("cert-manager", "-o", "name")
    assert "certificate.cert-manager.io/full" in names
    assert "challenge.acme.cert-manager.io/full" in names
