"""kill -9 of a standalone, over and over: no lost key, no key without its certificate."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest

from certwright import clock
from certwright_testing.standalone import CA_YAML, Standalone, leaf_yaml, wait_until

LEAVES = 6
KILLS = 25


@pytest.mark.slow
@pytest.mark.timeout(170)
def test_a_standalone_that_is_killed_anywhere_goes_on(tmp_path: Path) -> None:
    """Certificates renew every three seconds with new keys while the process is killed.

    Each time a reader looks, key and certificate are a pair (`leaf_of` checks it); the CA is never
    made twice; nothing that was shown disappears; and in the end there is one request for each
    revision.
    """
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "ca.yaml").write_text(CA_YAML)
    spec = (
        "  duration: 1h\n  renewBefore: 59m57s\n"
        "  privateKey: {algorithm: ECDSA, rotationPolicy: Always}"
    )
    names = [f"leaf-{number}" for number in range(LEAVES)]
    for name in names:
        (folder / f"{name}.yaml").write_text(leaf_yaml(name, spec))
    seeded = random.Random(20261125)
    cas = set()
    shown: set[str] = set()
    serials: dict[str, set[int]] = {name: set() for name in names}
    with Standalone(folder, ("--reload-command", "true", "--reload-interval", "50ms")) as service:
        for _ in range(KILLS):
            until = clock.monotonic_seconds() + seeded.uniform(0.3, 2.5)
            while clock.monotonic_seconds() < until:
                for name in ("ca", *names):
                    leaf = service.leaf(name)
                    if leaf is None:
                        assert name not in shown, f"{name} was shown and is gone"
                        continue
                    shown.add(name)
                    if name == "ca":
                        cas.add(leaf.serial)
                    else:
                        serials[name].add(leaf.serial)
                time.sleep(0.01)
            service.end(signal.SIGKILL)
            service.start()
        wait_until(lambda: all(service.leaf(name) is not None for name in names), "all of them")
        service.end(signal.SIGTERM)

    assert len(cas) == 1
    assert all(len(found) >= 2 for found in serials.values()), {
        n: len(f) for n, f in serials.items()
    }
    revisions: dict[str, list[str]] = {}
    for path in (folder / "state/objects/certificaterequests.cert-manager.io/default").iterdir():
        metadata = json.loads(path.read_bytes())["metadata"]
        annotations = metadata["annotations"]
        revisions.setdefault(annotations["cert-manager.io/certificate-name"], []).append(
            annotations["cert-manager.io/certificate-revision"]
        )
    for name, found in revisions.items():
        assert len(found) == len(set(found)), f"{name} has two requests of one revision: {found}"
