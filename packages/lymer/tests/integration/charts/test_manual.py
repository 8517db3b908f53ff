"""docs/install/manual.md and its Korean twin: the same steps, which name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from fakes.chart import CHART, render, values_file

DOCS = CHART.parents[1] / "docs" / "install"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Return a page's commands, without what is said beside them."""
    return [
        re.sub(r"\s+# .*", "", line)
        for block in BLOCK.findall(page.read_text("utf-8"))
        for line in block.splitlines()
    ]


def test_both_languages_have_the_same_steps() -> None:
    """Command for command, and heading for heading."""
    pages = (DOCS / "manual.md", DOCS / "manual.ko.md")
    assert commands(pages[0]) == commands(pages[1])
    numbers = [re.findall(r"(?m)^## (\d)\.", page.read_text("utf-8")) for page in pages]
    assert numbers[0] == numbers[1] == list("0123456")


def test_the_four_lines_are_where_the_manual_says() -> None:
    """Of Certwright's values.yaml, as beside the original's 80, 413, 572 and 613."""
    lines = (CHART.parent / "certwright" / "values.yaml").read_text("utf-8").splitlines()
    for page in (DOCS / "manual.md", DOCS / "manual.ko.md"):
        rows = re.findall(r"(?m)^\| (\d+) \| (\d+) \| `([\w.]+):", page.read_text("utf-8"))
        assert [row[0] for row in rows] == ["80", "413", "572", "613"]
        for at, (_, line, _name) in enumerate(rows, 1):
            assert lines[int(line) - 1].endswith(f"# ({at})")


def test_the_authority_is_the_issuer_of_the_values() -> None:
    """Step 2 makes what values-manual.yaml asks for."""
    text = (DOCS / "manual.md").read_text("utf-8")
    (heredoc,) = re.findall(r"<<'YAML'\n(.*?)^YAML$", text, re.MULTILINE | re.DOTALL)
    made = {(obj["kind"], obj["metadata"]["name"]) for obj in yaml.safe_load_all(heredoc)}
    wanted = values_file("values-manual.yaml")["tls"]["issuerRef"]

    assert (wanted["kind"], wanted["name"]) in made


def test_what_the_manual_names_is_rendered() -> None:
    """Services, ports and ConfigMaps of steps 3 to 5."""
    objects = render(values_file("values-manual.yaml"))
    for kind, name in (
        ("StatefulSet", "lymer-collector"),
        ("Deployment", "lymer-query"),
        ("DaemonSet", "lymer-agent"),
        ("ConfigMap", "lymer-istio-mesh"),
        ("Ingress", "lymer-query"),
    ):
        assert (kind, name) in objects
    ports = {port["port"] for port in objects["Service", "lymer-query"]["spec"]["ports"]}
    assert {16686, 16685} <= ports
    agent = objects["DaemonSet", "lymer-agent"]["spec"]["template"]["spec"]
    assert {port.get("hostPort") for port in agent["containers"][0]["ports"]} >= {6831, 6832, 5778}
    (first,) = agent["initContainers"]
    assert first["securityContext"]["runAsUser"] == 0
