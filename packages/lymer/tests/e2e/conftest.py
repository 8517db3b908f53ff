"""Fixtures that start the real program."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.lymer_process import Lymer


def _keep_or_remove(folder: Path, failures_before: int, session: pytest.Session) -> None:
    if session.testsfailed > failures_before:
        sys.stderr.write(f"\nlymer's folder is kept: {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_lymer(request: pytest.FixtureRequest) -> Iterator[Lymer]:
    """One running Lymer for all tests that only send and ask."""
    folder = Path(tempfile.mkdtemp(prefix="lymer-e2e-"))
    before = request.session.testsfailed
    lymer = Lymer(folder)
    try:
        lymer.start()
        yield lymer
    finally:
        lymer.close()
        _keep_or_remove(folder, before, request.session)


@pytest.fixture
def new_lymer(request: pytest.FixtureRequest) -> Iterator[Callable[..., Lymer]]:
    """Make Lymers of one's own, each in a fresh folder, not started."""
    made: list[tuple[Lymer, Path]] = []
    before = request.session.testsfailed

    def make(**environment: str) -> Lymer:
        folder = Path(tempfile.mkdtemp(prefix="lymer-e2e-"))
        lymer = Lymer(folder, environment)
        made.append((lymer, folder))
        return lymer

    yield make
    for lymer, folder in made:
        lymer.close()
        _keep_or_remove(folder, before, request.session)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add the end of Lymer's log to the report of a test that failed."""
    report = yield
    lymer = getattr(item, "funcargs", {}).get("shared_lymer")
    if report.failed and isinstance(lymer, Lymer):
        report.sections.append(("lymer log", lymer.log_tail()))
    return report


@pytest.fixture
def new_role(request: pytest.FixtureRequest) -> Iterator[Callable[..., Lymer]]:
    """Make processes of any role, all in one fresh folder, not started."""
    folder = Path(tempfile.mkdtemp(prefix="lymer-roles-"))
    made: list[Lymer] = []
    before = request.session.testsfailed

    def make(role: str, *arguments: str, **environment: str) -> Lymer:
        made.append(Lymer(folder, environment, role=role, arguments=arguments))
        return made[-1]

    yield make
    for lymer in reversed(made):
        lymer.close()
    _keep_or_remove(folder, before, request.session)
