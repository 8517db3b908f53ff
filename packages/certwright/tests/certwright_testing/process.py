"""`certwright` as a user starts it: a process of its own, with its output kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["Program", "eventually", "status_of"]

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 20.0


class Program:
    """One process."""

    def __init__(self, log: Path, *arguments: str) -> None:
        """Start it; its output goes to `log`."""
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "certwright", *arguments],
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    @classmethod
    @contextmanager
    def running(cls, log: Path, *arguments: str) -> Iterator[Program]:
        """Run it for the length of a context, and end it if it has not ended itself."""
        program = cls(log, *arguments)
        try:
            yield program
        finally:
            program.stop()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def stop(self) -> int:
        """End it as an operator does, and return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends, and return its exit code."""
        try:
            return self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"it does not end; {self.output}") from None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """Return the end of its output, and where all of it is."""
        text = self.log.read_text(errors="replace")[-3000:]
        return f"output of {self.log}:\n{text}"

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; fail with the output if it does not, or the process ends."""
        deadline = time.monotonic() + START_SECONDS_MAX  # noqa: TID251 - a test waits for a process
        while not holds():
            late = time.monotonic() > deadline  # noqa: TID251
            assert self.is_running, f"it ended with {self._process.returncode}; {self.output}"
            assert not late, f"it does not hold after {START_SECONDS_MAX} s; {self.output}"
            time.sleep(0.05)


def eventually(holds: Callable[[], bool], seconds_max: float = START_SECONDS_MAX) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds_max  # noqa: TID251 - a test waits for a process
    while not holds():
        assert time.monotonic() < deadline, f"it does not hold after {seconds_max} s"  # noqa: TID251
        time.sleep(0.05)


def status_of(url: str) -> int:
    """Return the status of a GET; 0 if nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
