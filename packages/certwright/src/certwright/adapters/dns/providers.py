"""DNS-01 by provider: where the record goes, and who puts it there.

Source: reference cert-manager.md 3.5 (providers).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from certwright.acme.questions import Done, NotYet, PresentDns
from certwright.adapters.acme.transport import Transport
from certwright.adapters.dns.acme_dns import change_by_acme_dns
from certwright.adapters.dns.akamai import change_by_akamai
from certwright.adapters.dns.azure import change_by_azure
from certwright.adapters.dns.change import Change, ProviderError, WebhookCall
from certwright.adapters.dns.cloudflare import change_by_cloudflare
from certwright.adapters.dns.digital_ocean import change_by_digital_ocean
from certwright.adapters.dns.google import change_by_google
from certwright.adapters.dns.propagation import challenge_name
from certwright.adapters.dns.queries import cname_target, nameservers_or_default
from certwright.adapters.dns.rfc2136 import change_by_update
from certwright.adapters.dns.route53 import change_by_route53
from certwright.adapters.dns.webhook import change_by_webhook

__all__ = ["DnsProviders", "WebhookCall"]

Provider: TypeAlias = Callable[[Change], Awaitable[None]]

_PROVIDERS: Final[dict[str, Provider]] = {
    "acmeDNS": change_by_acme_dns,
    "akamai": change_by_akamai,
    "azureDNS": change_by_azure,
    "cloudDNS": change_by_google,
    "cloudflare": change_by_cloudflare,
    "digitalocean": change_by_digital_ocean,
    "rfc2136": change_by_update,
    "route53": change_by_route53,
    "webhook": change_by_webhook,
}
"""By the field of `dns01`."""


class DnsProviders:
    """Puts TXT records in place and takes them away."""

    def __init__(
        self,
        transport: Transport,
        webhook: WebhookCall | None = None,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            transport: Sends requests to providers.
            webhook: Calls the API server for solvers of others; None where there is none.
            hosts: Base URLs that stand in for hosts of APIs.
        """
        self._hosts = dict(hosts or {})
        self._transport = transport
        self._webhook = webhook

    async def change(self, question: PresentDns) -> Done | NotYet:
        """Do what is asked.

        Raises:
            CertwrightError: It could not be done; the text says why.
        """
        servers = nameservers_or_default(question.nameservers)
        name = challenge_name(question.domain)
        if question.follow_cnames:
            name = await cname_target(name, servers)
        provider = _PROVIDERS.get(question.solver.type)
        if provider is None:
            raise ProviderError(f"there is no provider {question.solver.type} in this version")
        await provider(
            Change(
                is_present=question.action == "Present",
                solver=question.solver,
                uid=question.uid,
                domain=question.domain,
                name=name,
                value=question.key,
                nameservers=servers,
                transport=self._transport,
                webhook=self._webhook,
                hosts=self._hosts,
            )
        )
        return Done()
