"""`lymer doctor` finds what is wrong, and nothing where all is well."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from e2e.lymer_process import Lymer, lymer_environment
from fakes.certificates import Authority


def said(lymer: Lymer | None, *arguments: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines, but for what is this machine's."""
    environment = lymer.environment if lymer else lymer_environment()
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "doctor", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    return done.returncode, [line for line in lines if "clock:" not in line]


def problems(lines: list[str]) -> list[str]:
    """Return what is a problem."""
    return [line for line in lines if line.startswith("problem")]


def test_nothing_is_wrong_beside_a_lymer_that_runs(new_lymer: Callable[..., Lymer]) -> None:
    """The ports are its own, and its rate is held against the disk."""
    lymer = new_lymer()
    lymer.start()
    code, lines = said(lymer, "--role", "all-in-one", "--data-dir", str(lymer.data_dir))

    assert code == 0, lines
    assert problems(lines) == []
    assert any("a lymer all-in-one answers" in line for line in lines)
    assert any("spans/s for 7 days need" in line for line in lines)


def test_a_port_that_somebody_else_has_is_named(new_lymer: Callable[..., Lymer]) -> None:
    """With the setting that moves it."""
    lymer = new_lymer()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", lymer.ports["query"]))
        taken.listen()
        code, lines = said(lymer, "--role", "query")

    assert code == 1
    (line,) = [line for line in problems(lines) if " query:" in line]
    assert f"port {lymer.ports['query']} cannot be had" in line


def test_a_certificate_that_ends_or_does_not_fit(tmp_path: Path) -> None:
    """Each file that is wrong, by the setting that names it."""
    authority = Authority()
    cert, _ = authority.issue("localhost").write(tmp_path, "one")
    _, other = authority.issue("localhost").write(tmp_path, "two")
    code, lines = said(
        None,
        "--data-dir",
        str(tmp_path),
        f"--set=tls.cert_file={cert}",
        f"--set=tls.key_file={other}",
    )

    assert code == 1
    assert any("tls: " in line and "give a pair that fits" in line for line in problems(lines))


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    """A name that nobody knows, a port where nobody is, a server of another authority."""
    folder = ("--data-dir", str(tmp_path))
    _, unknown = said(None, *folder, "--role=agent", "--set=agent.targets=nowhere.invalid:4317")
    _, closed = said(None, *folder, "--role=query", "--set=remote_storage.target=127.0.0.1:1")
    _, empty = said(None, *folder, "--role=agent")

    assert any("nowhere.invalid is not known" in line for line in problems(unknown))
    assert any("127.0.0.1:1 does not answer" in line for line in problems(closed))
    assert any("name a collector" in line for line in problems(empty))


def test_a_target_of_another_authority(new_role: Callable[..., Lymer], tmp_path: Path) -> None:
    """TLS is tried as the agent would, with its certificate too."""
    authority, stranger = Authority(), Authority("stranger")
    cert, key = authority.issue("localhost").write(tmp_path, "server")
    own_cert, own_key = authority.issue("agent").write(tmp_path, "agent")
    ca = authority.write(tmp_path, "ca")
    collector = new_role(
        "collector",
        f"--set=tls.cert_file={cert}",
        f"--set=tls.key_file={key}",
        f"--set=tls.client_ca_file={ca}",
        "--set=health.tls.enabled=false",
        "--set=admin.tls.enabled=false",
    )
    collector.start()
    target = f"localhost:{collector.ports['otlp_grpc']}"
    base = ("--data-dir", str(tmp_path), "--role=agent", f"--set=agent.targets={target}")
    tls = (*base, "--set=agent.tls.enabled=true")
    wrong = f"--set=agent.tls.ca_file={stranger.write(tmp_path, 'other')}"
    right = f"--set=agent.tls.ca_file={ca}"
    pair = (f"--set=agent.tls.cert_file={own_cert}", f"--set=agent.tls.key_file={own_key}")

    assert any("TLS with" in line for line in problems(said(None, *tls, wrong, *pair)[1]))
    assert problems(said(None, *tls, right)[1])
    assert problems(said(None, *tls, right, *pair)[1]) == []


def test_a_chain_is_looked_at_whole(tmp_path: Path) -> None:
    """What signed a certificate, and what others are trusted by, end too."""
    good, over = Authority().issue("localhost"), Authority("over").issue("over", days=-1)
    good.write(tmp_path, "chain")
    (tmp_path / "chain.pem").write_bytes(good.certificate + over.certificate)
    (tmp_path / "ca.pem").write_bytes(over.certificate)
    _, lines = said(
        None,
        f"--data-dir={tmp_path}",
        f"--set=tls.cert_file={tmp_path / 'chain.pem'}",
        f"--set=tls.key_file={tmp_path / 'chain.key'}",
        f"--set=tls.client_ca_file={tmp_path / 'ca.pem'}",
    )

    assert any("chain.pem has ended" in line for line in problems(lines))
    assert any("every CA in" in line and "tls.client_ca_file" in line for line in problems(lines))


def test_a_clickhouse_server_that_is_not_there(tmp_path: Path) -> None:
    """For query too, which then asks no collector; and no store fills this disk."""
    server = "--set=storage.clickhouse_url=http://127.0.0.1:1"
    for role in ("query", "collector"):
        _, lines = said(None, f"--role={role}", f"--data-dir={tmp_path}", server)
        assert any("storage.clickhouse_url: http://127.0.0.1:1 does" in x for x in problems(lines))
        assert not any("remote_storage" in line or "days are kept" in line for line in lines)
