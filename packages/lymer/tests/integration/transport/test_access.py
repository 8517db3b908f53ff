"""Tokens and passwords on real sockets: who may send, who may look, and what the rest is told."""

from __future__ import annotations

import base64
from pathlib import Path

import bcrypt
import grpc
import httpx
import pytest

from fakes.certificates import replace
from integration.receivers.doors import eventually
from integration.transport.secured import BODY, EXPORT, POST_SPANS, Secured, secured

TOKEN = "a-token-of-32-letters-aaaaaaaaaa"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
SENDING = {
    "OTLP HTTP": ("/v1/traces", BODY, PROTOBUF, 200),
    "Jaeger HTTP": ("/api/traces", b"\x0c", {"Content-Type": "application/x-thrift"}, 400),
    "Zipkin": ("/api/v2/spans", b"[]", {"Content-Type": "application/json"}, 202),
}
"""HTTP port → path, body, headers and the answer to who may send."""
REFUSALS = "lymer_auth_refusals_total"


def basic(user: str, password: str) -> str:
    """Return what a client with a user and a password sends."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Receivers that know a token from a file, one from the environment, and two users."""
    tokens, users = tmp_path / "tokens", tmp_path / "users"
    tokens.write_text(f"# of the shop\n{TOKEN}\n\n")
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    users.write_text(f"ada:{hashed}\nbob:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    users.chmod(0o600)
    return {
        "receivers__auth__bearer_tokens_file": str(tokens),
        "receivers__auth__bearer_tokens": "another-token",
        "receivers__auth__htpasswd_file": str(users),
    }


async def post(door: Secured, what: str, *authorization: str) -> httpx.Response:
    """Send to an HTTP port."""
    path, body, headers, _ = SENDING[what]
    given = [*headers.items(), *(("Authorization", value) for value in authorization)]
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return await client.post(
            f"http://localhost:{door.ports[what]}{path}", content=body, headers=given
        )


async def call(door: Secured, what: str, *authorization: str, method: str = "") -> str:
    """Return the name of the code one call gets."""
    method = method or (EXPORT if what == "OTLP gRPC" else POST_SPANS)
    metadata = tuple(("authorization", value) for value in authorization)
    async with grpc.aio.insecure_channel(f"localhost:{door.ports[what]}") as channel:
        try:
            await channel.unary_unary(method)(
                BODY if method == EXPORT else b"", metadata=metadata, timeout=10
            )
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        pytest.param((f"Bearer {TOKEN}",), "", id="token of the file"),
        pytest.param(("bearer another-token",), "", id="token of the environment"),
        pytest.param((basic("ada", "secret"),), "", id="user with bcrypt"),
        pytest.param((basic("bob", "secret"),), "", id="user with SHA-1"),
        pytest.param((), "missing", id="nobody"),
        pytest.param(("",), "missing", id="empty"),
        pytest.param((f"Bearer {TOKEN}x",), "bad_token", id="longer token"),
        pytest.param((f"Bearer {TOKEN[:-1]}",), "bad_token", id="shorter token"),
        pytest.param(("Bearer",), "bad_token", id="no token"),
        pytest.param(("Bearer # of the shop",), "bad_token", id="a comment is no token"),
        pytest.param((TOKEN,), "scheme", id="token without a scheme"),
        pytest.param(("Digest x",), "scheme", id="unknown scheme"),
        pytest.param((basic("ada", "Secret"),), "bad_password", id="wrong password"),
        pytest.param((basic("eve", "secret"),), "bad_password", id="unknown user"),
        pytest.param(("Basic ***",), "bad_password", id="no base64"),
        pytest.param(("Basic /////w==",), "bad_password", id="no text"),
        pytest.param((basic("ada", "").replace("6", "7"),), "bad_password", id="empty password"),
        pytest.param((f"Bearer {TOKEN}", "Bearer x"), "missing", id="two of them"),
    ],
)
async def test_who_may_send(
    tmp_path: Path, settings: dict[str, str], authorization: tuple[str, ...], reason: str
) -> None:
    """Every receiver judges alike, says how to ask, and counts why it refused."""
    async with secured(tmp_path / "data", **settings) as door:
        for what, (_, _, _, status) in SENDING.items():
            answer = await post(door, what, *authorization)
            assert answer.status_code == (401 if reason else status), what
            if reason:
                challenges = answer.headers.get_list("www-authenticate")
                assert challenges == [
                    'Basic realm="Lymer", charset="UTF-8"',
                    'Bearer realm="Lymer"',
                ]
                assert TOKEN not in answer.text
        for what in ("OTLP gRPC", "Jaeger gRPC"):
            expected = "UNAUTHENTICATED" if reason else "OK"
            if authorization == ("",):
                continue  # gRPC leaves empty metadata out
            assert await call(door, what, *authorization) == expected

        if reason and authorization != ("",):
            assert door.count(REFUSALS, setting="receivers.auth", reason=reason) == 5
        assert len(door.log.requests) == (0 if reason else 2)


async def test_health_and_metrics_are_open_until_asked_otherwise(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """As Jaeger's; each has a switch of its own."""
    shut = {"admin__auth__bearer_tokens": "metrics-token"}
    async with (
        secured(tmp_path / "a", **settings) as open_,
        secured(tmp_path / "b", **shut) as closed,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        metrics = f"http://localhost:{open_.ports['admin']}/metrics"
        assert (await client.get(metrics)).status_code == 200
        metrics = f"http://localhost:{closed.ports['admin']}/metrics"
        refused = await client.get(metrics)
        assert refused.status_code == 401
        assert refused.headers.get_list("www-authenticate") == ['Bearer realm="Lymer"']
        allowed = await client.get(metrics, headers={"Authorization": "Bearer metrics-token"})
        assert allowed.status_code == 200
        health = f"http://localhost:{closed.ports['health']}/status"
        assert (await client.get(health)).status_code == 200


async def test_tokens_and_passwords_are_read_again(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """What was taken out does not pass any more, remembered or not; bad files change nothing."""
    tokens = Path(settings["receivers__auth__bearer_tokens_file"])
    users = Path(settings["receivers__auth__htpasswd_file"])
    async with secured(tmp_path / "data", **settings) as door:
        assert (await post(door, "OTLP HTTP", basic("ada", "secret"))).status_code == 200
        replace(tokens, b"new-token\n")
        replace(users, b"eve:plain password\n")
        await eventually(lambda: door.count("lymer_reloads_total", setting="receivers.auth") == 1)
        assert await call(door, "OTLP gRPC", "Bearer new-token") == "OK"
        assert await call(door, "OTLP gRPC", f"Bearer {TOKEN}") == "UNAUTHENTICATED"
        assert (await post(door, "OTLP HTTP", basic("ada", "secret"))).status_code == 401
        assert (await post(door, "OTLP HTTP", basic("eve", "plain password"))).status_code == 200

        replace(users, b"eve:$9$unknown\n")
        failures = "lymer_reload_failures_total"
        await eventually(lambda: door.count(failures, setting="receivers.auth") == 1)
        assert (await post(door, "OTLP HTTP", basic("eve", "plain password"))).status_code == 200


async def test_a_method_nobody_serves_does_not_tell_who_may_not_ask(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """It is refused like any other, and is unknown to who may."""
    async with secured(tmp_path / "data", **settings) as door:
        unknown = "/not.Served/Here"
        assert await call(door, "OTLP gRPC", method=unknown) == "UNAUTHENTICATED"
        known = await call(door, "OTLP gRPC", f"Bearer {TOKEN}", method=unknown)
        assert known == "UNIMPLEMENTED"


async def test_a_large_body_of_somebody_unknown_is_refused_and_the_next_request_served(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """The sender reads the answer, and nothing of the body is taken for a request."""
    async with (
        secured(tmp_path / "data", **settings) as door,
        httpx.AsyncClient(trust_env=False, timeout=20) as client,
    ):
        url = f"http://localhost:{door.ports['OTLP HTTP']}/v1/traces"
        refused = await client.post(url, content=b"x" * 5_000_000, headers=PROTOBUF)
        assert refused.status_code == 401
        given = {**PROTOBUF, "Authorization": f"Bearer {TOKEN}"}
        assert (await client.post(url, content=BODY, headers=given)).status_code == 200


async def test_secrets_are_in_no_log_and_in_no_setting_shown(
    tmp_path: Path, settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither what is right nor what was tried."""
    caplog.set_level("DEBUG")
    async with secured(tmp_path / "data", **settings) as door:
        await post(door, "OTLP HTTP", f"Bearer {TOKEN}")
        await post(door, "OTLP HTTP", "Bearer tried-token")
        await call(door, "OTLP gRPC", basic("ada", "tried-password"))

    for secret in (TOKEN, "another-token", "tried-token", "tried-password", "secret"):
        assert secret not in caplog.text
