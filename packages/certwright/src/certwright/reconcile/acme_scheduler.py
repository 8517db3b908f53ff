"""Which Challenges are worked on: the oldest first, not too many, and never two that collide.

Two Challenges of one name and type would overwrite each other's TXT record at providers that keep
one value; a wildcard and its apex are such a pair.

Source: reference cert-manager.md 3.5 (scheduler); cert-manager v1.12.2
pkg/controller/acmechallenges/scheduler.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from certwright.reconcile.contract import Action, Backoff, Controller, Emit, Plan, Reader, Sources
from certwright.reconcile.indexes import CHALLENGES_BY_STAGE
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields, write_status
from certwright.resources import meta
from certwright.resources.acme import Challenge
from certwright.resources.kinds import CHALLENGE, Key, Manifest

__all__ = ["SchedulerGathered", "plan_schedule", "scheduler_controller"]

AT_ONCE_MAX: Final = 20
"""Challenges let in by one pass. Source: reference 3.5."""
_STARTED: Final = "Challenge scheduled for processing"


@dataclass(frozen=True, slots=True)
class SchedulerGathered:
    """All Challenges that count."""

    processing: tuple[Challenge, ...]
    waiting: tuple[Challenge, ...]


def plan_schedule(gathered: SchedulerGathered, _sources: Sources, *, options: Options) -> Plan:
    """Plan which Challenges begin now."""
    taken = {_slot(found) for found in gathered.processing}
    room = min(AT_ONCE_MAX, options.acme.challenges_max - len(gathered.processing))
    actions: list[Action] = []
    for found in sorted(gathered.waiting, key=_age):
        if room <= 0:
            break
        if _slot(found) in taken:
            continue
        taken.add(_slot(found))
        room -= 1
        actions += _let_in(found.object, options)
    return Plan(tuple(actions))


def _slot(challenge: Challenge) -> tuple[str, str]:
    return challenge.dns_name, challenge.type


def _age(challenge: Challenge) -> tuple[str, str, str]:
    created = str(meta.mapping_at(challenge.object, "metadata").get("creationTimestamp") or "")
    return created, challenge.namespace, challenge.name


def _let_in(obj: Manifest, options: Options) -> tuple[Action, ...]:
    new = set_fields(obj, processing=True, presented=Challenge(obj).is_presented)
    written = write_status(obj, new, options.gates, fields=("processing", "presented"))
    return (*written, Emit(obj, "Normal", "Started", _STARTED))


async def _gather(_key: Key, reader: Reader, *, options: Options) -> SchedulerGathered | None:
    processing = await reader.find(CHALLENGES_BY_STAGE, "processing")
    if len(processing) >= options.acme.challenges_max:
        return None
    waiting = await reader.find(CHALLENGES_BY_STAGE, "waiting")
    if not waiting:
        return None
    return SchedulerGathered(tuple(map(Challenge, processing)), tuple(map(Challenge, waiting)))


def scheduler_controller(options: Options) -> Controller[SchedulerGathered]:
    """Return the loop. One pass at a time: it counts across all Challenges."""
    return Controller(
        name="challenges-scheduler",
        kind=CHALLENGE,
        gather=partial(_gather, options=options),
        plan=partial(plan_schedule, options=options),
        backoff=Backoff(1.0, 30.0),
        indexes=(CHALLENGES_BY_STAGE,),
        workers_max=1,
        part_of="challenges",
    )
