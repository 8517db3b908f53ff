"""`certwright status DIR`: what there is, how long it lasts, what is due when, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certwright.adapters.files import read_objects
from certwright.errors import StartupError
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    BUNDLE,
    CERTIFICATE,
    CLUSTER_ISSUER,
    EVENT,
    ISSUER,
    Manifest,
)
from certwright.resources.times import parse_time
from certwright.roles.ctl.causes import cause_of
from certwright.roles.ctl.texts import age, table
from certwright.roles.standalone.layout import Layout

__all__ = ["StatusPage", "status_page", "unready"]

EVENTS_SHOWN_MAX: Final = 12
"""The latest events on the page; `ctl status certificate` has all of one Certificate."""


@dataclass(frozen=True, slots=True)
class StatusPage:
    """What to show."""

    text: str
    is_good: bool
    """Whether every Certificate is ready and every file is used."""


def status_page(layout: Layout, now: datetime) -> StatusPage:
    """Return the page; the folder need not be locked.

    Raises:
        StartupError: Nothing ever ran on this folder, or its state cannot be read.
    """
    if not layout.state.is_dir():
        raise StartupError(
            f"cannot show {layout.folder}: nothing has run on it yet; start `certwright standalone "
            f"{layout.folder}`"
        )
    objects = read_objects(layout.state)
    certificates = sorted(
        (obj for obj in objects if meta.kind_of(obj) == CERTIFICATE),
        key=lambda obj: (meta.namespace(obj), meta.name(obj)),
    )
    problems = layout.problems.read_text().splitlines() if layout.problems.exists() else []
    bad = unready(objects, now)
    parts = [
        _certificates_text(layout, certificates, now),
        *(["\nNot ready:\n", *(f"  {line}\n" for line in bad)] if bad else []),
        *(["\nFiles:\n", *(f"  {line}\n" for line in problems)] if problems else []),
        *_events_text(objects, now),
    ]
    return StatusPage("".join(parts), is_good=not bad and not problems)


def _events_text(objects: Sequence[Manifest], now: datetime) -> Iterator[str]:
    """Yield the latest events, oldest first."""
    events = [obj for obj in objects if meta.kind_of(obj) == EVENT]
    if not events:
        return
    events.sort(key=lambda event: str(event.get("lastTimestamp") or ""))
    yield "\nEvents:\n"
    rows = [("AGE", "TYPE", "OBJECT", "REASON", "MESSAGE")]
    for event in events[-EVENTS_SHOWN_MAX:]:
        about = meta.mapping_at(event, "involvedObject")
        rows.append(
            (
                age(now - parse_time(str(event["lastTimestamp"]))),
                str(event.get("type")),
                f"{about.get('kind')} {about.get('name')}",
                str(event.get("reason")),
                str(event.get("message")),
            )
        )
    yield table(rows, "  ")


def unready(objects: Sequence[Manifest], now: datetime) -> list[str]:
    """Return a line for each issuer, Certificate and Bundle that is not ready, with its cause."""
    by_key = {meta.key_of(obj): obj for obj in objects}
    lines = []
    for obj in objects:
        kind = meta.kind_of(obj)
        if kind not in {ISSUER, CLUSTER_ISSUER, CERTIFICATE, BUNDLE}:
            continue
        ready = get_condition(obj, "Synced" if kind == BUNDLE else "Ready")
        issuing = get_condition(obj, "Issuing")
        is_ready = ready is not None and ready.is_true
        has_failed = issuing is not None and not issuing.is_true
        if is_ready and not has_failed:
            continue
        cause = cause_of(obj, by_key, now) if kind == CERTIFICATE else ""
        lines.append(f"{meta.key_of(obj)}: {cause or _words(ready)}")
    return lines


def _words(ready: object) -> str:
    return str(getattr(ready, "message", "")) or "it has not been looked at yet"


def _certificates_text(layout: Layout, certificates: Sequence[Manifest], now: datetime) -> str:
    if not certificates:
        return f"No Certificates in {layout.folder}\n"
    rows = [("CERTIFICATE", "READY", "EXPIRES", "RENEWS", "FILES")]
    for obj in certificates:
        view = Certificate(obj)
        ready = get_condition(obj, "Ready")
        issuing = get_condition(obj, "Issuing")
        renews = _moment(view.renewal_time, now)
        if issuing is not None and issuing.is_true:
            renews = "now"
        rows.append(
            (
                f"{view.namespace}/{view.name}",
                ready.status if ready else "Unknown",
                _moment(view.not_after, now),
                renews,
                f"secrets/{view.namespace}/{view.secret_name}",
            )
        )
    return table(rows)


def _moment(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "-"
    day = f"{moment:%Y-%m-%d %H:%M}"
    return f"{day} (in {age(moment - now)})" if moment >= now else f"{day} (PAST)"
