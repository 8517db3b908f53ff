"""How both products' tests run together: what at the same time, and no silent skip in CI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

# The machine is small and shared: how long an example takes says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

_SKIPS_ALLOWED: Final = (
    # Where the reason lies in what is tested, not in a tool that is missing.
    "root may read everything",
    "root may write everywhere",
    "port 53 of the loopback cannot be had",  # the machine's own name server has it
    "the issuance has fewer writes",
    "no IPv6 here",
    " cannot: ",  # a store kit's list of what this store cannot do
    "KUBEBUILDER_ASSETS has no kubectl",  # the API server is compiled, kubectl is not
)
_FIRST: Final = ("/crash/", "/e2e/", "/contract/", "/integration/", "/unit/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; files stay whole, each in one worker."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    path = item.nodeid
    return next((at for at, folder in enumerate(_FIRST) if folder in path), len(_FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """In CI, a test that is skipped for want of a tool has failed."""
    report: Any = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(allowed in reason for allowed in _SKIPS_ALLOWED):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where nothing may be missing: {reason}"
    return report
