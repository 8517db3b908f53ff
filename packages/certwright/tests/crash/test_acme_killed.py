"""The process dies between any two writes of an order: there is one order, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from certwright.reconcile.contract import Action, Delete
from certwright.resources.kinds import CERTIFICATE_REQUEST, INGRESS, ORDER, POD, SERVICE
from certwright_testing.acme_world import NAMES, play, webroot
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


PLAYS = 4
"""The places are dealt out among so many plays: each of their processes lives for a few writes."""


def place_of(action: Action) -> tuple[object, ...]:
    """Return what a write is, by what it says: the same in every play, whatever its numbers."""
    if isinstance(action, Delete):
        return ("Delete", action.key.kind.name)
    obj: Any = getattr(action, "object", {})
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    conditions = status.get("conditions") or ()
    return (
        type(action).__name__,
        obj.get("kind"),
        spec.get("dnsName") or spec.get("domain"),
        tuple(sorted(obj.get("data") or ())),
        tuple(sorted(obj["metadata"].get("finalizers") or ())),
        tuple((found["type"], found["status"], found["reason"]) for found in conditions),
        tuple(sorted(status)),
        tuple(str(status.get(name)) for name in ("state", "presented", "processing")),
    )


async def die_everywhere(
    pebble: Pebble,
    folder: Path,
    deaths: tuple[Fault, ...],
    *,
    in_process: bool = True,
    names: tuple[str, ...] = NAMES,
    bind: Bind | None = None,
) -> int:
    """Play the story with a death at every place; return how many places there are."""
    story: dict[tuple[object, ...], None] = {}

    def told(_at: int, action: Action) -> None:
        story[place_of(action)] = None

    async def checked(fault: Callable[[int, Action], Fault | None]) -> None:
        before = pebble.orders()
        world = await play(pebble, folder, fault, in_process=in_process, names=names, bind=bind)
        check(world, pebble, folder, before)
        if bind is not None:
            assert bind.texts(f"_acme-challenge.{names[0]}") == []

    await checked(told)
    places = list(story)
    for death in deaths:
        for number in range(PLAYS):
            left = set(places[number::PLAYS])

            def fault(_at: int, action: Action) -> Fault | None:
                place = place_of(action)
                if place not in left:  # noqa: B023 - it is called in this round only
                    return None
                left.discard(place)  # noqa: B023
                return death  # noqa: B023

            for _ in range(3):
                # Told to reuse no authorization, Pebble does in one order of a hundred: it draws
                # a number below 100 and makes a new one if that is over zero.
                await checked(fault)
                if not left:
                    break
            assert not left, f"no process died at {left}"
    return len(places)


async def test_death_between_any_two_writes(pebble: Pebble, tmp_path: Path) -> None:
    """What the network answered before the write is lost, too; or nobody asks it any more."""
    deaths = (Fault.DIES_BEFORE, Fault.DIES_AFTER)
    async with webroot(pebble, tmp_path) as folder:
        assert await die_everywhere(pebble, folder, deaths) > 20


async def test_death_leaves_no_pod_and_no_ingress(tmp_path: Path) -> None:
    """In a cluster; the CA takes every answer, for there are no nodes to run pods."""
    environment = {"PEBBLE_AUTHZREUSE": "0", "PEBBLE_VA_ALWAYS_VALID": "1"}
    environment["PEBBLE_WFE_ORDERS_PER_PAGE"] = "500"
    folder = tmp_path / "nothing"
    folder.mkdir()
    deaths = (Fault.DIES_BEFORE, Fault.ANSWER_LOST)
    with Pebble(tmp_path / "pebble", environment=environment) as pebble:
        assert await die_everywhere(pebble, folder, deaths, in_process=False) > 20


@pytest.mark.skipif(bool(missing_bind()), reason=missing_bind())
async def test_death_leaves_no_record(tmp_path: Path) -> None:
    """With DNS: one order, and every TXT record goes, wherever the process died."""
    (tmp_path / "nothing").mkdir()
    with (
        Bind(tmp_path / "bind") as bind,
        Pebble(
            tmp_path / "pebble",
            environment={"PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_ORDERS_PER_PAGE": "500"},
            dns_server=bind.address,
        ) as pebble,
    ):
        names = ("a.example.com",)
        deaths = (Fault.DIES_BEFORE, Fault.DIES_AFTER)
        folder = tmp_path / "nothing"
        assert await die_everywhere(pebble, folder, deaths, names=names, bind=bind) > 15
