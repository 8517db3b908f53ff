"""Credentials and signatures of Amazon's APIs.

Source: AWS documentation, "Signature Version 4", "AssumeRole", "AssumeRoleWithWebIdentity",
"container credential provider", "IMDSv2".
"""

from __future__ import annotations

import asyncio
import configparser
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from certwright import clock
from certwright.adapters.acme.transport import NoAnswerError
from certwright.adapters.dns.change import Change, ProviderError

__all__ = ["AwsCredentials", "ambient_credentials", "assume_role", "signed_headers", "sts_url"]

METADATA: Final = "http://169.254.169.254"
CONTAINER: Final = "http://169.254.170.2"
SESSION_NAME: Final = "cert-manager"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_STS_VERSION: Final = "2011-06-15"


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Who asks."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def signed_headers(
    credentials: AwsCredentials,
    method: str,
    url: str,
    body: bytes,
    *,
    service: str,
    region: str,
    now: datetime,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers of a request, signed."""
    parts = urlsplit(url)
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent |= {"host": parts.netloc, "x-amz-date": moment}
    if credentials.session_token:
        sent["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(sent))
    pairs = sorted(part.partition("=")[::2] for part in parts.query.split("&") if part)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    request = "\n".join(
        (
            method,
            quote(parts.path or "/", safe="/-_.~%"),
            query,
            *(f"{name}:{' '.join(sent[name].split())}" for name in sorted(sent)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    sent["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    del sent["host"]
    return sent


def sts_url(region: str) -> str:
    """Return where roles are assumed."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://sts.{region}.{suffix}/" if region else f"https://sts.{suffix}/"


async def assume_role(
    change: Change, credentials: AwsCredentials, role: str, region: str
) -> AwsCredentials:
    """Return credentials of a role.

    Raises:
        CertwrightError: It may not be assumed.
    """
    body = urlencode(
        {
            "Action": "AssumeRole",
            "Version": _STS_VERSION,
            "RoleArn": role,
            "RoleSessionName": SESSION_NAME,
        }
    ).encode()
    url = change.api(sts_url(region))
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    headers = signed_headers(
        credentials,
        "POST",
        url,
        body,
        service="sts",
        region=region or "us-east-1",
        now=clock.now(),
        headers=kind,
    )
    return await _from_sts(change, url, body, headers, "assume role")


async def ambient_credentials(change: Change, region: str) -> AwsCredentials:
    """Return the process's own: environment, profile, web identity, container, machine.

    Raises:
        CertwrightError: There are none.
    """
    environment = os.environ
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        return AwsCredentials(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment.get("AWS_SESSION_TOKEN", ""),
        )
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environment.get("AWS_ROLE_ARN"):
        return await _web_identity(change, region)
    if (found := await asyncio.to_thread(_from_profile)) is not None:
        return found
    if address := _container_address():
        return await _from_container(change, address)
    return await _from_machine(change)


async def _web_identity(change: Change, region: str) -> AwsCredentials:
    path = Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
    try:
        token = (await asyncio.to_thread(path.read_text)).strip()
    except OSError as error:
        raise ProviderError(f"cannot read the web identity token {path}: {error}") from error
    body = urlencode(
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": _STS_VERSION,
            "RoleArn": os.environ["AWS_ROLE_ARN"],
            "RoleSessionName": os.environ.get("AWS_ROLE_SESSION_NAME") or SESSION_NAME,
            "WebIdentityToken": token,
        }
    ).encode()
    url = change.api(sts_url(region))
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return await _from_sts(change, url, body, headers, "assume role with web identity")


async def _from_sts(
    change: Change, url: str, body: bytes, headers: Mapping[str, str], what: str
) -> AwsCredentials:
    answer = await change.call("POST", url, headers=headers, form=body)
    if answer.status >= 300:
        raise ProviderError(f"unable to {what}: {error_text(answer.body) or answer.status}")
    values = _texts(answer.body)
    try:
        return AwsCredentials(
            values["AccessKeyId"], values["SecretAccessKey"], values["SessionToken"]
        )
    except KeyError as error:
        raise ProviderError(f"unable to {what}: the answer has no {error.args[0]}") from None


def _from_profile() -> AwsCredentials | None:
    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text())
    except (OSError, configparser.Error):
        return None
    section = os.environ.get("AWS_PROFILE") or "default"
    if not parser.has_option(section, "aws_access_key_id"):
        return None
    return AwsCredentials(
        parser.get(section, "aws_access_key_id"),
        parser.get(section, "aws_secret_access_key", fallback=""),
        parser.get(section, "aws_session_token", fallback=""),
    )


def _container_address() -> str:
    if path := os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return CONTAINER + path
    return os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")


async def _from_container(change: Change, address: str) -> AwsCredentials:
    headers: dict[str, str] = {}
    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if path := os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        try:
            token = (await asyncio.to_thread(Path(path).read_text)).strip()
        except OSError as error:
            raise ProviderError(f"cannot read {path}: {error.strerror}") from error
    if token:
        headers["Authorization"] = token
    answer = await change.call("GET", change.api(address), headers=headers)
    return _from_json(answer.body if answer.status < 300 else b"", "the container")


async def _from_machine(change: Change) -> AwsCredentials:
    base = change.api(METADATA)
    try:
        life = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        token = await change.call("PUT", f"{base}/latest/api/token", headers=life)
        headers = {"X-aws-ec2-metadata-token": token.body.decode("ascii", "replace")}
        path = f"{base}/latest/meta-data/iam/security-credentials/"
        roles = await change.call("GET", path, headers=headers)
        role = roles.body.decode("ascii", "replace").split("\n")[0].strip()
        if roles.status >= 300 or not role:
            raise ProviderError("the machine has no role")
        answer = await change.call("GET", path + quote(role), headers=headers)
    except NoAnswerError as error:
        raise ProviderError(
            "found no AWS credentials in environment, profile, web identity or container, and "
            f"{error}"
        ) from error
    return _from_json(answer.body if answer.status < 300 else b"", "the machine's role")


def _from_json(body: bytes, where: str) -> AwsCredentials:
    try:
        found = json.loads(body)
        return AwsCredentials(
            str(found["AccessKeyId"]), str(found["SecretAccessKey"]), str(found.get("Token") or "")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderError(f"{where} gave no AWS credentials") from error


def error_text(body: bytes) -> str:
    """Return `CODE: message` of an error, without what differs each time; empty if it is none."""
    values = _texts(body)
    code, message = values.get("Code", ""), values.get("Message", "")
    return f"{code}: {message}"[:300] if code else ""


def _texts(body: bytes) -> dict[str, str]:
    """Return the texts of all elements of XML by their names; of several the first."""
    if b"<!" in body:  # no API of theirs has a document type, and entities are a trap
        return {}
    found: dict[str, str] = {}
    try:
        for element in ET.fromstring(body).iter():  # noqa: S314 - see above
            found.setdefault(element.tag.rpartition("}")[2], (element.text or "").strip())
    except ET.ParseError:
        return {}
    return found
