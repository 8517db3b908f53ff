"""`certwright standalone DIR`: the loops of a cluster's controller, on a folder.

::

    DIR/*.yaml ─(intake)─▶ store in DIR/state ◀─▶ control loops
                                │
                                └─(publisher)─▶ DIR/secrets ─(reload)─▶ your command

Every part can be repeated: a process that is killed anywhere starts again from what is on disk.
"""

from __future__ import annotations

import asyncio
import importlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self, cast

from certwright import clock
from certwright.adapters.files import FileStore, FolderLock
from certwright.engine.runtime import Runtime, RuntimeSettings
from certwright.engine.store import Change, Selection
from certwright.errors import (
    CertwrightError,
    ExpiredError,
    StartupError,
)
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import certificate_controllers
from certwright.reconcile.options import AcmeOptions, Options, TrustOptions
from certwright.resources import meta
from certwright.resources.acme import Challenge, Order
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import BUNDLE, CHALLENGE, CONFIG_MAP, EVENT, ORDER, SECRET, Kind
from certwright.resources.times import parse_time
from certwright.roles.ctl.causes import objects_of
from certwright.roles.standalone.intake import Intake
from certwright.roles.standalone.layout import DEFAULT_NAMESPACE, Layout
from certwright.roles.standalone.publisher import Publisher, Readers
from certwright.roles.standalone.reload import Reload, ReloadSettings
from certwright.roles.standalone.rules import WebhookRules
from certwright.roles.standalone.status_page import unready
from certwright.roles.standalone.sync import SOURCE
from certwright.roles.standalone.wishes import grant_wishes
from certwright.telemetry.logs import EventLog
from certwright.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from certwright.adapters.acme.http01 import HttpAnswers
    from certwright.adapters.acme.outside import RealWorld

__all__ = ["StandaloneSettings", "folder_options", "run_once", "serve"]

_log: Final = EventLog(__name__)
_OUTSIDE: Final = "certwright.adapters.acme.outside"
_STATE_MODE: Final = 0o700
PUBLISH_SECONDS: Final = 10.0
"""Folders are compared with the Secrets at least so often, and put right."""
ORDER_POLL_SECONDS: Final = 0.5
"""How often `run_once` looks whether the orders have come to an end."""
EVENT_AGE_MAX: Final = timedelta(hours=1)
"""Events are forgotten after so long, as an API server does."""


@dataclass(frozen=True, slots=True)
class StandaloneSettings:
    """How a folder is served."""

    layout: Layout
    options: Options
    readers: Readers = field(default_factory=Readers)
    reload: ReloadSettings = field(default_factory=lambda: ReloadSettings(""))
    answers: HttpAnswers | None = None
    """How HTTP-01 challenges are answered; None for not at all."""
    poll_seconds: float = 1.0
    """How often the files are looked at."""
    once_seconds_max: float = 120.0
    """How long `run_once` may take."""


def folder_options(
    gates: FeatureGates,
    *,
    delete_secrets: bool = False,
    acme: AcmeOptions | None = None,
    renewal_spread: float = 0.0,
    default_ca_pem: bytes = b"",
) -> Options:
    """Return how the loops decide in a folder.

    Args:
        gates: Feature gates.
        delete_secrets: Whether a Secret goes with its Certificate.
        acme: Settings of ACME; those of a cluster do not count.
        renewal_spread: How far renewals are spread.
        default_ca_pem: What useDefaultCAs of a Bundle means.
    """
    return Options(
        cluster_resource_namespace=DEFAULT_NAMESPACE,
        enable_certificate_owner_ref=delete_secrets,
        copied_annotation_prefixes=(*Options().copied_annotation_prefixes, f"-{SOURCE}"),
        gates=gates,
        renewal_spread=renewal_spread,
        trust=TrustOptions(
            enabled=True,
            namespace=DEFAULT_NAMESPACE,
            default_ca_pem=default_ca_pem,
            is_folder=True,
        ),
        acme=replace(
            acme or AcmeOptions(), http01_in_process=True, http01_passes=1, issuer_ambient=True
        ),
    )


async def serve(settings: StandaloneSettings) -> None:
    """Serve the folder until cancelled.

    Raises:
        StartupError: The folder cannot be used, or another process has it.
    """
    async with _Service(settings) as service:
        await service.intake.take()
        async with asyncio.TaskGroup() as group:
            group.create_task(service.runtime.run())
            group.create_task(service.follow_files())
            group.create_task(service.follow_secrets())
            group.create_task(service.forget_events())
            group.create_task(service.reload.serve())
            _log.info("serving", folder=str(settings.layout.folder))


async def run_once(settings: StandaloneSettings) -> list[str]:
    """Do all that is due now and stop.

    Returns:
        A line for everything that is not as it should be; empty if all Certificates are ready,
        their files written and the reload command done.

    Raises:
        StartupError: The folder cannot be used, or another process has it.
    """
    async with _Service(settings) as service:
        await service.intake.take()
        running = asyncio.create_task(service.runtime.run())
        try:
            await _settled(service, running, settings.once_seconds_max)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        problems = await service.publish()
        objects = await objects_of(service.store)
        bundles = (await service.store.list(Selection(BUNDLE))).objects
        objects |= {meta.key_of(obj): obj for obj in bundles}
        problems += unready(list(objects.values()), clock.now())
        problems += await _unproven(service.store)
        if settings.layout.problems.exists():
            problems += settings.layout.problems.read_text().splitlines()
        if not await service.reload.run_now():
            problems.append(f"the reload command failed: {settings.reload.command}")
        return problems


async def _settled(service: _Service, running: asyncio.Task[None], seconds_max: float) -> None:
    """Wait until the loops have nothing to do now; what they wait for does not count."""
    settling = asyncio.create_task(_come_to_rest(service, seconds_max))
    try:
        await asyncio.wait({settling, running}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        await settling
    except TimeoutError:
        _log.warning("there is still work to do", waited_seconds=seconds_max)
    finally:
        settling.cancel()
        await asyncio.gather(settling, return_exceptions=True)


async def _come_to_rest(service: _Service, seconds_max: float) -> None:
    """Wait until nothing is to be done now, and no order is under way.

    Raises:
        TimeoutError: There was still work after `seconds_max`.
    """
    async with asyncio.timeout(seconds_max):
        await service.runtime.settle(seconds_max)
        while await _has_orders_under_way(service.store):
            await asyncio.sleep(ORDER_POLL_SECONDS)
            await service.runtime.settle(seconds_max)


async def _has_orders_under_way(store: FileStore) -> bool:
    orders = map(Order, (await store.list(Selection(ORDER))).objects)
    if any(not order.has_failed and not order.certificate for order in orders):
        return True
    return bool((await store.list(Selection(CHALLENGE))).objects)


async def _unproven(store: FileStore) -> list[str]:
    """Return a line for every order that came to nothing and every name that is not proven."""
    orders = map(Order, (await store.list(Selection(ORDER))).objects)
    lines = [f"Order {order.name}: {order.reason}" for order in orders if order.reason]
    challenges = map(Challenge, (await store.list(Selection(CHALLENGE))).objects)
    return lines + [
        f"{found.dns_name} is not proven: {found.reason}" for found in challenges if found.reason
    ]


class _World:
    """The world outside; what it takes (HTTP, DNS) is imported when somebody has a question.

    A folder whose issuers are CAs never has one, and starts in half the time.
    """

    def __init__(self, answers: HttpAnswers | None) -> None:
        self._answers = answers
        self._real: RealWorld | None = None
        self._lock = asyncio.Lock()

    async def answer(self, question: Any, /) -> Any:
        """Return the answer that the question's docstring names."""
        async with self._lock:
            if self._real is None:
                module = await asyncio.to_thread(importlib.import_module, _OUTSIDE)
                self._real = cast("RealWorld", module.RealWorld(answers=self._answers))
        return await self._real.answer(question)

    async def close(self) -> None:
        """Close what was opened."""
        if self._real is not None:
            await self._real.__aexit__(None, None, None)


class _Service:
    """The parts of a served folder. A context: holds the folder's lock."""

    def __init__(self, settings: StandaloneSettings) -> None:
        layout = settings.layout
        layout.manifests()  # says what is wrong with the folder before anything is made in it
        try:
            layout.state.mkdir(mode=_STATE_MODE, exist_ok=True)
            layout.wishes.mkdir(mode=_STATE_MODE, exist_ok=True)
        except OSError as error:
            raise StartupError(f"cannot write {layout.state}: {error.strerror}") from error
        self.settings = settings
        self.lock = FolderLock(layout.state)

    async def __aenter__(self) -> Self:
        self.lock.__enter__()
        settings = self.settings
        try:
            self.store = FileStore(
                settings.layout.state, admission=WebhookRules(settings.options.gates)
            )
            self.intake = Intake(self.store, settings.layout, settings.options.gates)
            self.reload = Reload(settings.reload, settings.layout)
            self.publisher = Publisher(
                self.store, settings.layout, settings.readers, self.reload.before_change
            )
            self.world = _World(settings.answers)
            self.runtime = Runtime(
                self.store,
                certificate_controllers(settings.options),
                _sources,
                Metrics(clock.now),
                RuntimeSettings(all_secrets=True),
                self.world,
            )
        except BaseException:
            self.lock.__exit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.world.close()
        finally:
            self.lock.__exit__(None, None, None)

    async def follow_files(self) -> None:
        """Take the files in whenever they change, and grant what `ctl` asks for."""
        while True:
            try:
                if await self.intake.take():
                    _log.info("files read", folder=str(self.settings.layout.folder))
                await grant_wishes(self.store, self.settings.layout)
            except CertwrightError as error:
                _log.error("cannot read the files", reason=str(error))
            await asyncio.sleep(self.settings.poll_seconds)

    async def follow_secrets(self) -> None:
        """Write Secrets out whenever one changes."""
        while True:
            version = str(self.store.table.revision)
            await self.publish()
            changes = [
                asyncio.create_task(self._changed(kind, version)) for kind in (SECRET, CONFIG_MAP)
            ]
            try:
                await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for change in changes:
                    change.cancel()
                await asyncio.gather(*changes, return_exceptions=True)

    async def _changed(self, kind: Kind, version: str) -> None:
        """Wait for a change of such an object after this version, but not too long."""
        changes = cast("AsyncGenerator[Change]", self.store.watch(Selection(kind), version))
        with suppress(TimeoutError, ExpiredError):
            async with asyncio.timeout(PUBLISH_SECONDS), aclosing(changes) as opened:
                async for change in opened:
                    if change.type != "BOOKMARK":
                        return

    async def publish(self) -> list[str]:
        """Write what changed and ask for the reload command; return what could not be written."""
        published = await self.publisher.publish_all(self.store.table.revision)
        self.reload.after_change(published.changed)
        for place in published.changed:
            _log.info("files written", place=place)
        for problem in published.problems:
            _log.error("cannot write files", reason=problem)
        return list(published.problems)

    async def forget_events(self) -> None:
        """Delete old events, for ever."""
        while True:
            await asyncio.sleep(60)
            for event in (await self.store.list(Selection(EVENT))).objects:
                last = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
                if clock.now() - parse_time(str(last)) > EVENT_AGE_MAX:
                    await self.store.delete(meta.key_of(event))


def _sources() -> Sources:
    return Sources(now=clock.now(), private_key=generate_private_key, serial=_serial)


def _serial() -> int:
    return secrets.randbits(128) or 1
