"""Providers of DNS-01 against servers with their documented APIs.

What is sent is compared with what the vendors' own SDKs send for the same call:
`golden/sdk_requests.json`, recorded by `golden/record_sdks.py.txt`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web

from certwright.acme.questions import CleanUpDns, Done, NotYet, PresentDns, SolverConfig
from certwright.adapters.acme.transport import Transport
from certwright.adapters.dns.akamai import edgegrid_header
from certwright.adapters.dns.aws import AwsCredentials, signed_headers
from certwright.adapters.dns.providers import DnsProviders
from certwright.errors import CertwrightError
from certwright.pki.keys import encode_private_key_pkcs8, generate_private_key
from certwright_testing.bind import Bind, missing_bind

pytestmark = pytest.mark.skipif(bool(missing_bind()), reason=missing_bind())
GOLDEN = json.loads((Path(__file__).parent / "golden/sdk_requests.json").read_text())
DOMAIN, NAME, VALUE = (
    "www.example.com",
    "_acme-challenge.www.example.com.",
    "text-of-the-challenge",
)
Script = Callable[["Seen"], tuple[int, Any]]
"""What the server answers: status, and JSON or text."""


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    path: str
    body: str
    headers: dict[str, str]

    @property
    def call(self) -> tuple[str, str, dict[str, str]]:
        """Method, path, and query in any order."""
        parts = urlsplit(self.path)
        return self.method, parts.path, dict(parse_qsl(parts.query))


def golden(entry: dict[str, Any]) -> Seen:
    """Return what an SDK sent."""
    return Seen(entry["method"], entry["path"], entry["body"], entry.get("headers", {}))


@dataclass
class Api:
    """A server that answers by a script."""

    script: Script
    url: str = ""
    seen: list[Seen] = field(default_factory=list)


@asynccontextmanager
async def api(script: Script) -> AsyncIterator[Api]:
    """Serve on the loopback."""
    served = Api(script)

    async def answer(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path_qs, await request.text(), headers)
        served.seen.append(seen)
        status, found = script(seen)
        if isinstance(found, str):
            return web.Response(status=status, text=found)
        return web.json_response(found, status=status)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """Yield a server that knows the zone."""
    with Bind(tmp_path_factory.mktemp("bind")) as started:
        yield started


HOSTS = (
    "api.cloudflare.com",
    "api.digitalocean.com",
    "edge.luna.example",
    "login.microsoftonline.com",
    "management.azure.com",
    "169.254.169.254",
    "169.254.170.2",
    "dns.googleapis.com",
    "oauth2.googleapis.com",
    "metadata.google.internal",
    "route53.amazonaws.com",
    "sts.eu-west-1.amazonaws.com",
)


async def change(
    served: Api, bind: Bind, solver: SolverConfig, *, add: bool, value: str = VALUE
) -> Done | NotYet:
    """Make one change; an error is its text."""
    kind = PresentDns if add else CleanUpDns
    question = kind(
        solver=solver,
        uid="u",
        domain=DOMAIN,
        key=value,
        follow_cnames=False,
        nameservers=(bind.address,),
    )
    async with Transport() as transport:
        providers = DnsProviders(transport, hosts=dict.fromkeys(HOSTS, served.url))
        try:
            return await providers.change(question)
        except CertwrightError as error:
            return NotYet(str(error))


# ------------------------------------------------------------------------------ signatures


@pytest.mark.parametrize("case", GOLDEN["aws_signatures"], ids=lambda case: case["url"])
def test_amazons_signatures_are_botocores(case: dict[str, Any]) -> None:
    """Header by header."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    credentials = AwsCredentials("AKID", "s3cr3t/+", case["token"] or "")
    found = signed_headers(
        credentials,
        case["method"],
        case["url"],
        case["body"].encode(),
        service=case["service"],
        region=case["region"],
        now=now,
        headers=case["headers"],
    )

    assert found == {name.lower(): value for name, value in case["signed"].items()}


@pytest.mark.parametrize("case", GOLDEN["edgegrid"], ids=lambda case: case["method"])
def test_akamais_signatures_are_edgegrids(case: dict[str, Any]) -> None:
    """Bodies count only with POST."""
    found = edgegrid_header(
        case["method"],
        case["url"],
        case["body"].encode(),
        client_token="ct",
        client_secret="cs",
        access_token="at",
        timestamp=case["timestamp"],
        nonce=case["nonce"],
    )

    assert found == case["header"]


# ------------------------------------------------------------------------------ Amazon


def route53(**config: Any) -> SolverConfig:
    """Return a solver with keys."""
    found = {"region": "eu-west-1", "accessKeyID": "AKID", **config}
    return SolverConfig("route53", found, {"secretAccessKeySecretRef": b" secret\n"})


def xml_of(text: str) -> Any:
    """Return XML as nested lists, whatever the order of fields."""

    def read(element: ET.Element) -> Any:
        children = sorted(read(child) for child in element)
        return element.tag, (element.text or "").strip(), tuple(children)

    return read(ET.fromstring(text))  # noqa: S314 - ours, and botocore's


async def test_route53_sends_what_botocore_sends(bind: Bind) -> None:
    """Zone by name, then a record of its own; a record that is gone is no error."""
    zones = (
        '<ListHostedZonesByNameResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
        "<HostedZones>{}</HostedZones></ListHostedZonesByNameResponse>"
    )
    zone = (
        "<HostedZone><Id>/hostedzone/{}</Id><Name>{}</Name><Config><PrivateZone>{}</PrivateZone>"
        "</Config></HostedZone>"
    )
    listed = zones.format(
        zone.format("P", "www.example.com.", "true")
        + zone.format("Z1", "example.com.", "false")
        + zone.format("Z0", "com.", "false")
    )
    gone = (
        "<ErrorResponse><Error><Code>InvalidChangeBatch</Code><Message>not found</Message></Error>"
        "<RequestId>differs</RequestId></ErrorResponse>"
    )

    def script(seen: Seen) -> tuple[int, Any]:
        if seen.method == "GET":
            return 200, listed
        return (400, gone) if "DELETE" in seen.body else (200, "<ok/>")

    async with api(script) as served:
        assert await change(served, bind, route53(), add=True) == Done()
        assert await change(served, bind, route53(), add=False) == Done()
        listing, upsert, _, delete = served.seen

    expected = [golden(entry) for entry in GOLDEN["route53"]]
    assert listing.call == expected[0].call
    for ours, theirs in ((upsert, expected[1]), (delete, expected[2])):
        assert ours.call == theirs.call
        assert xml_of(ours.body) == xml_of(theirs.body)
        assert ours.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
        assert "/us-east-1/route53/aws4_request" in ours.headers["authorization"]


async def test_route53_says_why_not(bind: Bind) -> None:
    """Code and message, without what differs each time."""
    denied = (
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    )
    async with api(lambda _: (403, denied)) as served:
        answer = await change(served, bind, route53(hostedZoneID="Z1"), add=True)

    assert answer == NotYet("failed to change Route 53 record set: AccessDenied: not you")


STS = (
    "<R><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
    "<SessionToken>TOKEN</SessionToken></Credentials></R>"
)


async def test_route53_assumes_a_role(bind: Bind) -> None:
    """As botocore asks for it; what follows is signed by the role."""
    solver = route53(hostedZoneID="Z1", role="arn:aws:iam::1:role/dns")
    async with api(lambda seen: (200, STS if seen.path == "/" else "<ok/>")) as served:
        assert await change(served, bind, solver, add=True) == Done()
        assumed, upsert = served.seen

    theirs = golden(GOLDEN["sts"][0])
    assert dict(parse_qsl(assumed.body)) == dict(parse_qsl(theirs.body))
    assert "/eu-west-1/sts/aws4_request" in assumed.headers["authorization"]
    assert "Credential=ROLE/" in upsert.headers["authorization"]
    assert upsert.headers["x-amz-security-token"] == "TOKEN"


def furnish(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put credentials in place."""
    if way == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ROLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    if way == "web identity":
        (tmp_path / "token").write_text("jwt.jwt\n")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/dns")
    if way == "profile":
        (tmp_path / "credentials").write_text(
            "[default]\naws_access_key_id = ROLE\naws_secret_access_key = S%\n"
        )
    if way == "container":
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/container")


@pytest.mark.parametrize(
    "way", ["environment", "web identity", "profile", "container", "machine", "nothing"]
)
async def test_route53_finds_the_processs_own_credentials(
    bind: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """In the SDKs' order; only if the issuer may."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    found = {"AccessKeyId": "ROLE", "SecretAccessKey": "S", "Token": "TOKEN"}

    def script(seen: Seen) -> tuple[int, Any]:
        if seen.path.endswith("/latest/api/token"):
            return 200, "imds"
        if seen.path.endswith("/security-credentials/"):
            return (404, "") if way == "nothing" else (200, "my-role")
        if seen.path.endswith(("/my-role", "/container")):
            return 200, found
        return 200, STS if seen.path == "/" else "<ok/>"

    furnish(way, tmp_path, monkeypatch)
    config = {"region": "eu-west-1", "hostedZoneID": "Z1"}
    async with api(script) as served:
        refused = await change(served, bind, SolverConfig("route53", config), add=True)
        assert isinstance(refused, NotYet)
        assert "empty credentials" in refused.reason
        solver = SolverConfig("route53", config, may_be_ambient=True)
        answer = await change(served, bind, solver, add=True)

    if way == "nothing":
        assert answer == NotYet("the machine has no role")
        return
    assert answer == Done()
    assert "Credential=ROLE/" in served.seen[-1].headers["authorization"]
    if way == "web identity":
        theirs = golden(GOLDEN["sts"][1])
        assert dict(parse_qsl(served.seen[0].body)) == dict(parse_qsl(theirs.body))
    if way == "machine":
        assert served.seen[1].headers["x-aws-ec2-metadata-token"] == "imds"


# ------------------------------------------------------------------------------ Microsoft


AZURE = {
    "subscriptionID": "sub",
    "resourceGroupName": "group",
    "hostedZoneName": "example.com",
    "tenantID": "tenant",
    "clientID": "client",
}
SECRET = {"clientSecretSecretRef": b"secret"}


def azure_script(records: list[Any]) -> Script:
    """Return an API that keeps one record set."""

    def script(seen: Seen) -> tuple[int, Any]:
        if "oauth2" in seen.path:
            return 200, {"access_token": "azure-token", "expires_in": 0}
        if seen.method == "PUT":
            records[:] = json.loads(seen.body)["properties"]["TXTRecords"]
        if seen.method == "DELETE":
            records.clear()
        if seen.method == "GET" and not records:
            return 404, {"code": "NotFound"}
        return 200, {"etag": "e", "properties": {"TTL": 60, "TXTRecords": records}}

    return script


async def test_azure_sends_what_its_sdk_sends(bind: Bind) -> None:
    """Token, record set, guard; the text of another challenge stays."""
    records: list[Any] = []
    solver = SolverConfig("azureDNS", AZURE, SECRET)
    async with api(azure_script(records)) as served:
        assert await change(served, bind, solver, add=True) == Done()
        assert await change(served, bind, solver, add=True, value="other") == Done()
        assert [entry["value"] for entry in records] == [[VALUE], ["other"]]
        assert await change(served, bind, solver, add=False) == Done()
        assert [entry["value"] for entry in records] == [["other"]]
        assert await change(served, bind, solver, add=False, value="other") == Done()
        assert records == []
        token, *calls = served.seen

    assert token.path == "/tenant/oauth2/v2.0/token"
    assert dict(parse_qsl(token.body)) == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "client_secret": "secret",
        "scope": "https://management.azure.com/.default",
    }
    calls = [seen for seen in calls if "oauth2" not in seen.path]
    put, get, delete = (golden(entry) for entry in GOLDEN["azure"])
    assert calls[0].call == get.call
    assert calls[1].call == put.call
    assert json.loads(calls[1].body) == json.loads(put.body)
    assert calls[-1].call == delete.call
    for ours, theirs in ((calls[1], put), (calls[-1], delete)):
        for name in ("if-match", "if-none-match", "authorization"):
            assert ours.headers.get(name) == theirs.headers.get(name)


async def test_azure_by_identity(
    bind: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workload's token from its file, else the machine's, of the identity that is named."""
    config = {**AZURE, "clientID": "", "managedIdentity": {"clientID": "mine"}}
    solver = SolverConfig("azureDNS", config, may_be_ambient=True)
    async with api(azure_script([])) as served:
        refused = await change(served, bind, SolverConfig("azureDNS", config), add=True)
        assert isinstance(refused, NotYet)
        assert "These are necessary to enable Azure Managed Identities" in refused.reason
        await change(served, bind, solver, add=True)
        machine = served.seen[0]
        (tmp_path / "token").write_text("assertion\n")
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AZURE_TENANT_ID", "their-tenant")
        served.seen.clear()
        await change(served, bind, solver, add=True)
        workload = served.seen[0]

    assert machine.call == (
        "GET",
        "/metadata/identity/oauth2/token",
        {
            "api-version": "2018-02-01",
            "resource": "https://management.azure.com",
            "client_id": "mine",
        },
    )
    assert machine.headers["metadata"] == "true"
    assert workload.path == "/their-tenant/oauth2/v2.0/token"
    assert dict(parse_qsl(workload.body)) == {
        "grant_type": "client_credentials",
        "client_id": "mine",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "assertion",
        "scope": "https://management.azure.com/.default",
    }


# ------------------------------------------------------------------------------ Google


def google_account(token_url: str) -> bytes:
    """Return a service account's key file."""
    key = encode_private_key_pkcs8(generate_private_key("RSA", 2048)).decode()
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "dns@proj.example",
            "private_key_id": "kid",
            "private_key": key,
            "token_uri": token_url,
        }
    ).encode()


async def test_google_sends_what_its_sdk_sends(bind: Bind) -> None:
    """Token, zone, record set; the text of another challenge stays."""
    present: list[Any] = []

    def script(seen: Seen) -> tuple[int, Any]:
        if "/token" in seen.path:
            return 200, {"access_token": "g", "expires_in": 3600}
        if "/rrsets" in seen.path:
            return 200, {"rrsets": present}
        if "/changes" in seen.path:
            present[:] = json.loads(seen.body).get("additions", [])
            return 200, {"status": "pending"}
        private = {"name": "private", "visibility": "private"}
        return 200, {"managedZones": [private, {"name": "zone", "visibility": "public"}]}

    async with api(script) as served:
        account = google_account("https://oauth2.googleapis.com/token")
        secrets = {"serviceAccountSecretRef": account}
        solver = SolverConfig("cloudDNS", {"project": "proj"}, secrets)
        assert await change(served, bind, solver, add=True) == Done()
        assert await change(served, bind, solver, add=True, value="other") == Done()
        assert present[0]["rrdatas"] == [f'"{VALUE}"', '"other"']
        assert await change(served, bind, solver, add=False) == Done()
        assert present[0]["rrdatas"] == ['"other"']
        token, *calls = served.seen

    theirs = GOLDEN["google_token"]
    sent = dict(parse_qsl(token.body))
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "=="))
        for part in sent.pop("assertion").split(".")[:2]
    )
    claims["exp"] -= claims.pop("iat")
    assert claims.pop("aud") == "https://oauth2.googleapis.com/token"
    assert (sent, header, claims) == (theirs["form"], theirs["header"], theirs["claims"])
    for ours, entry in zip(calls, GOLDEN["google"], strict=False):
        expected = golden(entry)
        method, path, query = expected.call
        query.pop("alt")
        assert ours.call == (method, path, query)
        assert ours.headers["authorization"] == "Bearer g"
    assert json.loads(calls[2].body) == json.loads(GOLDEN["google"][2]["body"])


async def test_google_by_the_machines_account(bind: Bind) -> None:
    """Only if the issuer may."""
    config = {"project": "proj", "hostedZoneName": "zone"}

    def script(seen: Seen) -> tuple[int, Any]:
        if seen.path.endswith("/token"):
            return 200, {"access_token": "machine", "expires_in": 0}
        return 200, {}

    async with api(script) as served:
        refused = await change(served, bind, SolverConfig("cloudDNS", config), add=True)
        assert isinstance(refused, NotYet)
        assert "perhaps you meant to enable ambient credentials?" in refused.reason
        solver = SolverConfig("cloudDNS", config, may_be_ambient=True)
        assert await change(served, bind, solver, add=True) == Done()

    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    assert served.seen[0].path == path
    assert served.seen[0].headers["metadata-flavor"] == "Google"
    assert served.seen[1].headers["authorization"] == "Bearer machine"


# ------------------------------------------------------------------------------ others


@pytest.mark.parametrize(
    ("config", "secrets", "expected"),
    [
        pytest.param({}, {"apiTokenSecretRef": b"cf-token\n"}, 0, id="token"),
        pytest.param({"email": "me@example.com"}, {"apiKeySecretRef": b"cf-key"}, 1, id="key"),
    ],
)
async def test_cloudflare_sends_what_its_sdk_sends(
    bind: Bind, config: Any, secrets: Any, expected: int
) -> None:
    """The closest zone; the text of another challenge stays."""
    records = [{"id": "r0", "name": NAME.rstrip("."), "content": '"other"'}]

    def script(seen: Seen) -> tuple[int, Any]:
        if seen.path.startswith("/client/v4/zones?"):
            found = [{"id": "z1"}] if seen.path.endswith("name=example.com") else []
            return 200, {"success": True, "result": found}
        if seen.method == "POST":
            records.append({"id": "r1", **json.loads(seen.body)})
        return 200, {"success": True, "result": records}

    solver = SolverConfig("cloudflare", config, secrets)
    async with api(script) as served:
        for _ in range(2):
            assert await change(served, bind, solver, add=True) == Done()
        assert await change(served, bind, solver, add=False) == Done()
        calls = [
            Seen(seen.method, seen.path.removeprefix("/client/v4"), seen.body, seen.headers)
            for seen in served.seen
        ]

    assert [seen.method for seen in calls].count("POST") == 1
    zones, create, delete = (golden(entry) for entry in GOLDEN["cloudflare"][expected])
    assert zones.call in [seen.call for seen in calls]
    made = next(seen for seen in calls if seen.method == "POST")
    assert made.call == create.call
    assert json.loads(made.body) == json.loads(create.body)
    assert calls[-1].call == delete.call
    for name in ("authorization", "x-auth-email", "x-auth-key"):
        assert made.headers.get(name) == create.headers.get(name)


async def test_digital_ocean_sends_what_its_sdk_sends(bind: Bind) -> None:
    """Every page is read; the text of another challenge stays."""
    records = [{"id": 100 + n, "data": "other"} for n in range(200)]

    def script(seen: Seen) -> tuple[int, Any]:
        if seen.method == "POST":
            records.append({"id": 1, "data": json.loads(seen.body)["data"]})
            return 201, {"domain_record": records[-1]}
        if seen.method == "DELETE":
            return 204, ""
        page = int(seen.call[2]["page"])
        return 200, {"domain_records": records[(page - 1) * 200 : page * 200]}

    solver = SolverConfig("digitalocean", {}, {"tokenSecretRef": b"do-token\n"})
    async with api(script) as served:
        assert await change(served, bind, solver, add=True) == Done()
        assert await change(served, bind, solver, add=False) == Done()

    create, listing, delete = (golden(entry) for entry in GOLDEN["digitalocean"])
    assert served.seen[0].call == listing.call
    made = next(seen for seen in served.seen if seen.method == "POST")
    assert made.call == create.call
    assert json.loads(made.body) == json.loads(create.body)
    assert [seen.call for seen in served.seen if seen.method == "DELETE"] == [delete.call]
    assert made.headers["authorization"] == create.headers["authorization"]


async def test_akamai_adds_to_a_record_set_and_takes_from_it(bind: Bind) -> None:
    """POST, PUT and DELETE, as there is something or not."""
    texts: list[str] = []

    def script(seen: Seen) -> tuple[int, Any]:
        if seen.method == "GET":
            return (200, {"rdata": texts}) if texts else (404, {"title": "Not Found"})
        texts[:] = json.loads(seen.body)["rdata"] if seen.body else []
        return 200, {}

    solver = SolverConfig(
        "akamai",
        {"serviceConsumerDomain": "edge.luna.example"},
        {
            "clientTokenSecretRef": b"ct",
            "clientSecretSecretRef": b"cs",
            "accessTokenSecretRef": b"at",
        },
    )
    async with api(script) as served:
        for add, value in ((True, VALUE), (True, "other"), (False, VALUE), (False, "other")):
            assert await change(served, bind, solver, add=add, value=value) == Done()
        assert await change(served, bind, solver, add=False) == Done()

    writes = [seen for seen in served.seen if seen.method != "GET"]
    assert [seen.method for seen in writes] == ["POST", "PUT", "PUT", "DELETE"]
    path = "/config-dns/v2/zones/example.com/names/_acme-challenge.www.example.com/types/TXT"
    assert {seen.path for seen in served.seen} == {path}
    assert json.loads(writes[0].body) == {
        "name": "_acme-challenge.www.example.com",
        "type": "TXT",
        "ttl": 300,
        "rdata": [f'"{VALUE}"'],
    }
    assert json.loads(writes[2].body)["rdata"] == ['"other"']


async def test_acme_dns_updates_the_account_of_the_domain(bind: Bind) -> None:
    """Another domain's account is not used."""
    account = {"username": "u", "password": "p", "subdomain": "s", "fulldomain": "s.auth.example"}
    async with api(lambda _: (200, {"txt": VALUE})) as served:
        solver = SolverConfig(
            "acmeDNS",
            {"host": served.url},
            {"accountSecretRef": json.dumps({DOMAIN: account}).encode()},
        )
        assert await change(served, bind, solver, add=True) == Done()
        assert await change(served, bind, solver, add=False) == Done()
        other = SolverConfig("acmeDNS", {"host": served.url}, {"accountSecretRef": b'{"a": {}}'})
        refused = await change(served, bind, other, add=True)

    (seen,) = served.seen
    assert (seen.method, seen.path) == ("POST", "/update")
    assert (seen.headers["x-api-user"], seen.headers["x-api-key"]) == ("u", "p")
    assert json.loads(seen.body) == {"subdomain": "s", "txt": VALUE}
    assert refused == NotYet(f"account credentials not found for domain {DOMAIN}")


async def test_what_a_provider_says_is_bounded(bind: Bind) -> None:
    """An error page of megabytes does not reach a status."""
    solver = SolverConfig("digitalocean", {}, {"tokenSecretRef": b"x"})
    async with api(lambda _: (502, "<html>" + "bad " * 100_000)) as served:
        answer = await change(served, bind, solver, add=True)

    assert isinstance(answer, NotYet)
    assert "failed with 502" in answer.reason
    assert len(answer.reason) < 500
