"""Questions to name servers: CNAMEs, zones, TXT and CAA records; over UDP, TCP or HTTPS.

Source: reference cert-manager.md 3.5 (DNS-01, nameservers); RFC 8484 (`https://` name servers, as
later versions of cert-manager take them).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from certwright.errors import CertwrightError

__all__ = [
    "DnsError",
    "addresses_of",
    "ask",
    "ask_over_https",
    "cname_target",
    "name_servers_of",
    "nameservers_or_default",
    "server_address",
    "txt_values",
    "zone_of",
]

QUERY_SECONDS_MAX: Final = 10.0
CNAMES_MAX: Final = 50
"""Source: cert-manager v1.12.2 pkg/issuer/acme/dns/util (a chain that is longer is a loop)."""
_PUBLIC: Final = ("8.8.8.8:53", "8.8.4.4:53")
_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_PAYLOAD_BYTES: Final = 4096


class DnsError(CertwrightError):
    """A name server did not answer, or not with what was asked for."""


def nameservers_or_default(nameservers: Sequence[str]) -> tuple[str, ...]:
    """Return those given, else the machine's, else two public ones."""
    if nameservers:
        return tuple(nameservers)
    found: list[str] = []
    try:
        for line in _RESOLV_CONF.read_text().splitlines():
            word, _, rest = line.strip().partition(" ")
            if word == "nameserver" and rest.strip():
                address = rest.split()[0]
                found.append(f"[{address}]:53" if ":" in address else f"{address}:53")
    except OSError:
        pass
    return tuple(found) or _PUBLIC


async def ask(
    name: str, kind: str, nameservers: Sequence[str], *, recursive: bool = True
) -> dns.message.Message:
    """Return the first answer that any of the servers gives.

    Raises:
        DnsError: None answered.
    """
    query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD_BYTES)
    if not recursive:
        query.flags &= ~dns.flags.RD
    last = "there is no name server to ask"
    for server in nameservers:
        try:
            return await _exchange(query, server)
        except (dns.exception.DNSException, OSError, TimeoutError, ValueError) as error:
            cause = "it took too long" if isinstance(error, TimeoutError) else str(error)
            last = f"{server} did not answer for {name}: {cause or type(error).__name__}"
    raise DnsError(last)


async def _exchange(query: dns.message.Message, server: str) -> dns.message.Message:
    if server.startswith("https://"):
        return await ask_over_https(query, server)
    host, port = await server_address(server)
    answer, _ = await dns.asyncquery.udp_with_fallback(
        query, host, port=port, timeout=QUERY_SECONDS_MAX
    )
    return answer


async def ask_over_https(query: dns.message.Message, url: str) -> dns.message.Message:
    """Return the answer of a name server behind a URL.

    Raises:
        DnsError: It says no.
        OSError: It says nothing.
    """
    headers = {
        "Content-Type": "application/dns-message",
        "Accept": "application/dns-message",
    }
    timeout = aiohttp.ClientTimeout(total=QUERY_SECONDS_MAX)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(url, data=query.to_wire(), headers=headers) as response,
        ):
            if response.status != 200:
                raise DnsError(f"{url} answered {response.status}")
            return dns.message.from_wire(await response.content.read(65_536))
    except aiohttp.ClientError as error:
        raise OSError(str(error)) from error


async def server_address(server: str) -> tuple[str, int]:
    """Return address and port of `HOST[:PORT]`.

    Raises:
        OSError: The host has no address.
    """
    host, port = _split(server)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
        host = str(found[0][4][0])
    return host, port


def _split(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if colon and port.isdecimal() and (host.startswith("[") or ":" not in host):
        return host.strip("[]"), int(port)
    return server.strip("[]"), 53


async def cname_target(name: str, nameservers: Sequence[str]) -> str:
    """Return where a chain of CNAMEs ends: `name` itself if there is none.

    Raises:
        DnsError: Nobody answers, or it is a loop.
    """
    here = dns.name.from_text(name)
    for _ in range(CNAMES_MAX):
        answer = await ask(str(here), "CNAME", nameservers)
        target = next(
            (
                item.target
                for found in answer.answer
                if found.rdtype == dns.rdatatype.CNAME and found.name == here
                for item in found
            ),
            None,
        )
        if target is None:
            return str(here)
        here = target
    raise DnsError(f"the chain of CNAMEs that starts at {name} does not end")


async def zone_of(name: str, nameservers: Sequence[str]) -> str:
    """Return the zone that a name is in, with a dot at its end.

    Raises:
        DnsError: Nobody answers, or no name server knows a zone.
    """
    here = dns.name.from_text(name)
    while here != dns.name.root:
        answer = await ask(str(here), "SOA", nameservers)
        if answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            # Under a CNAME lies another zone; the name itself is in none of its own.
            is_alias = any(found.rdtype == dns.rdatatype.CNAME for found in answer.answer)
            for found in answer.answer:
                if found.rdtype == dns.rdatatype.SOA and not is_alias and found.name == here:
                    return str(found.name)
        else:
            raise DnsError(
                f"could not find the start of authority for {name}: the name servers answer "
                f"{dns.rcode.to_text(answer.rcode())} for {here}"
            )
        here = here.parent()
    raise DnsError(f"could not find the start of authority for {name}")


async def name_servers_of(zone: str, nameservers: Sequence[str]) -> tuple[str, ...]:
    """Return `host:53` of the servers that have a zone.

    Raises:
        DnsError: Nobody answers, or there are none.
    """
    answer = await ask(zone, "NS", nameservers)
    hosts = sorted(
        str(item.target)
        for found in answer.answer
        if found.rdtype == dns.rdatatype.NS
        for item in found
    )
    if not hosts:
        raise DnsError(f"could not determine authoritative nameservers for {zone}")
    return tuple(f"{host.rstrip('.')}:53" for host in hosts)


async def txt_values(
    name: str, nameservers: Sequence[str], *, recursive: bool = True
) -> tuple[str, list[str]]:
    """Return the code of the answer, such as NOERROR, and the texts, each joined.

    Raises:
        DnsError: Nobody answers.
    """
    answer = await ask(name, "TXT", nameservers, recursive=recursive)
    texts = [
        b"".join(item.strings).decode(errors="replace")
        for found in answer.answer
        if found.rdtype == dns.rdatatype.TXT
        for item in found
    ]
    return dns.rcode.to_text(answer.rcode()), texts


async def addresses_of(host: str, nameservers: Sequence[str]) -> list[str]:
    """Return the addresses of a host, IPv4 first.

    Raises:
        DnsError: Nobody answers.
    """
    found: list[str] = []
    for kind in ("A", "AAAA"):
        answer = await ask(host, kind, nameservers)
        found += [
            str(item.address)
            for records in answer.answer
            if records.rdtype == dns.rdatatype.from_text(kind)
            for item in records
        ]
    return found
