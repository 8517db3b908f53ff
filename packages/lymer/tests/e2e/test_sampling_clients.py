"""Real remote samplers get a strategy from a running Lymer and obey it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from e2e.javascript import JS_FOLDER, Node, find_node
from e2e.lymer_process import Lymer, lymer_environment
from lymer.clock import monotonic_seconds

PYTHON_CLIENT = Path(__file__).parent / "jaeger_sampler_python.py"
OBEYED_SECONDS_MAX = 20
STRATEGIES = {
    "default_strategy": {"type": "probabilistic", "param": 0.5},
    "service_strategies": [
        {
            "service": "shop",
            "type": "probabilistic",
            "param": 0.5,
            "operation_strategies": [
                {"operation": "pay", "type": "probabilistic", "param": 1},
                {"operation": "health", "type": "probabilistic", "param": 0},
            ],
        }
    ],
}
CHANGED = {
    "service_strategies": [
        {
            "service": "shop",
            "type": "probabilistic",
            "param": 0.5,
            "operation_strategies": [
                {"operation": "pay", "type": "probabilistic", "param": 0},
                {"operation": "health", "type": "probabilistic", "param": 1},
            ],
        }
    ],
}


class Client:
    """A process with a remote sampler; asked for shares, it starts traces and says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Hold the process."""
        self._process = process

    def shares(self, *operations: str) -> dict[str, float]:
        """Return which share of the traces of each operation is sampled."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(operations) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the client ended; its words are above"
        shares: dict[str, float] = json.loads(answer)
        return shares

    def obeys(self, **expected: float) -> None:
        """Wait until the shares are as expected, give or take chance."""
        deadline = monotonic_seconds() + OBEYED_SECONDS_MAX
        shares = self.shares(*expected)
        # 1,000 traces: 7 standard deviations of a half are 0.11.
        while any(abs(shares[name] - share) > 0.11 for name, share in expected.items()):
            assert monotonic_seconds() < deadline, shares
            shares = self.shares(*expected)


@contextmanager
def running(command: Sequence[str | Path], folder: Path) -> Iterator[Client]:
    """Run a client; it ends when its input does."""
    with subprocess.Popen(
        [str(each) for each in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=lymer_environment(),
    ) as process:
        try:
            yield Client(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def node() -> Node:
    """Node with the clients installed; without Node the tests are skipped, and say so."""
    found = find_node()
    if found is None:
        pytest.skip("no Node: install requirements/dev.txt, or node and npm")
    found.install_packages()
    return found


def _started(
    new_lymer: Callable[..., Lymer], tmp_path: Path, strategies: object
) -> tuple[Lymer, Path]:
    file = tmp_path / "strategies.json"
    file.write_text(json.dumps(strategies))
    lymer = new_lymer(LYMER__SAMPLING__FILE__PATH=str(file))
    lymer.start()
    return lymer, file


def _check_obedience(client: Client, file: Path) -> None:
    client.obeys(pay=1, health=0, other=0.5)
    file.write_text(json.dumps(CHANGED))
    client.obeys(pay=0, health=1, other=0.5)


@pytest.mark.node
@pytest.mark.parametrize("name", ["jaeger", "opentelemetry"])
def test_javascript_obeys(
    node: Node, new_lymer: Callable[..., Lymer], tmp_path: Path, name: str
) -> None:
    """jaeger-client and @opentelemetry/sampler-jaeger-remote, through a change of the file."""
    lymer, file = _started(new_lymer, tmp_path, STRATEGIES)
    command = [node.node, "remote-sampler.mjs", name, "shop", str(lymer.ports["sampling_http"])]
    with running(command, JS_FOLDER) as client:
        _check_obedience(client, file)


@pytest.mark.skipif(find_spec("jaeger_client") is None, reason="jaeger-client is not installed")
def test_python_obeys(new_lymer: Callable[..., Lymer], tmp_path: Path) -> None:
    """jaeger-client's sampler polls once a second."""
    lymer, file = _started(new_lymer, tmp_path, STRATEGIES)
    command = [sys.executable, PYTHON_CLIENT, "shop", str(lymer.ports["sampling_http"])]
    with running(command, tmp_path) as client:
        _check_obedience(client, file)


@pytest.mark.node
def test_a_rate_is_obeyed(node: Node, new_lymer: Callable[..., Lymer], tmp_path: Path) -> None:
    """jaeger-client starts a thousand traces at once; a few a second are sampled, not half."""
    strategies = {"default_strategy": {"type": "ratelimiting", "param": 5}}
    lymer, _ = _started(new_lymer, tmp_path, strategies)
    command = [
        node.node, "remote-sampler.mjs", "jaeger", "any", str(lymer.ports["sampling_http"]),
    ]  # fmt: skip
    with running(command, JS_FOLDER) as client:
        deadline = monotonic_seconds() + OBEYED_SECONDS_MAX
        while not (share := client.shares("pay")["pay"]):
            assert monotonic_seconds() < deadline

    assert 0 < share <= 0.05


def test_every_door_says_the_same(new_lymer: Callable[..., Lymer], tmp_path: Path) -> None:
    """5778 in both shapes and 14268, on a running process; metrics count them."""
    lymer, _ = _started(new_lymer, tmp_path, STRATEGIES)
    sampling = f"http://127.0.0.1:{lymer.ports['sampling_http']}"
    collector = f"http://127.0.0.1:{lymer.ports['jaeger_http']}"
    half = {"samplingRate": 0.5}

    answers = [
        lymer.http.get(f"{sampling}/sampling?service=x").json(),
        lymer.http.get(f"{collector}/api/sampling?service=x").json(),
        lymer.http.get(f"{sampling}/?service=x").json(),
    ]
    metrics = lymer.http.get(f"http://127.0.0.1:{lymer.ports['admin']}/metrics").text

    assert answers == [
        {"strategyType": "PROBABILISTIC", "probabilisticSampling": half},
        {"strategyType": "PROBABILISTIC", "probabilisticSampling": half},
        {
            "strategyType": 0,
            "probabilisticSampling": half,
            "rateLimitingSampling": None,
            "operationSampling": None,
        },
    ]
    assert 'jaeger_remote_sampling_http_server_requests_total{type="sampling"} 2.0' in metrics


def test_without_strategies_everything_is_sampled(shared_lymer: Lymer) -> None:
    """As Jaeger's all-in-one."""
    url = f"http://127.0.0.1:{shared_lymer.ports['sampling_http']}/sampling?service=x"

    assert shared_lymer.http.get(url).json() == {
        "strategyType": "PROBABILISTIC",
        "probabilisticSampling": {"samplingRate": 1},
    }


def test_a_missing_file_stops_the_start(new_lymer: Callable[..., Lymer], tmp_path: Path) -> None:
    """With its name and what to do."""
    lymer = new_lymer(LYMER__SAMPLING__FILE__PATH=str(tmp_path / "missing.json"))

    done = subprocess.run(
        lymer.command,
        env=lymer.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert "missing.json: No such file or directory; correct it" in done.stderr
