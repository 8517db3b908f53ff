"""A `certwright standalone` that is killed before its Nth change of a file, again and again.

::

    echo 17 | python -m certwright_testing.killed FOLDER ARGUMENT...      prints 1 if it was killed

One process imports everything and forks: a fork costs milliseconds where a start costs a second,
and is as dead after SIGKILL. A change is what Python's audit events tell before it is done: a file
or folder that is made, renamed, linked or removed. What is written into a file is seen by nobody
until the file is renamed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

__all__ = ["Killed"]

_CHANGES: Final = {
    "os.rename": 1,
    "os.remove": 0,
    "os.mkdir": 0,
    "os.rmdir": 0,
    "os.symlink": 1,
    "os.link": 1,
    "os.chmod": 0,
}
"""Audit events of changes, and which argument is the path."""


@dataclass(slots=True)
class Killed:
    """A folder that is served by processes which are killed. A context: ends the last."""

    folder: Path
    arguments: tuple[str, ...] = ()
    _process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(self.folder), *self.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def serve(self, changes: int) -> None:
        """Serve until that many files have changed: the process dies before the next."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{changes}\n")
        stdin.flush()
        said = stdout.readline()
        assert said.strip() == str(-signal.SIGKILL), f"it ended by itself: {said!r}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=30)


def _die_after(changes: int, folder: Path) -> None:
    """Kill this process before one more file below a folder changes."""
    left = changes
    lock = threading.Lock()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event == "open":
            path, _mode, flags = arguments
            if not flags & (os.O_CREAT | os.O_TRUNC):
                return
        elif event in _CHANGES:
            path = arguments[_CHANGES[event]]
        else:
            return
        if isinstance(path, int) or not os.fsdecode(path).startswith(str(folder)):
            return
        with lock:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    sys.addaudithook(hook)


def _main(folder: Path, arguments: list[str], orders: IO[str]) -> None:
    from certwright.cli.standalone import standalone

    warm = folder.with_name(f"{folder.name}-warm")
    warm.mkdir()
    (warm / "ca.yaml").write_text((folder / "ca.yaml").read_text())
    standalone.main([str(warm), "--once"], standalone_mode=False)
    for order in orders:
        child = os.fork()
        if child == 0:
            _die_after(int(order), folder)
            standalone.main([str(folder), *arguments], standalone_mode=False)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2:], sys.stdin)
