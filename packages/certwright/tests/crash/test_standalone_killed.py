"""kill -9 of a standalone between any two changes of files: no lost key, none without its leaf."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certwright_testing.killed import Killed
from certwright_testing.standalone import CA_YAML, leaf_of, leaf_yaml

LEAVES = ("leaf-0", "leaf-1", "leaf-2")
LIVES = (*range(66), 150)
"""How many files each process changes before it dies."""


@pytest.mark.slow
@pytest.mark.timeout(170)
def test_a_standalone_that_is_killed_anywhere_goes_on(tmp_path: Path) -> None:
    """Certificates renew every second with new keys, and each process lives a bit longer.

    Whatever is shown is a pair of key and certificate (`leaf_of` checks it); the CA is never made
    twice; nothing that was shown disappears; in the end there is one request for each revision.
    """
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "ca.yaml").write_text(CA_YAML)
    spec = (
        "  duration: 1h\n  renewBefore: 59m59s\n"
        "  privateKey: {algorithm: ECDSA, rotationPolicy: Always}"
    )
    for name in LEAVES:
        (folder / f"{name}.yaml").write_text(leaf_yaml(name, spec))
    serials: dict[str, set[int]] = {name: set() for name in ("ca", *LEAVES)}
    with Killed(folder, ("--reload-command", "true", "--reload-interval", "50ms")) as service:
        for life in LIVES:
            service.serve(life)
            for name, found in serials.items():
                leaf = leaf_of(folder, name)
                if leaf is None:
                    assert not found, f"{name} was shown and is gone after {life} changes"
                else:
                    found.add(leaf.serial)

    assert len(serials.pop("ca")) == 1
    assert all(len(found) >= 2 for found in serials.values()), serials
    revisions: dict[str, list[str]] = {}
    for path in (folder / "state/objects/certificaterequests.cert-manager.io/default").iterdir():
        if path.suffix != ".json":
            continue
        notes = json.loads(path.read_bytes())["metadata"]["annotations"]
        revisions.setdefault(notes["cert-manager.io/certificate-name"], []).append(
            notes["cert-manager.io/certificate-revision"]
        )
    assert len(revisions) == len(LEAVES) + 1
    for name, numbers in revisions.items():
        assert len(numbers) == len(set(numbers)), f"{name} has two requests of one: {numbers}"
