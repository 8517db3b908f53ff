"""Make the stores of a release, with the answers it gives, for later releases to open.

Run with the interpreter of that release, on Linux, from the folder `packages/lymer/tests`:

    PYTHONPATH=. RELEASE/.venv/bin/python -m e2e.make_old_stores COMMIT
"""

from __future__ import annotations

import json
import lzma
import shutil
import sys
import tarfile
import tempfile
import time
from base64 import b64decode
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.json_format import MessageToDict

from e2e.lymer_process import Lymer, poll
from e2e.old_stores import ARCHIVES, OPEN_SETTINGS, Answers, ask, ask_red, tail_settings
from fakes import jaeger_batch as jaeger
from make import START, make_event, make_link, make_request, make_span

_TENANTS: Final = ["acme", "mega corp"]
_MICRO: Final = START // 1000
_TENANCY: Final = {"LYMER__TENANCY__ENABLED": "true"}
_SLOW_SEALING: Final = {"LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "60s"}
_KINDS_OF_VALUES: Final = {
    "text": "한국",
    "keep": "yes",
    "empty": "",
    "long": "x" * 3000,
    "yes": True,
    "no": False,
    "many": 2**62,
    "minus": -5,
    "half": 0.5,
    "raw": bytes(range(40)),
    "list": ["a", 1, ["b"], {"c": None}],
    "map": {"c": {"d": "e"}},
    "none": None,
    "http.status_code": 500,
}


class _Sender:
    """Sends to one Lymer, for one tenant or none."""

    def __init__(self, lymer: Lymer, tenant: str) -> None:
        self._lymer = lymer
        self._headers = {"x-tenant": tenant} if tenant else {}

    def otlp(self, request: object, *, as_json: bool = False) -> None:
        if as_json:
            body = json.dumps(_hex_ids(MessageToDict(request))).encode()
        else:
            body = request.SerializeToString()
        self.post(self._lymer.otlp_http_url, body, "json" if as_json else "x-protobuf")

    def post(self, url: str, body: bytes, content_type: str) -> None:
        headers = {"Content-Type": f"application/{content_type}", **self._headers}
        answer = self._lymer.http.post(url, content=body, headers=headers)
        assert answer.status_code in {200, 202}, answer.text

    def jaeger(self, batch: jaeger.Batch) -> None:
        url = f"http://127.0.0.1:{self._lymer.ports['jaeger_http']}/api/traces"
        self.post(url, jaeger.thrift_batch(batch), "x-thrift")

    def jaeger_grpc(self, batch: jaeger.Batch) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{self._lymer.ports['jaeger_grpc']}") as channel:
            channel.unary_unary("/jaeger.api_v2.CollectorService/PostSpans")(
                jaeger.to_post_spans(batch), metadata=list(self._headers.items()), timeout=10
            )

    def zipkin(self, spans: list[dict[str, object]]) -> None:
        self.post(self._lymer.zipkin_url + "/api/v2/spans", json.dumps(spans).encode(), "json")


def _hex_ids(message: dict) -> dict:
    """Return OTLP's own JSON: ids in hex where protobuf's has base64."""

    def walk(value: object) -> object:
        if isinstance(value, list):
            return [walk(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: b64decode(one).hex() if key in {"traceId", "spanId", "parentSpanId"} else walk(one)
            for key, one in value.items()
        }

    return walk(message)


def _send_every_kind(sender: _Sender, base: int) -> None:
    """Send spans by every door, with every kind of content; traces are numbered from `base`."""
    everything = make_span(
        base,
        base + 1,
        name="GET /cart",
        kind=2,
        duration_nano=9_000_000_000,
        attrs=_KINDS_OF_VALUES,
        events=[
            make_event("begin", offset_nano=10),
            make_event("exception", offset_nano=99, attrs={"exception.message": "no"}, dropped=2),
        ],
        links=[make_link(attrs={"why": "retry"}), make_link(901, 902)],
        status=2,
        message="failed",
        trace_state="a=b,c=d",
        flags=257,
    )
    plain = [
        make_span(
            base, base + 2 + kind, base + 1, name=f"kind {kind}", kind=kind, attrs={"k": kind}
        )
        for kind in range(6)
    ]
    around = {"resource": {"host.name": "h1"}, "scope": "lib", "scope_version": "1"}
    request = make_request(everything, *plain, scope_attrs={"s": 1}, **around)
    request.resource_spans[0].schema_url = "https://example.com/schema"
    sender.otlp(request)
    below = make_span(base, base + 20, base + 5, name="take", kind=2, duration_nano=3_000_000)
    sender.otlp(make_request(below, service="stock"))
    sender.otlp(make_request(below, service="stock"))  # delivered twice
    later = make_span(base + 1, base + 1, name="by JSON", attrs=_KINDS_OF_VALUES, status=1)
    sender.otlp(make_request(later, service="jsony"), as_json=True)
    short = make_span(
        b"\0" * 8 + base.to_bytes(8, "big"), base + 1, name="64 bits", attrs={"keep": "yes"}
    )
    sender.otlp(make_request(short, service=None))
    sender.otlp(
        make_request(make_span(base + 2, 1, name="", duration_nano=0, attrs={"keep": "yes"}))
    )
    tags = [("t", "x"), ("keep", "yes"), ("f", 1.5), ("b", True), ("i", 7), ("raw", b"\0\1")]
    thrift = jaeger.Span(
        trace_id=(0xABCD << 64) + base + 3,
        start_micro=_MICRO,
        tags=[*tags, ("span.kind", "client")],
        logs=[jaeger.Log(_MICRO + 1, [("event", "one"), ("n", 1)])],
        refs=[jaeger.Ref(1, 77, 78)],
    )
    sender.jaeger(jaeger.Batch("thrifty", [thrift], [("hostname", "h2"), ("ip", "10.0.0.1")]))
    proto = jaeger.Span(trace_id=(0xABCD << 64) + base + 4, start_micro=_MICRO, tags=tags)
    sender.jaeger_grpc(jaeger.Batch("grpcy", [proto], [("hostname", "h3")]))
    sender.zipkin(
        [
            {
                "traceId": f"{(0xABCD << 64) + base + 5:032x}",
                "id": f"{base:016x}",
                "kind": "SERVER",
                "name": "zipped",
                "timestamp": _MICRO,
                "duration": 5_000_000,
                "localEndpoint": {"serviceName": "zip", "ipv4": "10.0.0.2", "port": 80},
                "remoteEndpoint": {"serviceName": "zap"},
                "annotations": [{"timestamp": _MICRO + 2, "value": "sr"}],
                "tags": {"keep": "yes", "http.path": "/"},
            }
        ]
    )


def _send_for_decisions(sender: _Sender, base: int) -> None:
    """Send traces of two services, some with an error; most of the others will be dropped."""
    for number in range(base, base + 30):
        root = make_span(number, 1, name="GET /cart", kind=3, status=2 * (number % 10 == 0))
        child = make_span(number, 2, 1, name="take", kind=2, duration_nano=1_500_000)
        sender.otlp(make_request(root, service="shop"))
        sender.otlp(make_request(child, service="stock"))


def _run(
    folder: Path, settings: dict[str, str], tenants: list[str], base: int, *, kill: bool
) -> None:
    """Start, send, and end: in peace when all is decided, or in the middle of a segment."""
    lymer = Lymer(folder, {**OPEN_SETTINGS, **settings})
    lymer.start()
    for place, tenant in enumerate(tenants):
        sender = _Sender(lymer, tenant)
        _send_every_kind(sender, base + 1000 * place)
        _send_for_decisions(sender, base + 1000 * place + 100)
    if kill:
        lymer.kill()
        assert list((lymer.data_dir / "journal").rglob("*")), "nothing is left to load"
    else:
        time.sleep(8)  # the grace, and the rollups
        lymer.stop()
    lymer.close()


def _answers(folder: Path, settings: dict[str, str], tenants: list[str]) -> Answers:
    """Return what this release says about a copy of the folder, once it says the same twice."""
    lymer = Lymer(folder, {**OPEN_SETTINGS, **settings})
    lymer.start()
    time.sleep(6)
    answers: Answers = {}
    for _ in poll(60):
        earlier, answers = answers, {one: ask(lymer, one) for one in tenants}
        if answers == earlier:
            break
        time.sleep(3)
    lymer.stop()
    lymer.close()
    return {"asked": answers, "counted": ask_red(lymer.data_dir, tenants)}


def _make(name: str, settings: dict[str, str], tenants: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "made"
        folder.mkdir()
        tail = {**settings, **tail_settings(folder)}
        _run(folder, settings, tenants, 10_000, kill=False)
        _run(folder, tail, tenants, 20_000, kill=False)
        _run(folder, {**tail, **_SLOW_SEALING}, tenants, 30_000, kill=True)
        with tarfile.open(ARCHIVES / f"{name}.tar.xz", "w:xz") as archive:
            archive.add(folder / "data", "data")
        copy = Path(scratch) / "copy"
        copy.mkdir()
        shutil.copytree(folder / "data", copy / "data", symlinks=True)
        answers = _answers(copy, tail, tenants)
        text = json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (ARCHIVES / f"{name}.json.xz").write_bytes(lzma.compress(text.encode()))


if __name__ == "__main__":
    _make(f"{sys.argv[1]}-single", {}, [""])
    _make(f"{sys.argv[1]}-tenants", _TENANCY, _TENANTS)
