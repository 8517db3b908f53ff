"""Write the CustomResourceDefinitions as plain YAML into package and chart, or check that.

    .venv/bin/python tools/gen_crds.py          # write
    .venv/bin/python tools/gen_crds.py --check  # exit 1 if a file differs

The solver's schema stands in three of the six; it is written once, in tools/crds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "packages/certwright/src/certwright/resources/crds"
OPTIONAL = FOLDER / "optional"
"""What is installed on demand only."""
CHART = ROOT / "charts/certwright/files/crds"
sys.path.insert(0, str(ROOT / "tools"))

from crds.acme import CHALLENGE, ORDER  # noqa: E402 - the path above
from crds.bundles import BUNDLE  # noqa: E402
from crds.certificates import CERTIFICATE, CERTIFICATE_REQUEST  # noqa: E402
from crds.issuers import CLUSTER_ISSUER, ISSUER  # noqa: E402

HEADER = "# Written by tools/gen_crds.py from tools/crds; change it there.\n"


class _Dumper(yaml.SafeDumper):
    """No anchors: each schema is written out, as every reader of CRDs expects."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def files() -> dict[Path, str]:
    """Return the text of each file."""
    return {
        folder / name: text
        for folders, crds in (
            (
                (FOLDER, CHART),
                (CERTIFICATE, CERTIFICATE_REQUEST, ISSUER, CLUSTER_ISSUER, ORDER, CHALLENGE),
            ),
            ((OPTIONAL,), (BUNDLE,)),
        )
        for name, text in _texts(*crds).items()
        for folder in folders
    }


def _texts(*crds: dict[str, Any]) -> dict[str, str]:
    texts = {}
    for crd in crds:
        name = f"{crd['spec']['group']}_{crd['spec']['names']['plural']}.yaml"
        body = yaml.dump(crd, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
        texts[name] = HEADER + body
    return texts


def main() -> int:
    """Write or check."""
    wrong = [
        str(path.relative_to(ROOT))
        for path, text in files().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    if "--check" in sys.argv:
        for name in wrong:
            print(f"{name} is not what tools/crds says: run tools/gen_crds.py")
        return 1 if wrong else 0
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    print("\n".join(["written:", *wrong] if wrong else ["nothing has changed"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
