"""What arrives of spans sent by UDP at a steady rate: `python -m bench.udp`.

The sender is a process of its own, paced by the clock, that sends Jaeger's compact thrift to a
running `lymer all-in-one`. A span is lost if it was sent and is not stored; what Lymer counted as
lost stands beside it. Lymer asks for a large socket buffer and gets `net.core.rmem_max` unless it
is root; with `sysctl net.core.rmem_max=212992` and another user it is as small as Linux comes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.process import require_linux
from bench.server import Server
from bench.translate_jaeger import compact_message
from lymer import clock

_BURST_SECONDS: Final = 0.01
"""How long the sender sleeps between bursts at most."""


def _send(port: int, spans: int, rate: float, seconds: float) -> None:
    """Send `rate` spans a second, `spans` in each datagram."""
    datagram = compact_message(0, spans)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", port))
    wanted = round(rate * seconds / spans)
    began, sent = clock.monotonic_seconds(), 0
    while sent < wanted:
        due = min(wanted, int((clock.monotonic_seconds() - began) * rate / spans))
        for _ in range(due - sent):
            sender.send(datagram)
        sent = max(sent, due)
        time.sleep(_BURST_SECONDS / 10)


def main() -> int:
    """Measure each size of datagram; return the exit code."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m bench.udp", description=__doc__)
    parser.add_argument("--rate", type=float, default=10_000, help="spans a second (10000)")
    parser.add_argument("--seconds", type=float, default=20, help="how long (20)")
    parser.add_argument("--spans", default="1,10", help="spans of a datagram (1,10)")
    arguments = parser.parse_args()
    for spans in map(int, arguments.spans.split(",")):
        with (
            tempfile.TemporaryDirectory() as folder,
            Server(Path(folder)) as server,
        ):
            before = server.cpu()
            process = multiprocessing.get_context("spawn").Process(
                target=_send,
                args=(server.ports["udp"], spans, arguments.rate, arguments.seconds),
            )
            process.start()
            process.join()
            time.sleep(2)
            server.wait_loaded()
            sent = round(arguments.rate * arguments.seconds / spans) * spans
            stored = server.metric("lymer_store_spans_total")
            refused = server.metric("lymer_receiver_refused_requests_total")
            cpu = (server.cpu() - before) / arguments.seconds
        print(
            f"{spans:3} spans in a datagram, {arguments.rate:,.0f} spans/s: sent {sent:,}, "
            f"lost {sent - stored:,.0f} spans ({1 - stored / sent:.3%}), "
            f"counted as lost {refused:,.0f} datagrams, {cpu:.0%} of a core"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
