"""Write the bill of materials of an image: CycloneDX 1.6, JSON.

    sbom.py ENVIRONMENT ROOT FILE

Run by the interpreter that has cyclonedx-bom. ENVIRONMENT is the virtual environment of the
product, whose packages that library describes; ROOT is what the image holds, whose other files are
named by the Debian package that they came from. Exits with 1 and a sentence when a file of ROOT
belongs to nobody.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MADE_HERE = (
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs/ca-certificates.crt",
)
"""Written by steps.sh, or made at installation by ca-certificates out of its own files."""


def python_packages(environment: str) -> dict[str, object]:
    """Return the document of `environment`, as cyclonedx-bom makes it."""
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "cyclonedx_py",
            "environment",
            "--output-reproducible",
            "--no-validate",
            "--sv",
            "1.6",
            environment,
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(made.stdout))


def owners(root: Path, environment: str) -> dict[str, str]:
    """Return Debian package → version, of all files of `root` outside of `environment`."""
    files = [
        "/" + str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.match("__pycache__/*")
    ]
    ours = (environment + "/",)
    wanted = [name for name in files if not name.startswith(ours) and name not in MADE_HERE]
    found: dict[str, str] = {}
    for name in wanted:
        # /lib became a link into /usr, and half of the packages still list their files below /lib.
        for spelling in (name, name.removeprefix("/usr")):
            asked = subprocess.run(
                ["dpkg-query", "-S", spelling], capture_output=True, text=True, check=False
            )
            if asked.returncode == 0:
                found[asked.stdout.split(": ")[0].split(",")[0]] = ""
                break
        else:
            sys.exit(f"sbom: {name} belongs to no Debian package")
    for package in found:
        asked = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version} ${Architecture}", package],
            capture_output=True,
            text=True,
            check=True,
        )
        found[package] = asked.stdout
    return found


def main() -> int:
    """Write it."""
    environment, root, file = sys.argv[1:]
    document = python_packages(environment)
    components = document.setdefault("components", [])
    assert isinstance(components, list)
    for package, told in sorted(owners(Path(root), environment).items()):
        version, architecture = told.split()
        name = package.split(":")[0]
        purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=bookworm"
        components.append(
            {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        )
    Path(file).write_text(json.dumps(document, indent=1))
    print(f"sbom: {len(components)} components in {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
