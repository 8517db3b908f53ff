"""Wherever it is started, and whatever stands in its way: it starts, or says one sentence."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from e2e.lymer_process import Lymer, poll

SENTENCE_CHARACTERS_MAX: Final = 400

READ_ONLY: Final = """
mount --make-rprivate /
mkdir -p "$DATA"; mount --bind "$DATA" "$DATA"
awk '{ print $5, $6 }' /proc/self/mountinfo | while read -r place flags; do
  case "$place" in
    "$DATA" | /proc* | /sys* | /dev | /dev/pts) ;;
    *) mount -o "remount,bind,$flags,ro" "$place" ;;
  esac
done
for place in /tmp /var/tmp /dev/shm "$HOME" .; do
  if touch "$place/lymer-can-write" 2> /dev/null; then echo "$place can be written"; exit 99; fi
done
exec "$@"
"""
NO_CGROUP: Final = 'mount -t tmpfs -o size=64k none /sys/fs/cgroup && exec "$@"'
"""Programs, as `sh` runs them, in namespaces of their own; `$DATA` is the data folder."""

OWN_MOUNTS: Final = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
PLACES: Final[dict[str, tuple[str, ...]]] = {
    "read-only root": (*OWN_MOUNTS, READ_ONLY, "sh"),
    "cgroup out of sight": (*OWN_MOUNTS, NO_CGROUP, "sh"),
    # Nobody's user, without any capability.
    "a user without a home": ("unshare", "--user", "env", "--unset=HOME"),
    "in a folder that was removed": (
        "sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', "sh",
    ),
    "in a folder of somebody else": (
        "sh", "-c", 'mkdir theirs; cd theirs; chmod 0 .; exec unshare --user "$@"', "sh",
    ),
    "no temporary folder": ("env", "TMPDIR=/nowhere", "LC_ALL=xx_YY"),
}  # fmt: skip


class Started:
    """A Lymer under odd circumstances."""

    def __init__(self, folder: Path, role: str, within: tuple[str, ...] = ()) -> None:
        arguments = ["--set", "agent.targets=127.0.0.1:9"] if role == "agent" else []
        self.lymer = Lymer(folder, role=role, arguments=arguments, within=within)
        self.data = self.lymer.data_dir
        self.environment = {**self.lymer.environment, "DATA": str(self.data)}

    def run_to_its_end(self) -> subprocess.CompletedProcess[str]:
        """Run one that is expected to refuse; one that starts is ended by the time limit."""
        return subprocess.run(
            self.lymer.command,
            env=self.environment,
            cwd=self.lymer.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def said_until_ready(self) -> list[str]:
        """Run it until it is ready, stop it, and return what it had said before."""
        with subprocess.Popen(
            self.lymer.command,
            env=self.environment,
            cwd=self.lymer.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                if "is ready" in line:
                    break
                said.append(line.strip())
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read()
            assert process.wait(20) == 0, "\n".join([*said, rest])
        return [line for line in said if line]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Make such Lymers."""
    made = []

    def make(role: str, *within: str) -> Started:
        made.append(Started(tmp_path, role, within))
        return made[-1]

    yield make
    for one in made:
        one.lymer.close()
    for folder in tmp_path.rglob("*"):
        if folder.is_dir():
            folder.chmod(0o700)


@pytest.mark.parametrize(
    ("role", "place"),
    [("all-in-one", place) for place in PLACES]
    + [(role, place) for role in ("collector", "agent", "query") for place in list(PLACES)[:1]],
)
def test_it_starts(start: Callable[..., Started], role: str, place: str) -> None:
    """Every role comes up and stops, and says nothing but lines of its log."""
    said = start(role, *PLACES[place]).said_until_ready()

    for line in said:
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (INFO|WARNING) ", line), said


@pytest.mark.parametrize(
    ("role", "closed"),
    [("all-in-one", "<&- >&- 2>&-"), ("query", "<&-"), ("query", ">&-"), ("query", "2>&-")],
)
def test_it_starts_with_closed_streams(
    start: Callable[..., Started], role: str, closed: str
) -> None:
    """No socket of ours takes the place of a stream, to be printed into."""
    started = start(role, "sh", "-c", f'exec "$@" {closed}', "sh")
    started.lymer.launch()

    for _ in poll(30):
        if _answers(started.lymer):
            break
    assert _answers(started.lymer)
    assert started.lymer.stop() == 0


def _answers(lymer: Lymer) -> bool:
    try:
        return lymer.http.get(f"{lymer.admin_url}/metrics", timeout=1).status_code == 200
    except OSError:
        return False
    except Exception as error:
        if type(error).__module__.startswith("httpx"):
            return False
        raise


FileFault = Callable[[Path], object]
FILE_FAULTS: Final[dict[str, tuple[tuple[str, ...], FileFault]]] = {
    "data folder is a file": (("all-in-one", "agent"), lambda data: data.write_text("")),
    "data folder not writable": (("all-in-one", "agent"), lambda data: data.mkdir(0o555)),
    "lock is a folder": (("all-in-one",), lambda data: (data / "lock").mkdir(parents=True)),
    "journal is a file": (("all-in-one", "agent"), lambda data: _file(data / "journal")),
    "journal is a dangling link": (("all-in-one",), lambda data: _link(data / "journal")),
    "journal is nobody's": (("all-in-one", "agent"), lambda data: _closed(data / "journal")),
    "quarantine is a file": (("all-in-one", "agent"), lambda data: _file(data / "quarantine")),
    "quarantine is a dangling link": (("all-in-one",), lambda data: _link(data / "quarantine")),
    "quarantine is nobody's": (("agent",), lambda data: _closed(data / "quarantine")),
    "store is a file": (("all-in-one",), lambda data: _file(data / "store")),
    "store is nobody's": (("all-in-one",), lambda data: _closed(data / "store")),
    "a part of the store is": (("all-in-one",), lambda data: _closed(data / "store" / "metadata")),
    "deliveries are something else": (("all-in-one",), lambda data: _file(data / "deliveries")),
    "names are something else": (("agent",), lambda data: _file(data / "agent.json")),
    "a segment is nobody's": (
        ("all-in-one", "agent"), lambda data: _file(data / "journal" / f"{7:020}.otlp", 0),
    ),
    "a segment is on a disk that is away": (
        ("all-in-one",), lambda data: _link(data / "journal" / f"{7:020}.otlp"),
    ),
}  # fmt: skip


def _file(path: Path, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\xff\x00 something else")
    path.chmod(mode)


def _closed(path: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0)


def _link(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize(
    ("role", "fault"),
    [(role, fault) for fault, (roles, _) in FILE_FAULTS.items() for role in roles],
)
def test_a_file_in_its_way_is_one_sentence(
    start: Callable[..., Started], role: str, fault: str
) -> None:
    """The sentence says what cannot be done, where, and what to do."""
    started = start(role, "unshare", "--user")
    FILE_FAULTS[fault][1](started.data)

    done = started.run_to_its_end()

    _assert_one_sentence(done, str(started.data))


@pytest.mark.parametrize("role", ["all-in-one", "agent"])
def test_a_folder_named_like_a_segment_is_passed_over(
    start: Callable[..., Started], role: str
) -> None:
    """It holds no request; neither does a pipe, at which a reader would wait for ever."""
    started = start(role)
    names = [f"{7:020}.otlp", f"{7:020}.trial", f"{7:020}.rewrite"]
    for name in names:
        (started.data / "journal" / name).mkdir(parents=True)
    os.mkfifo(started.data / "journal" / f"{8:020}.otlp")

    said = started.said_until_ready()

    assert sum("none of the journal's segments" in line for line in said) == 2
    assert all((started.data / "journal" / name).is_dir() for name in names)


@pytest.mark.parametrize(
    ("within", "words"),
    [
        (("sh", "-c", 'ulimit -n 50; exec "$@"', "sh"), ("50 files open", "ulimit -n")),
        (("sh", "-c", 'ulimit -v 300000; exec "$@"', "sh"), ("engine", "ulimit -v")),
        (("env", "TZ=No/Where"), ("time zone No/Where", "set TZ")),
    ],
)
def test_what_the_system_denies_is_one_sentence(
    start: Callable[..., Started], within: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """A limit that is too small is named, and how to raise it."""
    _assert_one_sentence(start("all-in-one", *within).run_to_its_end(), *words)


@pytest.mark.parametrize("options", ["size=300k", "size=9m,nr_inodes=6"])
def test_a_full_disk_is_one_sentence(start: Callable[..., Started], options: str) -> None:
    """Where there is no room for a store."""
    script = f'mkdir -p "$DATA"; mount -t tmpfs -o {options} none "$DATA" && exec "$@"'
    started = start("all-in-one", *OWN_MOUNTS, script, "sh")

    _assert_one_sentence(started.run_to_its_end(), str(started.data), "space")


@pytest.mark.parametrize("name", [b"what?", b"caf\xe9"])
def test_a_path_the_engine_cannot_have_is_one_sentence(tmp_path: Path, name: bytes) -> None:
    """With a question mark in it the store would be in another folder."""
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()

    _assert_one_sentence(Started(folder, "all-in-one").run_to_its_end(), "--data-dir")


def _assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    (line,) = [line for line in done.stderr.splitlines() if "Z INFO " not in line]
    assert done.stdout == ""
    assert done.returncode == 1
    assert line.startswith("lymer: cannot ")
    assert len(line) <= SENTENCE_CHARACTERS_MAX
    for word in words:
        assert word in line
