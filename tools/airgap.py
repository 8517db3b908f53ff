"""Write one archive with everything an installation without internet needs.

    .venv/bin/python tools/airgap.py [--no-wheels] [--no-images] [FOLDER]

In it: charts (a chart repository), images.txt, the images as tar files if `make images` made them,
wheels of both products and of all they need, SHA256SUMS, retag.sh, the documents, and README.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from package_charts import package

ROOT = Path(__file__).resolve().parent.parent
COMPONENTS = ("controller", "webhook", "cainjector", "acmesolver", "ctl")
ORIGINALS = "quay.io/jetstack/cert-manager-"
"""Under which names cert-manager's own images are, so that values files of it go on working."""

README = """\
Lymer and Certwright {version}, for machines without internet.

1. sha256sum -c SHA256SUMS
2. Images: sh retag.sh REGISTRY/PATH   (docker, podman, skopeo or crane; see `sh retag.sh -h`)
   They come from images/*.tar, if those are here; else load them under the names in images.txt.
3. Charts: serve the folder charts/ by any web server and `helm repo add`, or
   helm install cert-manager charts/certwright-{version}.tgz -n cert-manager -f ...
4. Without a cluster: python3 -m venv /opt/lymer
   /opt/lymer/bin/pip install --no-index --find-links wheels lymer certwright
5. docs/install/manual.md, step by step.
"""

RETAG = """\
#!/bin/sh
# Bring the images into a registry of your own.
#
#   sh retag.sh REGISTRY/PATH [--as-cert-manager]
#
# With --as-cert-manager Certwright's images are there under cert-manager's names, tag v1.12.2, too,
# so that a values file of cert-manager needs no change. TOOL=docker|podman|skopeo|crane chooses;
# FLAGS goes to it, as FLAGS=--dest-tls-verify=false for skopeo and a registry without TLS.
set -eu
cd "$(dirname "$0")"
[ $# -ge 1 ] && [ "$1" != -h ] || { sed -n '2,8p' "$0"; exit 2; }
to=$1
also=${2:-}
tool=${TOOL:-}
for candidate in skopeo crane docker podman; do
    [ -n "$tool" ] || ! command -v "$candidate" >/dev/null || tool=$candidate
done
[ -n "$tool" ] || { echo "retag: none of skopeo, crane, docker, podman is here" >&2; exit 1; }

push() { # NAME:TAG of ours, NAME:TAG there
    file=images/${1%%:*}.tar
    case $tool in
    skopeo) skopeo copy -q ${FLAGS:-} "docker-archive:$file" "docker://$to/$2" ;;
    crane) crane push ${FLAGS:-} "$file" "$to/$2" ;;
    docker | podman)
        [ ! -f "$file" ] || "$tool" load -q -i "$file"
        "$tool" tag "localhost/$1" "$to/$2"
        "$tool" push ${FLAGS:-} "$to/$2" ;;
    *) echo "retag: I do not know $tool" >&2; exit 1 ;;
    esac
    echo "$to/$2"
}

while read -r name original; do
    case $name in '#'* | '') continue ;; esac
    push "$name" "$name"
    if [ "$also" = --as-cert-manager ] && [ -n "$original" ]; then
        push "$name" "${original##*/}"
    fi
done <images.txt
"""


def image_list(version: str) -> str:
    """Return the images, each with the one of cert-manager that it takes the place of."""
    lines = ["# image of ours, image whose place it takes", f"lymer:{version}"]
    lines += [f"certwright-{name}:{version} {ORIGINALS}{name}:v1.12.2" for name in COMPONENTS]
    return "\n".join(lines) + "\n"


def wheels(folder: Path) -> None:
    """Build ours and fetch the rest, as the requirements pin them."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    requirements = [
        ROOT / "requirements" / name for name in ("runtime.txt", "certwright.txt", "image.txt")
    ]
    flags = [part for path in requirements for part in ("-r", str(path))]
    subprocess.run([*pip, "wheel", "--wheel-dir", str(folder), *flags], check=True)
    packages = [str(ROOT / "packages" / name) for name in ("lymer", "certwright")]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), *packages], check=True)


def checksums(folder: Path) -> str:
    """Return lines that `sha256sum -c` reads."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in files
    )


def main() -> int:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--no-wheels", action="store_true")
    parser.add_argument("--no-images", action="store_true")
    wanted = parser.parse_args()
    (archive,) = [
        path for path in package(wanted.folder / "charts") if path.name.startswith("lymer-")
    ]
    version = archive.name.removeprefix("lymer-").removesuffix(".tgz")
    folder = wanted.folder / f"lymer-certwright-{version}-airgap"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(wanted.folder / "charts", folder / "charts")
    if (ROOT / "dist" / "images").exists() and not wanted.no_images:
        shutil.copytree(ROOT / "dist" / "images", folder / "images")
    shutil.copytree(ROOT / "docs", folder / "docs")
    (folder / "images.txt").write_text(image_list(version))
    (folder / "retag.sh").write_text(RETAG)
    (folder / "README.txt").write_text(README.format(version=version))
    if not wanted.no_wheels:
        wheels(folder / "wheels")
    (folder / "SHA256SUMS").write_text(checksums(folder))
    packed = folder.with_name(folder.name + ".tar.gz")
    with tarfile.open(packed, "w:gz", compresslevel=6) as tar:
        tar.add(folder, folder.name)
    print(f"{packed}: {packed.stat().st_size / 2**20:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
