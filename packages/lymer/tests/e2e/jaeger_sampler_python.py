"""What the remote sampler of the real `jaeger-client` package decides.

Usage: `python jaeger_sampler_python.py SERVICE SAMPLING_PORT`. For each line on stdin, a JSON list
of operations, it starts traces of each and prints which share of them is sampled, as one JSON
object a line. Ends with stdin.
"""

from __future__ import annotations

import json
import sys

from jaeger_client import Config

TRACES = 1000


def main() -> None:
    """Start the tracer and answer."""
    service, port = sys.argv[1:]
    config = Config(
        config={
            "local_agent": {
                "reporting_host": "127.0.0.1",
                "reporting_port": 9,
                "sampling_port": int(port),
            },
            "sampling_refresh_interval": 1,
            "logging": False,
        },
        service_name=service,
        validate=True,
    )
    tracer = config.new_tracer()
    for line in sys.stdin:
        shares = {
            operation: sum(
                bool(tracer.start_span(operation).context.flags & 1) for _ in range(TRACES)
            )
            / TRACES
            for operation in json.loads(line)
        }
        sys.stdout.write(json.dumps(shares) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
