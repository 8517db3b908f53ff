"""Settings of sampling that do not fit together."""

from __future__ import annotations

import pytest

from lymer.config import ConfigError, load_config

HOME = {"HOME": "/home/ada"}
GROUP = "sampling.adaptive"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {f"{GROUP}.enabled": "true", "sampling.file.path": "s.json"},
            "only one sampling strategy provider can be specified",
        ),
        (
            {f"{GROUP}.min_sampling_probability": "0.1"},
            (f'"{GROUP}.min_sampling_probability" is 0.1, above '
            f'"{GROUP}.initial_sampling_probability", which is 0.001'),
        ),
        ({f"{GROUP}.aggregation_buckets": "1000", f"{GROUP}.calculation_interval_seconds": "5m"},
         "reach back 300120 s, the limit is 86400 s"),
    ],
    ids=["file and adaptive", "bounds", "history"],
)  # fmt: skip
def test_a_conflict_is_refused(settings: dict[str, str], message: str) -> None:
    """With both names."""
    with pytest.raises(ConfigError) as raised:
        load_config(None, HOME, settings)

    assert message in str(raised.value)


def test_adaptive_alone_is_no_conflict() -> None:
    """Nor is a file alone."""
    assert load_config(None, HOME, {f"{GROUP}.enabled": "true"}).sampling.adaptive.enabled
    assert load_config(None, HOME, {"sampling.file.path": "s.json"}).sampling.file.path == "s.json"
