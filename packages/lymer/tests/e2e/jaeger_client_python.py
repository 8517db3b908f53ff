"""One trace sent by the real `jaeger-client` package, as an application would.

Usage: `python jaeger_client_python.py AGENT_PORT`. Prints trace and span ids as one JSON object.
Runs as a program of its own: the client starts threads and keeps one tracer for the process.
"""

from __future__ import annotations

import json
import sys
import time

import opentracing
from jaeger_client import Config

SECONDS_MAX = 10
PARENT_TAGS = {
    "span.kind": "server",
    "http.status_code": 503,
    "error": True,
    "float": 0.1,
    "text": "é 한국어",
    "big": 2**53,
}


def main() -> None:
    """Send two spans to the agent's port and wait until they are out."""
    config = Config(
        config={
            "sampler": {"type": "const", "param": 1},
            "local_agent": {"reporting_host": "127.0.0.1", "reporting_port": int(sys.argv[1])},
            "generate_128bit_trace_id": True,
            "tags": {"deploy.env": "test"},
            "logging": False,
        },
        service_name="jaeger-client-python",
        validate=True,
    )
    tracer = config.new_tracer()
    parent = tracer.start_span("parent", start_time=1_700_000_000.25)
    for key, value in PARENT_TAGS.items():
        parent.set_tag(key, value)
    parent.log_kv({"event": "error", "message": "boom"}, timestamp=1_700_000_000.5)
    child = tracer.start_span(
        "child",
        references=[opentracing.follows_from(parent.context)],
        start_time=1_700_000_000.375,
    )
    child.set_tag("span.kind", "client").set_tag("peer.service", "db")
    child.finish(finish_time=1_700_000_000.5)
    parent.finish(finish_time=1_700_000_000.75)
    sent = {
        "traceId": f"{parent.trace_id:032x}",
        "parentSpanId": f"{parent.span_id:016x}",
        "childSpanId": f"{child.span_id:016x}",
    }
    closing = tracer.close()
    deadline = time.perf_counter() + SECONDS_MAX
    while not closing.done():
        if time.perf_counter() > deadline:
            raise SystemExit("the client did not send within 10 s")
        time.sleep(0.01)
    sys.stdout.write(json.dumps(sent))


if __name__ == "__main__":
    main()
