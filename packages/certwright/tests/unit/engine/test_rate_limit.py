"""The bucket of tokens."""

from __future__ import annotations

from certwright.engine.rate_limit import TokenBucket


def test_a_burst_passes_and_the_rest_waits_its_turn() -> None:
    """Two at once, then one each half second."""
    bucket = TokenBucket(2.0, 2)

    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0.5, 1.0]


def test_tokens_grow_to_the_burst_and_no_further() -> None:
    """A quiet hour does not allow a flood."""
    bucket = TokenBucket(1.0, 2)
    for _ in range(2):
        bucket.take(0)

    assert [bucket.try_take(3600) for _ in range(3)] == [True, True, False]
