"""Zipkin's readers ask the program where its writers send; the archive outlives a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from e2e.lymer_process import SEARCHABLE_SECONDS_MAX, Lymer, poll
from lymer import clock

TOKEN = "a-token-for-people-who-may-ask"


def span(trace_id: str) -> dict[str, Any]:
    """Return a span as Zipkin's clients write it."""
    return {
        "traceId": trace_id,
        "id": "1111111111111111",
        "kind": "SERVER",
        "name": "get",
        "timestamp": clock.unix_nano() // 1000,
        "duration": 1500,
        "localEndpoint": {"serviceName": "zipkin-reader"},
        "tags": {"k": "v"},
    }


def wait_for(ask: Callable[[], httpx.Response]) -> None:
    """Return when the answer is 200."""
    for _ in poll(SEARCHABLE_SECONDS_MAX):
        if ask().status_code == 200:
            return
    raise AssertionError("the span is not searchable")


def test_what_is_sent_to_9411_is_read_there(shared_lymer: Lymer) -> None:
    """As it was sent; below `/zipkin` there and on the query port too."""
    sent = span("5af7183fb1d4cf5f5af7183fb1d4cf5f")
    posted = shared_lymer.http.post(f"{shared_lymer.zipkin_url}/api/v2/spans", json=[sent])
    assert posted.status_code == 202
    path = f"/api/v2/trace/{sent['traceId']}"
    wait_for(lambda: shared_lymer.http.get(f"{shared_lymer.zipkin_url}{path}"))

    for url in (
        f"{shared_lymer.zipkin_url}{path}",
        f"{shared_lymer.zipkin_url}/zipkin{path}",
        f"{shared_lymer.query_url}/zipkin{path}",
    ):
        assert [sent] == shared_lymer.http.get(url).json(), url
    services = shared_lymer.http.get(f"{shared_lymer.zipkin_url}/api/v2/services").json()
    assert "zipkin-reader" in services


def test_who_may_not_ask_on_16686_may_not_ask_on_9411(new_lymer: Callable[..., Lymer]) -> None:
    """Sending stays open: it is another question."""
    lymer = new_lymer(LYMER__QUERY__AUTH__BEARER_TOKENS=TOKEN)
    lymer.start()
    url = f"{lymer.zipkin_url}/api/v2/services"

    assert lymer.http.get(url).status_code == 401
    assert lymer.http.get(url, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    posted = lymer.http.post(f"{lymer.zipkin_url}/api/v2/spans", json=[span("abcd" * 4)])
    assert posted.status_code == 202


def test_an_archived_trace_outlives_a_restart(new_lymer: Callable[..., Lymer]) -> None:
    """It is on disk when the answer comes, and the page is told that there is an archive."""
    lymer = new_lymer()
    lymer.start()
    trace_id = "beef" * 8
    lymer.http.post(f"{lymer.zipkin_url}/api/v2/spans", json=[span(trace_id)])
    url = f"{lymer.query_url}/api/archive/{trace_id}"
    wait_for(lambda: lymer.http.post(url))
    lymer.kill()
    lymer.start()

    assert lymer.http.post(url).status_code == 200
    found = lymer.http.get(f"{lymer.query_url}/api/traces/{trace_id}").json()["data"]
    assert 1 == len(found[0]["spans"])
    assert '"archiveStorage": true' in lymer.http.get(lymer.query_url).text
