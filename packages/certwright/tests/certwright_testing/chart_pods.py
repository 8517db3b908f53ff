"""The pods of Certwright's chart as processes beside a real API server."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from certwright_testing.charts import Objects
from certwright_testing.cluster import Cluster, free_port
from certwright_testing.dry_run import ApiServer

__all__ = ["HOOKS", "lead_to_this_machine", "running", "wait_for"]

HOOKS: Final = "/apis/admissionregistration.k8s.io/v1"


@contextmanager
def running(
    cluster: Cluster, objects: Objects, namespace: str, folder: Path
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run controller, webhook and cainjector of rendered objects, each with its own permissions."""
    ports = [free_port() for _ in range(3)]
    each = {
        "cert-manager": [
            f"--metrics-listen-address=127.0.0.1:{ports[0]}",
            f"--internal-healthz-listen-address=127.0.0.1:{ports[1]}",
        ],
        "cert-manager-webhook": ["--bind-address=127.0.0.1", f"--healthz-port={ports[2]}"],
        "cert-manager-cainjector": [],
    }
    processes = [
        _started(cluster, objects, namespace, name, folder, *more) for name, more in each.items()
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _kubeconfig_of(cluster: Cluster, namespace: str, account: str) -> Path:
    """Return a kubeconfig as a ServiceAccount, with what it may do and no more."""
    path = cluster.kubeconfig()
    document = yaml.safe_load(path.read_text())
    user = document["users"][0]["user"]
    user["as"] = f"system:serviceaccount:{namespace}:{account}"
    user["as-groups"] = ["system:serviceaccounts", "system:authenticated"]
    mine = path.with_name(f"kubeconfig-{account}")
    mine.write_text(yaml.safe_dump(document))
    return mine


def _started(
    cluster: Cluster, objects: Objects, namespace: str, name: str, folder: Path, *more: str
) -> subprocess.Popen[bytes]:
    """Start a Deployment's container as a kubelet would, but for the token and the ports."""
    spec = objects["Deployment", name]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    known = {"POD_NAMESPACE": namespace}
    words = [*container["command"], *container["args"]]
    words = [re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], word) for word in words]
    assert words[0] == "certwright"
    kubeconfig = _kubeconfig_of(cluster, namespace, spec["serviceAccountName"])
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *words, f"--kubeconfig={kubeconfig}", *more],
            stdout=log,
            stderr=log,
            cwd=folder,
        )


def wait_for(what: str, folder: Path, look: Any) -> Any:
    """Return what `look` gives when it gives something."""
    for _ in range(600):
        try:
            if found := look():
                return found
        except AssertionError:
            pass
        time.sleep(0.1)
    logs = "\n".join(path.read_text()[-1500:] for path in folder.glob("*.log"))
    raise AssertionError(f"{what}\n{logs}")


def lead_to_this_machine(server: ApiServer, namespace: str, port: int) -> None:
    """Let the API server find the webhook, which is no pod here: its Service becomes a name.

    It still asks for the certificate of `cert-manager-webhook.NAMESPACE.svc`, and trusts the CA
    that cainjector wrote, so that what cainjector and the webhook agree on is what is tried.
    """
    services = f"/api/v1/namespaces/{namespace}/services"
    server.ask("DELETE", f"{services}/cert-manager-webhook")
    server.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "cert-manager-webhook", "namespace": namespace},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }
    )
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        path = f"{HOOKS}/{kind}/cert-manager-webhook"
        found = server.ask("GET", path)
        for hook in found["webhooks"]:
            hook["clientConfig"]["service"]["port"] = port
        server.ask("PUT", path, found)
