"""The table of a segment's life, and its drawing."""

from __future__ import annotations

from pathlib import Path

import lymer.journal
from lymer.journal.life import TRANSITIONS, Event, Life, drawn


def test_the_readme_shows_the_table() -> None:
    """Every line of it, as it is drawn now."""
    readme = Path(str(lymer.journal.__file__)).with_name("README.md").read_text("utf-8")

    assert f"```\n{drawn()}```" in readme
    assert len(TRANSITIONS) == len(drawn().splitlines())


def test_every_state_is_reached_and_left() -> None:
    """And every event happens to somebody."""
    assert set(TRANSITIONS.values()) == set(Life)
    assert {before for before, _ in TRANSITIONS} == set(Life)
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_what_is_sealed_or_taken_is_never_open_again() -> None:
    """The crash argument rests on it: a sealed file does not change."""
    for before in (Life.SEALED, Life.TAKEN):
        assert Life.OPEN not in {TRANSITIONS.get((before, event)) for event in Event}


def test_only_what_is_stored_or_empty_goes() -> None:
    """Everything else would be a loss."""
    going = {event for (_, event), after in TRANSITIONS.items() if after is Life.ABSENT}

    assert going == {Event.STORED, Event.EMPTIED}
