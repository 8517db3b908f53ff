"""What does not fit together in the settings of sampling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lymer.config.sampling_settings import SamplingSettings

__all__ = ["sampling_conflicts"]

_HISTORY_SECONDS_MAX: Final = 86_400
"""Throughput is kept for two days."""


def sampling_conflicts(settings: SamplingSettings) -> Iterator[str]:
    """Yield a sentence for each conflict."""
    adaptive = settings.adaptive
    if adaptive.enabled and settings.file.path:
        yield (
            '"sampling.file.path" and "sampling.adaptive.enabled" are both set: only one sampling '
            "strategy provider can be specified"
        )
    if adaptive.min_sampling_probability > adaptive.initial_sampling_probability:
        yield (
            '"sampling.adaptive.min_sampling_probability" is '
            f"{adaptive.min_sampling_probability:g}, above "
            '"sampling.adaptive.initial_sampling_probability", which is '
            f"{adaptive.initial_sampling_probability:g}"
        )
    history = (
        adaptive.aggregation_buckets * adaptive.calculation_interval_seconds
        + adaptive.calculation_delay_seconds
    )
    if history > _HISTORY_SECONDS_MAX:
        yield (
            '"sampling.adaptive.aggregation_buckets" times '
            f'"sampling.adaptive.calculation_interval_seconds" reach back {history:g} s, the limit '
            f"is {_HISTORY_SECONDS_MAX} s"
        )
