"""What a provider is told: a TXT record to put in place, or to take away."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from certwright.acme.questions import SolverConfig
from certwright.adapters.acme.transport import Answer, NoAnswerError, Transport
from certwright.adapters.dns.queries import zone_of
from certwright.errors import CertwrightError

__all__ = ["Change", "ProviderError", "WebhookCall"]

SHOWN_CHARACTERS_MAX: Final = 300
"""Of what a provider says about an error."""
CALL_SECONDS_MAX: Final = 30.0

WebhookCall: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""(path below the API server, body) → its answer, JSON. Raises `CertwrightError`."""


class ProviderError(CertwrightError):
    """A provider did not do it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one TXT record."""

    is_present: bool
    """Whether it is to be there; else it is to go."""
    solver: SolverConfig
    uid: str
    """Of the Challenge."""
    domain: str
    """What is proven, without `_acme-challenge.`"""
    name: str
    """The record's, CNAMEs followed if they are to be, with a dot at its end."""
    value: str
    nameservers: tuple[str, ...]
    transport: Transport
    webhook: WebhookCall | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Base URLs that stand in for hosts of APIs: private endpoints, and tests."""

    def setting(self, field: str) -> str:
        """Return a text of the solver's configuration; empty if it is absent."""
        return str(self.solver.config.get(field) or "")

    def secret(self, field: str) -> str:
        """Return the value of a Secret that a field refers to, without white space around it.

        Raises:
            ProviderError: It is absent or no text.
        """
        value = self.solver.secrets.get(field)
        if value is None:
            raise ProviderError(f"{self.solver.type} has no {field}")
        try:
            return value.decode("ascii").strip()
        except ValueError:
            raise ProviderError(f"the value of {field} is no ASCII text") from None

    def api(self, url: str) -> str:
        """Return where an API is: `url`, or what the process was told to use in its place."""
        rest = url.partition("://")[2]
        host, slash, path = rest.partition("/")
        own = self.hosts.get(host)
        return url if own is None else f"{own}{slash}{path}"

    async def zone(self) -> str:
        """Return the zone of the record, with a dot at its end.

        Raises:
            DnsError: It cannot be found.
        """
        return await zone_of(self.name, self.nameservers)

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any | None = None,
        form: bytes | None = None,
    ) -> Answer:
        """Return the answer of an HTTP API, whatever its status.

        Raises:
            NoAnswerError: There was none.
        """
        sent = dict(headers or {})
        data = form
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            sent["Content-Type"] = "application/json"
        return await self.transport.send(
            method, url, headers=sent, body=data, seconds_max=CALL_SECONDS_MAX
        )

    def decoded(self, answer: Answer, what: str) -> Any:
        """Return the JSON of an answer that is good.

        Raises:
            ProviderError: It is not good.
        """
        if answer.status >= 300:
            said = answer.body.decode(errors="replace")
            said = " ".join(said.split())[:SHOWN_CHARACTERS_MAX]
            raise ProviderError(f"{self.solver.type}: {what} failed with {answer.status}: {said}")
        if not answer.body:
            return {}
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise NoAnswerError(f"{self.solver.type}: {what}: the answer is no JSON") from None
