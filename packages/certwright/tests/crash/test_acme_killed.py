"""The process dies between any two writes of an order: there is one order, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from certwright.reconcile.contract import Action
from certwright.resources.kinds import CERTIFICATE_REQUEST, INGRESS, ORDER, POD, SERVICE
from certwright_testing.acme_world import play, webroot
from certwright_testing.bind import Bind, missing_bind
from certwright_testing.pebble import Pebble, missing_pebble
from certwright_testing.world import Fault, World

pytestmark = [
    pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble()),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that proves names anew each time."""
    environment = {"PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_ORDERS_PER_PAGE": "500"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


def check(world: World, pebble: Pebble, folder: Path, before: int) -> None:
    """Check that there was one order, here and at the CA, and that nothing is left."""
    assert pebble.orders() == before + 1
    assert len(world.all(ORDER)) == 1
    assert len(world.all(CERTIFICATE_REQUEST)) == 1
    assert [kind.name for kind in (POD, SERVICE, INGRESS) if world.all(kind)] == []
    assert [path for path in folder.rglob("*") if path.is_file()] == []


async def die_everywhere(
    pebble: Pebble, folder: Path, deaths: tuple[Fault, ...], *, in_process: bool, step: int = 1
) -> int:
    """Play the story with a death at every place; return how many places there are."""
    before = pebble.orders()
    world = await play(pebble, folder, None, in_process=in_process)
    check(world, pebble, folder, before)
    for number in range(0, world.writes, step):
        for death in deaths:
            done = False

            def fault(at: int, _action: Action) -> Fault | None:
                nonlocal done
                if at < number or done:  # noqa: B023 - it is called in this round only
                    return None
                done = True
                return death  # noqa: B023

            before = pebble.orders()
            died = await play(pebble, folder, fault, in_process=in_process)
            check(died, pebble, folder, before)
    return world.writes


async def test_death_between_any_two_writes(pebble: Pebble, tmp_path: Path) -> None:
    """What the network answered before the write is lost, too."""
    async with webroot(pebble, tmp_path) as folder:
        places = await die_everywhere(pebble, folder, (Fault.DIES_BEFORE,), in_process=True)
    assert places > 20


async def test_death_after_a_write(pebble: Pebble, tmp_path: Path) -> None:
    """Before the network is asked."""
    async with webroot(pebble, tmp_path) as folder:
        await die_everywhere(pebble, folder, (Fault.DIES_AFTER,), in_process=True, step=3)


async def test_death_leaves_no_pod_and_no_ingress(tmp_path: Path) -> None:
    """In a cluster; the CA takes every answer, for there are no nodes to run pods."""
    environment = {"PEBBLE_AUTHZREUSE": "0", "PEBBLE_VA_ALWAYS_VALID": "1"}
    environment["PEBBLE_WFE_ORDERS_PER_PAGE"] = "500"
    folder = tmp_path / "nothing"
    folder.mkdir()
    with Pebble(tmp_path / "pebble", environment=environment) as pebble:
        await die_everywhere(
            pebble, folder, (Fault.DIES_BEFORE, Fault.ANSWER_LOST), in_process=False, step=3
        )


@pytest.mark.skipif(bool(missing_bind()), reason=missing_bind())
async def test_death_leaves_no_record(tmp_path: Path) -> None:
    """With DNS: one order, and every TXT record goes, wherever the process died."""
    names = ("a.example.com",)
    with (
        Bind(tmp_path / "bind") as bind,
        Pebble(
            tmp_path / "pebble",
            environment={"PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_ORDERS_PER_PAGE": "500"},
            dns_server=bind.address,
        ) as pebble,
    ):
        whole = await play(pebble, tmp_path, None, names=names, bind=bind)
        for number in range(0, whole.writes, 3):
            done = False

            def fault(at: int, _action: Action) -> Fault | None:
                nonlocal done
                if at < number or done:  # noqa: B023 - it is called in this round only
                    return None
                done = True
                return Fault.DIES_BEFORE if number % 2 else Fault.DIES_AFTER  # noqa: B023

            before = pebble.orders()
            world = await play(pebble, tmp_path, fault, names=names, bind=bind)
            assert pebble.orders() == before + 1
            assert (len(world.all(ORDER)), len(world.all(CERTIFICATE_REQUEST))) == (1, 1)
            assert bind.texts("_acme-challenge.a.example.com") == []
