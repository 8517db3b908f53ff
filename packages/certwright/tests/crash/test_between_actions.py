"""A stop between any two writes, an answer lost, a conflict, a refusal: it ends the same.

Each story is played once without trouble, to count its writes; then once for each write and each
kind of trouble. After every write the promises hold, and the end is that of the quiet run.
"""

from __future__ import annotations

import pytest

from certwright.reconcile.options import Options
from certwright.resources.features import FeatureGates
from certwright_testing.stories import LONG_STORIES, PLAIN, STORIES, play, quiet
from certwright_testing.world import Fault, run

GATED = Options(
    enable_certificate_owner_ref=True,
    gates=FeatureGates(frozenset({"ServerSideApply", "StableCertificateRequestName"})),
)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("story", STORIES)
def test_trouble_at_any_write_changes_nothing_in_the_end(story: str, fault: Fault) -> None:
    """One cut, wherever it falls, and the story ends as if it had not been.

    Before any write but the first is after the one before it, which is tried on its own.
    """
    expected, writes = quiet(story, PLAIN)

    for at in range(1 if fault is Fault.DIES_BEFORE else writes):
        end, _, _ = run(play(story, PLAIN, lambda n, _, at=at: fault if n == at else None))

        assert end == expected, f"trouble at write {at}"


@pytest.mark.parametrize("story", LONG_STORIES)
def test_dying_after_every_single_write_changes_nothing_in_the_end(story: str) -> None:
    """The process dies after each write it makes; every life carries out exactly one."""
    expected, _ = quiet(story, PLAIN)

    end, _, _ = run(play(story, PLAIN, lambda _, __: Fault.DIES_AFTER))

    assert end == expected


@pytest.mark.parametrize("fault", [Fault.DIES_AFTER, Fault.ANSWER_LOST, Fault.CONFLICT])
@pytest.mark.parametrize("story", ["issue", "renew", "edit"])
def test_the_same_behind_the_gates(story: str, fault: Fault) -> None:
    """With server-side apply of statuses, stable names and owner references."""
    expected, writes = quiet(story, GATED)

    for at in range(writes):
        end, _, _ = run(play(story, GATED, lambda n, _, at=at: fault if n == at else None))

        assert end == expected, f"trouble at write {at}"
