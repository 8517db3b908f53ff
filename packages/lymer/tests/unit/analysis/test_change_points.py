"""Jumps are found where they are, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from lymer.analysis.change_points import jumps


@pytest.mark.parametrize("seed", range(5))
def test_jumps_are_found_to_two_points(seed: int) -> None:
    """Up by three standard deviations, and half down again."""
    chance = np.random.default_rng(seed)
    series = chance.normal(0, 1, (3, 300))
    series[1, 100:] += 3
    series[1, 220:] -= 1.8
    found = jumps(series)
    assert {one.series for one in found} == {1}
    assert [round(one.at, -1) for one in found] == [100, 220]
    assert all(abs(one.at - at) <= 3 for one, at in zip(found, (100, 220), strict=True))
    assert found[0].after - found[0].before == pytest.approx(3, abs=0.6)
    assert all(one.strength > 1 for one in found)


def test_noise_hardly_ever_jumps() -> None:
    """500 quiet series of a day: at most one alarm."""
    assert len(jumps(np.random.default_rng(1).normal(5, 2, (500, 1440)))) <= 1


def test_a_series_that_never_changes_does_not_jump() -> None:
    """No noise, no points, short series, points that are not known."""
    assert jumps(np.zeros((2, 100))) == []
    assert jumps(np.zeros((0, 100))) == []
    assert jumps(np.ones((1, 3))) == []
    values = np.random.default_rng(3).normal(0, 0.1, (1, 60))
    known = np.arange(60)[None, :] % 2 == 0
    values[~known] = 99
    assert jumps(values, known) == []


def test_a_step_without_noise_is_found() -> None:
    """Counts that are equal until they are others."""
    (found,) = jumps(np.repeat([[1.0, 4.0]], 30, axis=1))
    assert found.at == 30
