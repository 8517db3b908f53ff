"""Readiness says what does not work, and liveness does not flap; sampling asks for the token."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import grpc
import pytest

from e2e.lymer_process import Lymer, poll
from e2e.otlp import PROTOBUF
from make import make_request, make_span, trace_hex

_SMALL_DISK: Final = (
    "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
    'mkdir -p "$DATA"; mount -t tmpfs -o size=150m none "$DATA" && exec "$@"', "sh",
)  # fmt: skip


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Callable[..., Lymer]]:
    """Make Lymers in a folder of the test's own."""
    made: list[Lymer] = []

    def make(*within: str, **environment: str) -> Lymer:
        environment["DATA"] = str(tmp_path / "data")
        made.append(Lymer(tmp_path, environment, within=within))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _send(lymer: Lymer, number: int) -> int:
    body = make_request(make_span(number, 1)).SerializeToString()
    headers = {"Content-Type": PROTOBUF}
    return lymer.http.post(lymer.otlp_http_url, content=body, headers=headers).status_code


def _wait_for_health(lymer: Lymer, status: int) -> str:
    """Return what health says once it has this status; the process says it lives all the time."""
    doors = [lymer.health_url, f"{lymer.admin_url}/"]
    answers = []
    for _ in poll(30):
        answers = [lymer.http.get(door) for door in doors]
        for door in doors:
            assert lymer.http.get(f"{door.removesuffix('/status').rstrip('/')}/livez").text
        if {answer.status_code for answer in answers} == {status}:
            return str(answers[0].json().get("error", ""))
    raise AssertionError(f"{[one.text for one in answers]}\n{lymer.log_tail()}")


def test_a_full_disk_is_said_and_passes(new: Callable[..., Lymer]) -> None:
    """Writes are refused, not lost; once there is room all goes on by itself."""
    lymer = new(*_SMALL_DISK)
    lymer.start()
    assert _send(lymer, 1) == 200
    within = Path(f"/proc/{lymer.pid}/root{lymer.data_dir}")
    filler = within / "filler"
    with filler.open("wb") as file:
        while os.statvfs(within).f_bavail * os.statvfs(within).f_frsize > 2**20:
            file.write(bytes(2**20))

    reason = _wait_for_health(lymer, 503)

    assert "MiB are free" in reason
    filler.unlink()
    assert _wait_for_health(lymer, 200) == ""
    assert _send(lymer, 2) == 200
    for number in (1, 2):
        lymer.wait_for_trace(trace_hex(number), 1)
    assert lymer.stop() == 0


def test_a_store_that_cannot_write_is_said_and_passes(new: Callable[..., Lymer]) -> None:
    """What was acknowledged meanwhile is stored when it can."""
    lymer = new("unshare", "--user")
    lymer.start()
    assert _send(lymer, 1) == 200
    lymer.wait_for_trace(trace_hex(1), 1)
    folders = [one for one in (lymer.data_dir / "store").rglob("*") if one.is_dir()]
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):  # a part that has been written meanwhile
            folder.chmod(0o500)
    try:
        assert _send(lymer, 2) == 200

        reason = _wait_for_health(lymer, 503)

        assert "cannot store segment" in reason
    finally:
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                folder.chmod(0o700)
    assert _wait_for_health(lymer, 200) == ""
    lymer.wait_for_trace(trace_hex(2), 1)
    assert lymer.stop() == 0


def test_sampling_asks_for_the_token_of_receivers(new: Callable[..., Lymer]) -> None:
    """On 5778, 5779 and beside the receivers: what to sample is nobody else's business."""
    token = "token-of-those-who-send"
    lymer = new(LYMER__RECEIVERS__AUTH__BEARER_TOKENS=token)
    lymer.start()
    given = {"Authorization": f"Bearer {token}"}
    for name, path in [("sampling_http", "/sampling"), ("jaeger_http", "/api/sampling")]:
        url = f"http://127.0.0.1:{lymer.ports[name]}{path}?service=shop"
        assert lymer.http.get(url).status_code == 401, name
        assert lymer.http.get(url, headers=given).status_code == 200, name
    method = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy"
    for name in ("sampling_grpc", "jaeger_grpc", "otlp_grpc"):
        with grpc.insecure_channel(f"127.0.0.1:{lymer.ports[name]}") as channel:
            ask = channel.unary_unary(method)
            with pytest.raises(grpc.RpcError) as refused:
                ask(b"\x0a\x04shop", timeout=10)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED, name
            assert ask(b"\x0a\x04shop", timeout=10, metadata=[("authorization", f"Bearer {token}")])
    assert lymer.stop() == 0
