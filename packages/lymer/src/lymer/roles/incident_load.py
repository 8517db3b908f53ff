"""`lymer generate --incident`: sends an incident to practise on, and writes down the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lymer.clock import unix_nano
from lymer.errors import StartupError
from lymer.incidents.encoding import encode_requests
from lymer.incidents.traffic import draw_traffic
from lymer.roles.generate import Delivery, run
from lymer.roles.load_source import LoadRequest

__all__ = ["Incident", "run_incident"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Which one."""

    kind: str
    """One of `KINDS`."""
    seed: int = 1
    truth: Path | None = None
    """Where to write what is true, as JSON; None: nowhere."""


def run_incident(incident: Incident, delivery: Delivery) -> int:
    """Send five minutes of baseline and two of the incident, which end now.

    Returns:
        0 if every span was taken, 1 if not.

    Raises:
        StartupError: The truth cannot be written.
    """
    source = _IncidentSource(incident)
    if incident.truth is not None:
        try:
            incident.truth.write_text(json.dumps(source.truth) + "\n", encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise StartupError(f"cannot write the truth to {incident.truth}: {reason}") from error
    return run(source, delivery)


class _IncidentSource:
    """Makes the requests of one incident; safe between threads only as `_Load` uses it."""

    def __init__(self, incident: Incident) -> None:
        traffic = draw_traffic(incident.kind, incident.seed, unix_nano())
        fault = traffic.fault
        self.truth = (
            {} if fault is None else fault.truth(traffic.start_unix_nano, traffic.end_unix_nano)
        )
        self._requests = encode_requests(traffic, incident.seed)

    @property
    def spans_per_request(self) -> int:
        """Return about how many spans a request has."""
        return 2000

    def next_request(
        self, now_unix_nano: int, *, spans_max: int | None = None
    ) -> LoadRequest | None:
        """Return the next request, or None at the end; the spans' times stand already."""
        del now_unix_nano, spans_max
        found = next(self._requests, None)
        return None if found is None else LoadRequest(*found)
