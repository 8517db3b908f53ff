"""Flags of ACME that the controller and standalone have in common."""

from __future__ import annotations

from typing import Any

import click

from certwright.cli.options import GoBool, GoDuration, GoList

__all__ = ["check_options", "renewal_option"]


def check_options(command: Any) -> Any:
    """Add the flags of self-checks and name servers."""
    for decorate in reversed(
        (
            click.option(
                "--acme-http01-solver-nameservers",
                type=GoList(),
                multiple=True,
                help="HOST:PORT of name servers for self-checks of HTTP-01."
                "  [default: the machine's]",
            ),
            click.option(
                "--dns01-recursive-nameservers",
                type=GoList(),
                multiple=True,
                help="HOST:PORT, or https://..., of name servers for DNS-01."
                "  [default: the machine's]",
            ),
            click.option(
                "--dns01-recursive-nameservers-only",
                type=GoBool(),
                default=False,
                show_default=True,
                help="Ask only those whether a TXT record can be seen, not the zone's own.",
            ),
            click.option(
                "--dns01-check-retry-period",
                type=GoDuration(),
                default="10s",
                show_default=True,
                help="How long between two self-checks, of HTTP-01 too.",
            ),
            click.option(
                "--dns01-propagation-wait",
                type=GoDuration(),
                default="60s",
                show_default=True,
                help="How long to wait after a TXT record was seen: caches elsewhere.",
            ),
            click.option(
                "--acme-self-check",
                type=GoBool(),
                default=True,
                show_default=True,
                help="Whether an answer must be seen from here before the CA is asked.",
            ),
        )
    ):
        command = decorate(command)
    return command


def renewal_option(command: Any) -> Any:
    """Add the flag that spreads renewals."""
    return click.option(
        "--renewal-spread",
        type=click.FloatRange(0.0, 0.9),
        default=0.0,
        show_default=True,
        help="Renew earlier by up to this part of the time that would be left, each certificate at "
        "a moment of its own, so that thousands do not renew together.",
    )(command)
