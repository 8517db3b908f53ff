"""One demo service as a process: `python -m lymer.demo.service NAME`.

It talks with the process that started it by lines: it writes its port to standard output when it
listens, and reads the addresses of all services from standard input when they do. Standard input
is also its leash: when that ends, for whatever reason, the service stops.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opentelemetry import trace

from lymer.demo.services import SERVICES, Surroundings
from lymer.demo.tracing import start_tracing

__all__ = ["Order", "main"]

_STOP_SECONDS: Final = 5.0
"""Longest time a stop may take; then the process ends as it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the starting process writes as its first line, in JSON."""

    endpoint: str
    protocol: str
    folder: str
    seed: int


def main(name: str) -> None:
    """Run the service called `name` until standard input ends."""
    # Ctrl-C goes to the whole foreground group; who started us stops us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = Order(**json.loads(sys.stdin.readline()))
    provider = start_tracing(name, order.endpoint, order.protocol)
    trace.set_tracer_provider(provider)
    addresses: dict[str, str] = {}
    known = threading.Event()

    def wait_for_addresses() -> dict[str, str]:
        known.wait()
        return addresses

    running = SERVICES[name](
        Surroundings(
            tracer=provider.get_tracer(f"shop.{name}"),
            folder=Path(order.folder),
            draw=random.Random(order.seed),
            addresses=wait_for_addresses,
        )
    )

    def follow() -> None:
        for line in sys.stdin:
            addresses.update(json.loads(line))
            known.set()
        hang = threading.Timer(_STOP_SECONDS, os._exit, (1,))
        hang.daemon = True
        hang.start()
        running.stop()

    sys.stdout.write(f"{running.port}\n")
    sys.stdout.flush()
    threading.Thread(target=follow, name="leash", daemon=True).start()
    running.serve()
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
