"""Thousands of Certificates of 160 hours in simulated time, and a CA that is away for two days."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from typing import Any


def main() -> None:
    """Print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificates", type=int, default=10_000)
    count = parser.parse_args().certificates
    sys.path.insert(0, "packages/certwright/tests")
    absence: Any = importlib.import_module("certwright_testing.absence")
    told = asyncio.run(absence.play_absence(count))
    hours = [sum(told.back[hour : hour + 6]) for hour in range(0, len(told.back), 6)]
    sys.stdout.write(
        f"{count} Certificates, {told.signed} issued; least life left {told.least_left};"
        f" asked in vain {told.asked_in_vain}; {told.cpu_seconds:.0f} s of CPU\n"
        f"in each ten minutes after the return: {told.back}\n"
        f"in each hour after the return: {hours}\n"
        f"in each hour from a day after it: {told.later}\n"
    )


if __name__ == "__main__":
    main()
