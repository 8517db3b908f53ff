"""Amazon Route 53.

Source: AWS documentation, "Route 53 API reference" (2013-04-01); reference cert-manager.md 3.5.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from certwright import clock
from certwright.adapters.acme.transport import Answer
from certwright.adapters.dns.aws import (
    AwsCredentials,
    ambient_credentials,
    assume_role,
    error_text,
    signed_headers,
)
from certwright.adapters.dns.change import Change, ProviderError

__all__ = ["change_by_route53"]

TTL_SECONDS: Final = 10
_XMLNS: Final = "https://route53.amazonaws.com/doc/2013-04-01/"
_API: Final = "https://route53.amazonaws.com"
_API_CHINA: Final = "https://route53.amazonaws.com.cn"


async def change_by_route53(change: Change) -> None:
    """Add our text as a record of its own among several of that name, or take it out.

    Whether Amazon's servers all have it is seen by the self-check; cert-manager asks its API.

    Raises:
        CertwrightError: The API did not do it.
    """
    credentials = await _credentials(change)
    zone = change.setting("hostedZoneID") or await _zone_id(change, credentials)
    action = "UPSERT" if change.is_present else "DELETE"
    path = f"/2013-04-01/hostedzone/{zone.removeprefix('/hostedzone/')}/rrset/"
    answer = await _call(change, credentials, "POST", path, _batch(change, action))
    if answer.status < 300:
        return
    text = error_text(answer.body)
    if not change.is_present and text.startswith("InvalidChangeBatch"):
        return  # it is gone already
    raise ProviderError(f"failed to change Route 53 record set: {text or answer.status}")


def _batch(change: Change, action: str) -> bytes:
    value = escape(f'"{change.value}"')
    return (
        f'<ChangeResourceRecordSetsRequest xmlns="{_XMLNS}"><ChangeBatch>'
        "<Comment>Managed by cert-manager</Comment><Changes><Change>"
        f"<Action>{action}</Action><ResourceRecordSet><Name>{escape(change.name)}</Name>"
        f"<Type>TXT</Type><SetIdentifier>{value}</SetIdentifier>"
        f"<MultiValueAnswer>true</MultiValueAnswer><TTL>{TTL_SECONDS}</TTL>"
        f"<ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord>"
        "</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>"
        "</ChangeResourceRecordSetsRequest>"
    ).encode()


async def _zone_id(change: Change, credentials: AwsCredentials) -> str:
    """Return the id of the longest public zone that the name is in."""
    zone = await change.zone()
    query = urlencode({"dnsname": zone.rstrip(".")})
    answer = await _call(change, credentials, "GET", f"/2013-04-01/hostedzonesbyname?{query}")
    if answer.status >= 300:
        text = error_text(answer.body) or str(answer.status)
        raise ProviderError(f"failed to determine Route 53 hosted zone ID: {text}")
    best = ("", "")
    for name, zone_id, is_private in _zones(answer.body):
        is_within = change.name == name or change.name.endswith(f".{name}")
        if not is_private and is_within and len(name) > len(best[0]):
            best = (name, zone_id)
    if not best[1]:
        raise ProviderError(f"zone {zone} not found in Route 53 for domain {change.name}")
    return best[1]


def _zones(body: bytes) -> list[tuple[str, str, bool]]:
    """Return (name, id, whether it is private) of each zone in an answer."""
    if b"<!" in body:
        return []
    names = {"n": _XMLNS}
    try:
        root = ET.fromstring(body)  # noqa: S314 - a document type was refused above
    except ET.ParseError as error:
        raise ProviderError(f"Route 53 answered what is no XML: {error}") from error
    return [
        (
            zone.findtext("n:Name", "", names),
            zone.findtext("n:Id", "", names),
            zone.findtext("n:Config/n:PrivateZone", "false", names) == "true",
        )
        for zone in root.iterfind("n:HostedZones/n:HostedZone", names)
    ]


async def _credentials(change: Change) -> AwsCredentials:
    has_secret = "secretAccessKeySecretRef" in change.solver.secrets
    access_key = change.setting("accessKeyID").strip()
    if "accessKeyIDSecretRef" in change.solver.secrets:
        access_key = change.secret("accessKeyIDSecretRef")
    region = change.setting("region")
    if access_key and has_secret:
        credentials = AwsCredentials(access_key, change.secret("secretAccessKeySecretRef"))
    elif access_key or has_secret:
        raise ProviderError(
            "unable to construct route53 provider: only one of access and secret key was provided"
        )
    elif not change.solver.may_be_ambient:
        raise ProviderError(
            "unable to construct route53 provider: empty credentials; perhaps you meant to enable "
            "ambient credentials?"
        )
    else:
        credentials = await ambient_credentials(change, region)
    role = change.setting("role")
    return await assume_role(change, credentials, role, region) if role else credentials


async def _call(
    change: Change, credentials: AwsCredentials, method: str, path: str, body: bytes = b""
) -> Answer:
    is_chinese = change.setting("region").startswith("cn-")
    url = change.api(_API_CHINA if is_chinese else _API) + path
    headers = signed_headers(
        credentials,
        method,
        url,
        body,
        service="route53",
        region="cn-northwest-1" if is_chinese else "us-east-1",
        now=clock.now(),
        headers={"Content-Type": "application/xml"} if body else {},
    )
    return await change.call(method, url, headers=headers, form=body or None)
