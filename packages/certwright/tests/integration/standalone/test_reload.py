"""The reload command: after a change, not too often, until it succeeds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from certwright import clock
from certwright.roles.standalone.layout import Layout
from certwright.roles.standalone.reload import Reload, ReloadSettings


def new_reload(folder: Path, command: str, **settings: float) -> Reload:
    """Return a reload in a folder with a state."""
    layout = Layout(folder)
    layout.state.mkdir(exist_ok=True)
    return Reload(ReloadSettings(command, **settings), layout)


async def test_the_command_is_told_what_changed(tmp_path: Path) -> None:
    """In its environment, through a shell."""
    out = tmp_path / "out"
    reload = new_reload(tmp_path, f'echo "$CERTWRIGHT_SECRETS in $CERTWRIGHT_DIR" > {out}')
    reload.before_change(["default/a", "default/b"])
    reload.after_change(["default/a", "default/b"])
    assert reload.is_due
    assert await reload.run_now()

    assert out.read_text() == f"default/a default/b in {tmp_path}\n"
    assert not reload.is_due
    assert not Layout(tmp_path).reload_pending.exists()


async def test_nothing_is_run_when_nothing_changed(tmp_path: Path) -> None:
    """And nothing is remembered."""
    reload = new_reload(tmp_path, "exit 1")
    reload.before_change(["default/a"])
    reload.after_change([])

    assert await reload.run_now()
    assert not Layout(tmp_path).reload_pending.exists()


async def test_a_killed_process_does_not_forget_that_a_run_is_due(tmp_path: Path) -> None:
    """Even if it died between the change and the note of it."""
    new_reload(tmp_path, "true").before_change(["default/a"])
    again = new_reload(tmp_path, "true")

    assert again.is_due
    assert await again.run_now()
    assert not new_reload(tmp_path, "true").is_due


async def test_a_failure_is_tried_again(tmp_path: Path) -> None:
    """With pauses that grow, until it works."""
    tries = tmp_path / "tries"
    command = f"echo x >> {tries}; test $(wc -l < {tries}) -ge 3"
    reload = new_reload(
        tmp_path, command, interval_seconds=0.01, retry_seconds_min=0.05, retry_seconds_max=0.1
    )
    started = clock.monotonic_seconds()
    reload.after_change(["default/a"])
    serving = asyncio.create_task(reload.serve())
    async with asyncio.timeout(20):
        while reload.is_due or Layout(tmp_path).reload_pending.exists():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
    serving.cancel()

    assert tries.read_text().count("x") == 3
    assert clock.monotonic_seconds() - started >= 0.15


async def test_many_changes_are_one_run(tmp_path: Path) -> None:
    """Within the interval."""
    runs = tmp_path / "runs"
    reload = new_reload(tmp_path, f"echo x >> {runs}", interval_seconds=0.3)
    serving = asyncio.create_task(reload.serve())
    for number in range(10):
        reload.after_change([f"default/{number}"])
        await asyncio.sleep(0.02)
    async with asyncio.timeout(20):
        while reload.is_due:  # noqa: ASYNC110 - what is tested has no event for its end
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    serving.cancel()

    assert 1 <= runs.read_text().count("x") <= 3


@pytest.mark.parametrize("command", ["sleep 30", "sleep 30 & wait"])
async def test_a_command_that_hangs_is_killed_with_its_children(
    command: str, tmp_path: Path
) -> None:
    """And counts as failed."""
    reload = new_reload(tmp_path, command, timeout_seconds=0.2)
    started = clock.monotonic_seconds()
    reload.after_change(["default/a"])

    assert not await reload.run_now()
    assert clock.monotonic_seconds() - started < 10
    assert reload.is_due


async def told(reload: Reload, out: Path) -> list[list[str]]:
    """Run until nothing is due; return what each run was told."""
    while reload.is_due:
        await reload.run_now()
    lines = await asyncio.to_thread(out.read_text)
    return [line.split() for line in lines.splitlines()]


async def test_three_changes_in_one_interval_are_all_named(tmp_path: Path) -> None:
    """The second is not lost between the first and the last."""
    out = tmp_path / "out"
    reload = new_reload(tmp_path, f'echo "$CERTWRIGHT_SECRETS" >> {out}')
    for name in ("default/a", "default/b", "default/c"):
        reload.before_change([name])
        reload.after_change([name])

    assert await told(reload, out) == [["default/a", "default/b", "default/c"]]


async def test_names_pile_up_until_a_run_succeeds_over_restarts(tmp_path: Path) -> None:
    """A script that reloads what is named must not keep an old certificate."""
    out, works = tmp_path / "out", tmp_path / "works"
    command = f'echo "$CERTWRIGHT_SECRETS" >> {out}; test -e {works}'
    reload = new_reload(tmp_path, command)
    reload.before_change(["default/a"])
    reload.after_change(["default/a"])
    assert not await reload.run_now()
    reload.before_change(["default/b"])
    reload.after_change(["default/b"])
    assert not await reload.run_now()
    again = new_reload(tmp_path, command)
    again.before_change(["default/c"])
    again.after_change(["default/c"])
    works.touch()

    assert (await told(again, out))[-1] == ["default/a", "default/b", "default/c"]
    assert not Layout(tmp_path).reload_pending.exists()


async def test_what_is_being_written_while_a_run_goes_on_is_named_by_the_next(
    tmp_path: Path,
) -> None:
    """The run may have seen the old files, whether the change began before it or during it."""
    out = tmp_path / "out"
    reload = new_reload(tmp_path, f'echo "$CERTWRIGHT_SECRETS" >> {out}; sleep 0.2')
    reload.before_change(["default/a"])
    reload.after_change(["default/a"])
    reload.before_change(["default/b"])
    running = asyncio.create_task(reload.run_now())
    await asyncio.sleep(0.05)
    reload.before_change(["default/a"])
    reload.after_change(["default/a", "default/b"])
    assert await running

    assert await told(reload, out) == [["default/a"], ["default/a", "default/b"]]


async def test_a_run_that_is_ended_did_not_happen(tmp_path: Path) -> None:
    """A service that is stopped in the middle of it runs it again."""
    reload = new_reload(tmp_path, "sleep 30")
    reload.before_change(["default/a"])
    reload.after_change(["default/a"])
    running = asyncio.create_task(reload.run_now())
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert reload.is_due
    assert Layout(tmp_path).reload_pending.read_text() == "default/a"
