"""What is asked of the world to solve a Challenge: present, check, clean up.

Source: reference cert-manager.md 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from certwright.acme.questions import (
    CheckDns,
    CheckHttp,
    CleanUpDns,
    CleanUpToken,
    JustWait,
    PresentDns,
    PresentToken,
)
from certwright.reconcile.acme_dns01 import follows_cnames, solver_config
from certwright.reconcile.options import Options
from certwright.resources.acme import Challenge
from certwright.resources.durations import SECOND_NANO, parse_duration
from certwright.resources.kinds import Key, Manifest

__all__ = ["check_question", "cleanup_question", "present_question"]

_RecordQuestion = TypeVar("_RecordQuestion", bound=PresentDns)


def present_question(
    challenge: Challenge, found: Mapping[Key, Manifest], options: Options
) -> PresentDns | PresentToken | None:
    """Return what puts the answer in place; None if objects do.

    Raises:
        InvalidError: The solver cannot work as it is configured.
    """
    if challenge.type == "DNS-01":
        return _record(PresentDns, challenge, found, options)
    if options.acme.http01_in_process:
        return PresentToken(challenge.dns_name, challenge.token, challenge.key)
    return None


def cleanup_question(
    challenge: Challenge, found: Mapping[Key, Manifest], options: Options
) -> CleanUpDns | CleanUpToken | None:
    """Return what takes the answer away; None if objects do.

    Raises:
        InvalidError: The solver cannot work as it is configured.
    """
    if challenge.type == "DNS-01":
        return _record(CleanUpDns, challenge, found, options)
    if options.acme.http01_in_process:
        return CleanUpToken(challenge.dns_name, challenge.token, challenge.key)
    return None


def _record(
    question: type[_RecordQuestion],
    challenge: Challenge,
    found: Mapping[Key, Manifest],
    options: Options,
) -> _RecordQuestion:
    return question(
        solver_config(challenge, found, options),
        challenge.uid,
        challenge.dns_name,
        challenge.key,
        follows_cnames(challenge),
        options.acme.dns01_nameservers,
    )


def check_question(
    challenge: Challenge, options: Options
) -> CheckDns | CheckHttp | JustWait | None:
    """Return what looks whether the answer can be seen from here; None if nobody wants to know.

    Raises:
        InvalidError: The solver says how long to wait instead, and that is no duration.
    """
    acme = options.acme
    if not acme.self_check:
        return None
    if (text := challenge.solver.get("waitInsteadOfSelfCheck")) is not None:
        seconds = parse_duration(str(text)) / SECOND_NANO
        return JustWait(challenge.uid, seconds) if seconds > 0 else None
    if challenge.type == "DNS-01":
        return CheckDns(
            challenge.uid,
            challenge.dns_name,
            challenge.key,
            acme.dns01_nameservers,
            acme.dns01_recursive_only,
            acme.dns01_wait_seconds,
        )
    return CheckHttp(
        challenge.uid,
        challenge.dns_name,
        challenge.token,
        challenge.key,
        acme.http01_nameservers,
        acme.http01_passes,
        acme.http01_port,
    )
