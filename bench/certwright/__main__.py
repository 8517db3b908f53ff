"""`python -m bench.certwright`: prints one line of the table in docs/certwright/benchmarks.md."""

from __future__ import annotations

import argparse
import logging

from bench.certwright.figures import HEADER

__all__ = ["main"]


def main() -> None:
    """Measure one run."""
    parser = argparse.ArgumentParser(prog="python -m bench.certwright")
    parser.add_argument("--certificates", type=int, default=1000, metavar="N")
    parser.add_argument("--store", choices=["memory", "cluster"], default="memory")
    parser.add_argument("--keys", choices=["RSA", "ECDSA"], default="RSA")
    parser.add_argument("--idle-seconds", type=float, default=20.0, metavar="S")
    options = parser.parse_args()
    if options.store == "memory":
        from bench.certwright.in_memory import measure_in_memory as measure
    else:
        from bench.certwright.on_a_cluster import measure_on_a_cluster as measure
    logging.disable(logging.WARNING)  # a CA that is not there yet is said otherwise
    figures = measure(options.certificates, options.keys, options.idle_seconds)
    print(HEADER)
    print(figures.line())


if __name__ == "__main__":
    main()
