"""The world outside the store, as loops ask it: CAs, web servers, name servers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from certwright import clock
from certwright.acme.questions import (
    CheckDns,
    CheckHttp,
    CleanUpDns,
    CleanUpToken,
    JustWait,
    NotYet,
    PresentDns,
    PresentToken,
    ValidateCaa,
)
from certwright.adapters.acme.client import AcmeClient
from certwright.adapters.acme.http01 import HttpAnswers, HttpCheck, NoAnswers
from certwright.adapters.acme.transport import Observe, Transport, no_metrics
from certwright.adapters.dns.caa import validate_caa
from certwright.adapters.dns.propagation import DnsCheck
from certwright.adapters.dns.providers import DnsProviders, WebhookCall
from certwright.adapters.vault import VaultClient
from certwright.adapters.venafi import VenafiClient
from certwright.errors import CertwrightError
from certwright.issuers.vault_questions import CheckVault, SignByVault
from certwright.issuers.venafi_questions import VenafiQuestion

__all__ = ["RealWorld"]


def _unobserved(_call: str, _seconds: float) -> None:
    """Count nothing."""


class RealWorld:
    """Answers what loops ask. An async context: sockets are closed at its end."""

    def __init__(
        self,
        *,
        answers: HttpAnswers | None = None,
        webhook: WebhookCall | None = None,
        observe: Observe = no_metrics,
        observe_venafi: Callable[[str, float], None] = _unobserved,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """Prepare.

        Args:
            answers: How this process answers HTTP-01 challenges by itself.
            webhook: Posts to the API server: to solvers of others, and for tokens.
            observe: Is told of every request to a CA.
            observe_venafi: Is told of every call of Venafi's APIs and its seconds.
            now: Tells the time.
        """
        self._transport = Transport(observe)
        self._plain = Transport()
        self._client = AcmeClient(self._transport, now)
        self._answers = answers or NoAnswers()
        self._http = HttpCheck()
        self._dns = DnsCheck()
        self._vault = VaultClient(self._plain, webhook)
        self._venafi = VenafiClient(self._plain, observe_venafi)
        self._providers = DnsProviders(self._plain, webhook)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)
        await self._plain.__aexit__(kind, error, traceback)

    async def answer(self, question: Any, /) -> Any:
        """Return the answer that the question's docstring names."""
        if self._client.handles(question):
            return await self._client.answer(question)
        if isinstance(question, CheckVault | SignByVault):
            return await self._vault.answer(question)
        if isinstance(question, VenafiQuestion):
            return await self._venafi.answer(question)
        try:
            return await self._solve(question)
        except CertwrightError as error:
            return NotYet(str(error))

    async def _solve(self, question: Any) -> Any:
        match question:
            case CheckHttp():
                return await self._http.check(question)
            case CheckDns():
                return await self._dns.check(question)
            case JustWait():
                return self._dns.wait(question.reference, question.seconds)
            case PresentToken():
                return await self._answers.present(question)
            case CleanUpToken():
                return await self._answers.clean_up(question)
            case PresentDns() | CleanUpDns():
                return await self._providers.change(question)
            case ValidateCaa():
                directory = await self._client.directory(question.server)
                return await validate_caa(question, directory.caa_identities)
            case _:
                raise LookupError(f"nobody answers {type(question).__name__}")
