"""Package the Helm charts into a folder that is a chart repository, with the CRDs beside them.

    .venv/bin/python tools/package_charts.py [FOLDER] [--url URL]

Any static web server that serves FOLDER (dist/charts) is then `helm repo add NAME URL`; an OCI
registry takes the archives by `helm push`. Needs no Helm: its library does it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import helm_python

ROOT = Path(__file__).resolve().parent.parent


def package(folder: Path, url: str = "") -> list[Path]:
    """Write archives, index.yaml and CRDs; return the archives."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for chart in sorted((ROOT / "charts").iterdir()):
        if (chart / "Chart.yaml").exists():
            report = helm_python.lint(chart, {}, strict=True)
            if report["errors"]:
                raise SystemExit(f"charts/{chart.name}: {report['errors'][0]}")
            made.append(Path(helm_python.package(chart, destination=folder)))
    crds = sorted((ROOT / "charts/certwright/files/crds").glob("*.yaml"))
    with (folder / "certwright.crds.yaml").open("wb") as together:
        for at, path in enumerate(crds):
            together.write(b"---\n" if at else b"")
            with path.open("rb") as one:
                shutil.copyfileobj(one, together)
    helm_python.repo_index_generate(folder, base_url=url or None)
    return made


def main() -> int:
    """Do it, and say what to do next."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist" / "charts")
    parser.add_argument("--url", default="", help="where the folder will be served")
    wanted = parser.parse_args()
    for archive in package(wanted.folder, wanted.url):
        print(archive)
    print(f"{wanted.folder} is a chart repository: serve it, then `helm repo add NAME URL`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
