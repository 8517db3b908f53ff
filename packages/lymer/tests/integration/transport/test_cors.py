"""Pages that send spans from a browser: preflights, origins, headers."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from integration.transport.secured import BODY, Secured, secured

ORIGINS = "https://shop.example, https://*.shop.example,http://localhost:*"
PATHS = {"OTLP HTTP": "/v1/traces", "Zipkin": "/api/v2/spans"}


def cors(door: str, **settings: str) -> dict[str, str]:
    """Return settings of a receiver's group."""
    return {f"receivers__{door}__cors__{name}": value for name, value in settings.items()}


@pytest.fixture
def settings() -> dict[str, str]:
    """Both receivers that browsers send to."""
    given = {"allowed_origins": ORIGINS, "allowed_headers": "X-Shop", "max_age_seconds": "2h"}
    return {**cors("otlp_http", **given), **cors("zipkin", **given)}


async def ask(door: Secured, what: str, method: str, **headers: str) -> httpx.Response:
    """Send what a browser sends."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "POST":
        named.setdefault("Content-Type", "application/x-protobuf")
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        url = f"http://localhost:{door.ports[what]}{PATHS[what]}"
        return await client.request(
            method, url, headers=named, content=BODY if method == "POST" else None
        )


def allowed(answer: httpx.Response) -> str:
    """Return the origin that may read the answer."""
    return answer.headers.get("access-control-allow-origin", "")


@pytest.mark.parametrize("what", PATHS)
@pytest.mark.parametrize(
    ("origin", "may"),
    [
        pytest.param("https://shop.example", True, id="as it is written"),
        pytest.param("https://eu.shop.example", True, id="below the pattern"),
        pytest.param("http://localhost:3000", True, id="any port"),
        pytest.param("http://shop.example", False, id="other scheme"),
        pytest.param("https://shop.example.evil.example", False, id="longer"),
        pytest.param("https://evilshop.example", False, id="no dot of the pattern"),
        pytest.param("null", False, id="a page without an origin"),
    ],
)
async def test_a_preflight_tells_who_may_send(
    tmp_path: Path, settings: dict[str, str], what: str, origin: str, *, may: bool
) -> None:
    """204 either way; the permission is in the headers, and only for known origins."""
    async with secured(tmp_path, **settings) as door:
        answer = await ask(
            door,
            what,
            "OPTIONS",
            Origin=origin,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="content-type,x-shop",
        )

    assert answer.status_code == 204
    assert "Origin" in answer.headers["vary"]
    assert allowed(answer) == (origin if may else "")
    if may:
        assert answer.headers["access-control-allow-methods"] == "POST"
        assert answer.headers["access-control-allow-headers"] == "content-type, x-shop"
        assert answer.headers["access-control-max-age"] == "7200"
        assert answer.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize(
    ("method", "names", "may"),
    [
        pytest.param("POST", "content-type, content-encoding, traceparent", True, id="usual"),
        pytest.param("POST", "", True, id="none"),
        pytest.param("POST", "x-unknown", False, id="header nobody allowed"),
        pytest.param("DELETE", "", False, id="other method"),
    ],
)
async def test_a_preflight_is_about_method_and_headers_too(
    tmp_path: Path, settings: dict[str, str], method: str, names: str, *, may: bool
) -> None:
    """One of them refused, and there is no permission."""
    async with secured(tmp_path, **settings) as door:
        headers = {"Access_Control_Request_Headers": names} if names else {}
        answer = await ask(
            door,
            "OTLP HTTP",
            "OPTIONS",
            Origin="https://shop.example",
            Access_Control_Request_Method=method,
            **headers,
        )

    assert bool(allowed(answer)) is may


async def test_answers_can_be_read_by_the_page_that_sent(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """Also those that say no; who sends without an origin gets no such header."""
    async with secured(tmp_path, **settings) as door:
        good = await ask(door, "OTLP HTTP", "POST", Origin="https://shop.example")
        bad = await ask(
            door, "OTLP HTTP", "POST", Origin="https://shop.example", Content_Type="text/html"
        )
        plain = await ask(door, "OTLP HTTP", "POST")
        strange = await ask(door, "OTLP HTTP", "POST", Origin="https://evil.example")

    assert (good.status_code, allowed(good)) == (200, "https://shop.example")
    assert (bad.status_code, allowed(bad)) == (415, "https://shop.example")
    assert (plain.status_code, allowed(plain)) == (200, "")
    assert allowed(strange) == ""


async def test_any_origin_gets_no_credentials(tmp_path: Path) -> None:
    """`*` means pages nobody knows: browsers must not add passwords they remember."""
    async with secured(tmp_path, **cors("otlp_http", allowed_origins="*")) as door:
        answer = await ask(door, "OTLP HTTP", "POST", Origin="https://any.example")

    assert allowed(answer) == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_needs_no_token_and_the_request_does(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """Browsers send no credentials with a preflight; the page can read that it was refused."""
    given = {**settings, "receivers__auth__bearer_tokens": "token-of-the-page"}
    async with secured(tmp_path, **given) as door:
        preflight = await ask(
            door,
            "OTLP HTTP",
            "OPTIONS",
            Origin="https://shop.example",
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="authorization,content-type",
        )
        refused = await ask(door, "OTLP HTTP", "POST", Origin="https://shop.example")
        served = await ask(
            door,
            "OTLP HTTP",
            "POST",
            Origin="https://shop.example",
            Authorization="Bearer token-of-the-page",
        )

    assert allowed(preflight) == "https://shop.example"
    assert (refused.status_code, allowed(refused)) == (401, "https://shop.example")
    assert served.status_code == 200


async def test_without_origins_nothing_is_said(tmp_path: Path) -> None:
    """Jaeger's default: a preflight is a request like any other, and refused."""
    async with secured(tmp_path) as door:
        answer = await ask(
            door,
            "OTLP HTTP",
            "OPTIONS",
            Origin="https://shop.example",
            Access_Control_Request_Method="POST",
        )

    assert (answer.status_code, allowed(answer)) == (405, "")
