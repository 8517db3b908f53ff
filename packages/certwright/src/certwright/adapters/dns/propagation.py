"""Whether a TXT record can be seen by everybody the CA may ask.

Source: reference cert-manager.md 3.5 (Propagation).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from certwright import clock
from certwright.acme.questions import CheckDns, Done, NotYet
from certwright.adapters.dns.queries import (
    cname_target,
    name_servers_of,
    nameservers_or_default,
    txt_values,
    zone_of,
)
from certwright.resources.gotext import quote

__all__ = ["DnsCheck", "challenge_name"]

SEEN_KEPT_MAX: Final = 10_000
"""Challenges of which is known since when they are seen."""


def challenge_name(domain: str) -> str:
    """Return where the TXT record of a DNS-01 challenge is, with a dot at its end."""
    return f"_acme-challenge.{domain}."


class DnsCheck:
    """Looks at TXT records, and waits until caches elsewhere must have seen them too."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, float] = OrderedDict()

    async def check(self, question: CheckDns) -> Done | NotYet:
        """Look once.

        Raises:
            DnsError: A name server did not answer.
        """
        if question.reference not in self._seen and (why := await _look(question)):
            return NotYet(why)
        return self.wait(question.reference, question.wait_seconds)

    def wait(self, reference: str, seconds: float) -> Done | NotYet:
        """Say whether so long has passed since this was asked first."""
        since = self._seen.setdefault(reference, clock.monotonic_seconds())
        if len(self._seen) > SEEN_KEPT_MAX:
            self._seen.popitem(last=False)
        left = since + seconds - clock.monotonic_seconds()
        if left > 0:
            return NotYet("", left)
        self._seen.pop(reference, None)
        return Done()


async def _look(question: CheckDns) -> str:
    """Return who does not see the record, in cert-manager's words; empty if all do."""
    servers = nameservers_or_default(question.nameservers)
    name = await cname_target(challenge_name(question.domain), servers)
    missing = f"DNS record for {quote(question.domain)} not yet propagated"
    if question.recursive_only:
        code, texts = await txt_values(name, servers)
        return _verdict(servers[0], name, code, texts, question.key, missing)
    zone = await zone_of(name, servers)
    for server in await name_servers_of(zone, servers):
        code, texts = await txt_values(name, (server,), recursive=False)
        if why := _verdict(server, name, code, texts, question.key, missing):
            return why
    return ""


def _verdict(server: str, name: str, code: str, texts: list[str], key: str, missing: str) -> str:
    if code not in {"NOERROR", "NXDOMAIN"}:
        return f"NS {server} returned {code} for {name}"
    return "" if key in texts else missing
