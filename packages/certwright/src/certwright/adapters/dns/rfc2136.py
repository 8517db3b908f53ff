"""Dynamic updates of a name server.

Source: RFC 2136, 8945; reference cert-manager.md 3.5 (rfc2136).
"""

from __future__ import annotations

import binascii
from typing import Final

import dns.asyncquery
import dns.exception
import dns.name
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update

from certwright.adapters.dns.change import Change, ProviderError
from certwright.adapters.dns.queries import server_address

__all__ = ["change_by_update"]

TTL_SECONDS: Final = 60
UPDATE_SECONDS_MAX: Final = 10.0
_ALGORITHMS: Final = {
    "": dns.tsig.HMAC_MD5,
    "HMACMD5": dns.tsig.HMAC_MD5,
    "HMACSHA1": dns.tsig.HMAC_SHA1,
    "HMACSHA256": dns.tsig.HMAC_SHA256,
    "HMACSHA512": dns.tsig.HMAC_SHA512,
}


async def change_by_update(change: Change) -> None:
    """Send one update: only our own text comes or goes.

    Raises:
        CertwrightError: The server did not do it.
    """
    zone = await change.zone()
    update = dns.update.UpdateMessage(zone)
    _sign(update, change)
    name = dns.name.from_text(change.name)
    if change.is_present:
        update.add(name, TTL_SECONDS, "TXT", change.value)
    else:
        update.delete(name, "TXT", change.value)
    host, port = await server_address(change.setting("nameserver"))
    try:
        answer, _ = await dns.asyncquery.udp_with_fallback(
            update, host, port=port, timeout=UPDATE_SECONDS_MAX
        )
    except (dns.exception.DNSException, OSError, TimeoutError) as error:
        cause = str(error) or type(error).__name__
        raise ProviderError(f"DNS update failed: {cause}") from error
    if answer.rcode() != dns.rcode.NOERROR:
        code = dns.rcode.to_text(answer.rcode())
        raise ProviderError(f"DNS update failed. Server replied: {code}")


def _sign(update: dns.update.UpdateMessage, change: Change) -> None:
    """Have the update signed, if a key is named."""
    name = change.setting("tsigKeyName")
    if not name or "tsigSecretSecretRef" not in change.solver.secrets:
        return
    algorithm = change.setting("tsigAlgorithm")
    found = _ALGORITHMS.get(algorithm.upper())
    if found is None:
        raise ProviderError(f"algorithm '{algorithm}' is not supported")
    try:
        keyring = dns.tsigkeyring.from_text({name: change.secret("tsigSecretSecretRef")})
    except (binascii.Error, dns.exception.DNSException, ValueError) as error:
        raise ProviderError(f"the TSIG key is not base64: {error}") from error
    update.use_tsig(keyring, algorithm=found)
