"""The `lymer` command as a process: what it prints, how it ends, what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = ("chdb", "grpc", "starlette", "uvicorn", "opentelemetry", "google", "yaml", "asyncio")


def _lymer(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lymer", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        | {"HOME": "/home/ada"}
        | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("completion", "bash")])
def test_light_commands_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Help costs no engine, no gRPC, no web framework and no configuration."""
    program = (
        "import sys\n"
        "from lymer.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        f"sys.stderr.write(' '.join(m for m in {_HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_help_is_quick() -> None:
    """Nothing that takes long to import is needed for it."""
    program = (
        "import sys\nfrom lymer.cli import main\nsys.argv = ['lymer', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print(*sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    heavy = {"chdb", "grpc", "numpy", "yaml", "google.protobuf", "opentelemetry", "starlette"}
    assert "Usage: lymer" in shown
    assert not heavy & set(shown.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("all-in-one", "--help"),
        ("demo", "--help"),
        ("generate", "--help"),
        ("config", "--help"),
        ("config", "show", "--help"),
        ("version", "--help"),
        ("completion", "--help"),
    ],
)
def test_every_command_explains_itself(arguments: tuple[str, ...]) -> None:
    """Help ends with exit code 0 and says how it is used."""
    done = _lymer(*arguments)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: lymer")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("confg",), 'unknown command "confg": did you mean "config"?', id="command"),
        pytest.param(("--data-dri", "x"), "--data-dri", id="option"),
        pytest.param(("--set", "query.port"), 'needs PATH=VALUE, not "query.port"', id="--set"),
        pytest.param(
            ("--set", "query.prot=1"), 'unknown setting "query.prot": did you mean', id="setting"
        ),
        pytest.param(("--retention", "5m"), "--retention: ", id="value"),
        pytest.param(("--config", "/none.yaml"), "cannot read configuration file", id="file"),
        pytest.param(("generate", "--duration", "soon"), "must be a duration", id="duration"),
        pytest.param(("generate", "--header", "x"), 'needs NAME=VALUE, not "x"', id="header"),
        pytest.param(("generate", "--errors", "2"), "0<=x<=1", id="range"),
    ],
)
def test_a_wrong_command_line_is_a_sentence_with_exit_code_2(
    arguments: tuple[str, ...], sentence: str
) -> None:
    """Nothing is started, nothing is printed to standard output, no stack is shown."""
    done = _lymer(*arguments)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["demo", "generate"])
def test_nobody_at_the_endpoint_is_a_sentence_with_exit_code_1(command: str) -> None:
    """The sentence says where nobody listens and what to do."""
    done = _lymer(command, "--endpoint", "http://127.0.0.1:1")

    assert done.returncode == 1
    assert done.stderr == (
        "lymer: nothing listens at 127.0.0.1:1 (connection refused): start lymer first (run "
        "`lymer` in another terminal), or name the receiver with --endpoint\n"
    )


def test_a_configuration_is_checked(tmp_path: Path) -> None:
    """A good file is good; of a bad one every problem is a line."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("query: {port: 20000}\n", encoding="utf-8")
    bad.write_text("query: {port: x}\nlog: 1\n", encoding="utf-8")

    assert _lymer("config", "check", str(good)).stdout == f"{good}: no problem found\n"
    done = _lymer("config", "check", str(bad))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert f'lymer: {bad}:2:1: unknown setting "log": did you mean "logs"?' in done.stderr


def test_the_environment_is_checked_without_a_file() -> None:
    """A container that is configured by variables alone can be checked too."""
    assert _lymer("config", "check").stdout == "environment: no problem found\n"
    done = _lymer("config", "check", LYMER__LOGS__LEVEL="loud")
    assert done.returncode == 2
    assert 'LYMER__LOGS__LEVEL: "logs.level" must be one of debug' in done.stderr


def test_a_clickhouse_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is stored elsewhere than it was told."""
    done = _lymer(
        "--set", "storage.clickhouse_url=http://127.0.0.1:9", "--data-dir", str(tmp_path / "data")
    )

    assert done.returncode == 1
    assert done.stderr.startswith("lymer: cannot reach the ClickHouse server at 127.0.0.1:9: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_configuration_in_force_is_shown_with_its_origins() -> None:
    """Each value of the JSON form says where it came from."""
    done = _lymer(
        "config", "show", "--json", "--set", "query.port=20001", JAEGER_LISTEN_HOST="0.0.0.0"
    )

    shown = json.loads(done.stdout)
    assert shown["query.port"] == {"value": 20001, "origin": "--set query.port"}
    assert shown["listen_host"] == {"value": "0.0.0.0", "origin": "JAEGER_LISTEN_HOST"}
    assert shown["admin.host"]["value"] == "0.0.0.0"
    assert shown["admin.port"] == {"value": 14269, "origin": "default"}


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """`lymer config schema | head -1` shows no stack."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lymer", "config", "schema"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.wait(20)
    process.stderr.close()

    assert errors == b""


def test_the_version_is_printed() -> None:
    """Short for people, JSON for programs."""
    assert _lymer("--version").stdout.startswith("lymer ")
    assert {"lymer", "engine", "python"} == set(json.loads(_lymer("version", "--json").stdout))
