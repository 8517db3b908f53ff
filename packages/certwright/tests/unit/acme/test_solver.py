"""What `certwright acmesolver` answers."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient, TestServer

from certwright.adapters.acme.http01 import solver_application

TOKEN = "/.well-known/acme-challenge/tok"


@pytest.mark.parametrize(
    ("path", "host", "status", "body"),
    [
        pytest.param(TOKEN, "www.example.com", 200, "key", id="answer"),
        pytest.param(TOKEN, "WWW.example.com:8080", 200, "key", id="case and port do not matter"),
        pytest.param(TOKEN, "example.com", 404, "", id="another host"),
        pytest.param(TOKEN + "x", "www.example.com", 404, "", id="another token"),
        pytest.param("/x" + TOKEN, "www.example.com", 404, "", id="another place"),
        pytest.param("/", "10.0.0.1", 200, "", id="health"),
        pytest.param("/healthz", "10.0.0.1", 200, "", id="healthz"),
    ],
)
async def test_the_key_is_for_one_host_and_token(
    path: str, host: str, status: int, body: str
) -> None:
    """By any method; never cached."""
    application = solver_application("www.example.com", "tok", "key")
    async with TestClient(TestServer(application)) as client:
        answer = await client.get(path, headers={"Host": host})
        assert (answer.status, await answer.text()) == (status, body)
        assert answer.headers["Cache-Control"] == "no-cache, no-store, must-revalidate"
        posted = await client.post(path, headers={"Host": host})
        assert posted.status == status


async def test_an_ipv6_address_is_a_host() -> None:
    """cert-manager cuts it at its first colon (reference 6)."""
    async with TestClient(TestServer(solver_application("2001:db8::1", "tok", "key"))) as client:
        answer = await client.get(TOKEN, headers={"Host": "[2001:db8::1]:8089"})

        assert await answer.text() == "key"
