"""Start, stop, restart, and what is said when it cannot start."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.lymer_process import Lymer, lymer_environment
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of

NewLymer = Callable[..., Lymer]

SENTENCE_CHARACTERS_MAX = 400


def _send(lymer: Lymer, trace_id: bytes, spans: int = 1) -> None:
    request = request_of(*(span_of(trace_id) for _ in range(spans)))
    response = lymer.http.post(
        lymer.otlp_http_url,
        content=request.SerializeToString(),
        headers={"Content-Type": PROTOBUF},
    )
    assert response.status_code == 200, response.text


def _run_to_its_end(lymer: Lymer) -> subprocess.CompletedProcess[str]:
    """Run a Lymer that is expected to refuse; one that starts is ended by the time limit."""
    return subprocess.run(
        lymer.command,
        env=lymer.environment,
        cwd=lymer.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _assert_one_clear_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode not in (0, -signal.SIGKILL)
    assert "Traceback" not in done.stderr
    assert len(last) <= SENTENCE_CHARACTERS_MAX
    for word in words:
        assert word in last


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_what_was_acknowledged_is_there_after_a_stop_and_a_restart(
    new_lymer: NewLymer, with_signal: signal.Signals
) -> None:
    """A stop right after the acknowledgements exits 0, loses nothing and doubles nothing."""
    lymer = new_lymer()
    lymer.start()
    trace_ids = [new_trace_id() for _ in range(5)]
    for trace_id in trace_ids:
        _send(lymer, trace_id, spans=3)

    code = lymer.stop(with_signal)

    assert code == 0, lymer.log_tail()
    lymer.start()
    for trace_id in trace_ids:
        trace = lymer.wait_for_trace(trace_id.hex(), 3)
        assert len(trace["spans"]) == 3
    assert lymer.stop() == 0


def test_what_was_acknowledged_is_there_after_a_kill(new_lymer: NewLymer) -> None:
    """An acknowledged span survives kill -9, once."""
    lymer = new_lymer()
    lymer.start()
    trace_id = new_trace_id()
    _send(lymer, trace_id, spans=5)

    os.kill(lymer.pid, signal.SIGKILL)
    lymer.kill()

    lymer.start()
    assert len(lymer.wait_for_trace(trace_id.hex(), 5)["spans"]) == 5


def test_the_ready_block_says_where_everything_is(shared_lymer: Lymer) -> None:
    """The block names the UI, both OTLP addresses and the data folder."""
    printed = shared_lymer.log.read_text()

    assert str(shared_lymer.ports["query"]) in printed
    assert str(shared_lymer.ports["otlp_grpc"]) in printed
    assert str(shared_lymer.ports["otlp_http"]) in printed
    assert str(shared_lymer.data_dir) in printed


@pytest.mark.parametrize(
    "listener",
    [
        "otlp_grpc",
        "otlp_http",
        "jaeger_grpc",
        "jaeger_http",
        "jaeger_udp_compact",
        "jaeger_udp_binary",
        "zipkin",
        "query",
        "admin",
        "health",
    ],
)
def test_a_taken_port_is_one_clear_sentence(new_lymer: NewLymer, listener: str) -> None:
    """Somebody else's port ends the start with its number, and leaves no listener behind."""
    lymer = new_lymer()
    kind = socket.SOCK_DGRAM if "_udp_" in listener else socket.SOCK_STREAM
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", lymer.ports[listener]))
        if kind == socket.SOCK_STREAM:
            taken.listen()

        done = _run_to_its_end(lymer)

    _assert_one_clear_sentence(done, str(lymer.ports[listener]))


def test_a_door_that_is_not_wanted_is_not_open(new_lymer: NewLymer) -> None:
    """Lymer starts beside another program on a port it was told not to use, and names it not."""
    doors = (
        "receivers.jaeger_grpc", "receivers.jaeger_http", "receivers.zipkin",
        "sampling.http", "sampling.grpc",
    )  # fmt: skip
    closed = {f"LYMER__{door.upper().replace('.', '__')}__ENABLED": "false" for door in doors}
    lymer = new_lymer(**closed)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", lymer.ports["zipkin"]))
        taken.listen()

        lymer.start()

    (line,) = [line for line in lymer.log.read_text().splitlines() if " Also " in line]
    compact, binary = lymer.ports["jaeger_udp_compact"], lymer.ports["jaeger_udp_binary"]
    assert line.split() == f"Also Jaeger UDP compact {compact}, UDP binary {binary}".split()


def test_a_second_instance_on_the_folder_is_refused(
    new_lymer: NewLymer, shared_lymer: Lymer
) -> None:
    """The second one says whose folder it is and stops; the first one goes on."""
    second = new_lymer()
    second.data_dir = shared_lymer.data_dir

    done = _run_to_its_end(second)

    _assert_one_clear_sentence(done, str(shared_lymer.data_dir))
    assert shared_lymer.answers_ready()


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(new_lymer: NewLymer) -> None:
    """A data folder below a file cannot exist."""
    lymer = new_lymer()
    (lymer.folder / "file").write_text("not a folder")
    lymer.data_dir = lymer.folder / "file" / "data"

    done = _run_to_its_end(lymer)

    _assert_one_clear_sentence(done, str(lymer.data_dir))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_clear_sentence(new_lymer: NewLymer) -> None:
    """A data folder without write permission is refused at start, not at the first span."""
    lymer = new_lymer()
    lymer.data_dir.mkdir(mode=0o500)

    done = _run_to_its_end(lymer)

    _assert_one_clear_sentence(done, str(lymer.data_dir))


def test_an_unknown_setting_is_refused_with_the_nearest_name(new_lymer: NewLymer) -> None:
    """A mistyped key ends the start with exit code 2, its line and what was meant."""
    lymer = new_lymer()
    file = lymer.folder / "lymer.yaml"
    file.write_text("query:\n  prot: 16686\n")

    done = subprocess.run(
        [*lymer.command, "--config", str(file)],
        env=lymer.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert "lymer.yaml:2:3" in done.stderr
    assert '"port"' in done.stderr


def test_help_costs_little() -> None:
    """The best of five `lymer --help` needs less than 150 ms of processor time."""
    costs = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "lymer", "--help"],
            env=lymer_environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0, done.stderr
        assert "all-in-one" in done.stdout

    assert min(costs) < 0.150


def test_data_is_written_below_the_folder_only(new_lymer: NewLymer, tmp_path: Path) -> None:
    """With --data-dir given, nothing appears in the home folder."""
    lymer = new_lymer(HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path / "share"))
    lymer.start()
    trace_id = new_trace_id()
    _send(lymer, trace_id)
    lymer.wait_for_trace(trace_id.hex(), 1)

    assert lymer.stop() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["all-in-one", "collector"])
def test_without_otlp_neither_of_its_doors_is_open(tmp_path: Path, role: str) -> None:
    """And the ready block names none."""
    lymer = Lymer(tmp_path, role=role, arguments=["--collector.otlp.enabled=false"])
    try:
        lymer.start()
        for door in ("otlp_grpc", "otlp_http"):
            with pytest.raises(ConnectionRefusedError), socket.socket() as client:
                client.connect(("127.0.0.1", lymer.ports[door]))
        assert lymer.stop() == 0
        assert "OTLP" not in lymer.log.read_text()
    finally:
        lymer.close()
