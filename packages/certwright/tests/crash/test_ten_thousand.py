"""Certificates of 160 hours, in simulated time, and a CA that is away for two days.

`python -m bench.certwright.ca_away` plays ten thousand; figures in docs/certwright/benchmarks.md.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from certwright_testing.absence import play_absence

COUNT = 200


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_none_ends_while_the_ca_is_away_and_renewals_are_spread_afterwards() -> None:
    """Those that waited are signed over hours too, in no ten minutes a large part of them."""
    told = await play_absence(COUNT)

    assert told.signed >= 3 * COUNT
    assert told.least_left > timedelta(hours=8), told
    assert told.asked_in_vain < 25 * COUNT, "it is asked in a hot loop"
    first = sum(told.back[:2])
    assert sum(told.back) > COUNT / 2, "most have waited"
    assert first < COUNT / 10, f"{first} of {COUNT} in the first twenty minutes"
    assert max(told.back) < COUNT / 12, told.back
    assert sum(1 for count in told.back if count) >= 36, "over six hours"
    assert max(told.later) <= COUNT / 6, "no hour has a large part of them"
    assert sum(1 for count in told.later if count) >= 12, told.later
