"""The three commands of docs/certwright/acme.md, run as written, at a CA of our own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from certwright.pki.certificates import decode_certificates
from certwright_testing.pebble import Pebble, missing_pebble
from certwright_testing.standalone import leaf_of, wait_until

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
PAGE = Path(__file__).parents[4] / "docs/certwright/acme.md"


def commands() -> list[list[str]]:
    """Return the commands of the first block of the page."""
    text = PAGE.read_text().partition("## On a plain machine")[2]
    block = re.search(r"\n\n((?:    .+\n)+)", text)
    assert block is not None
    return [shlex.split(line) for line in block[1].splitlines()]


def test_three_commands(tmp_path: Path) -> None:
    """Only what leads outside is changed: the CA, its port, the folder and the reload command."""
    install, quickstart, standalone = commands()
    assert install == ["pip", "install", "certwright"]
    folder, reloaded = tmp_path / "certwright", tmp_path / "reloaded"
    with Pebble(tmp_path / "pebble") as pebble:
        changes = {
            "certwright": [sys.executable, "-m", "certwright"],
            "letsencrypt": [pebble.url, "--acme-ca-file", str(pebble.folder / "pebble.pem")],
            "/etc/certwright": [str(folder)],
            "0.0.0.0:80": [f"127.0.0.1:{pebble.http_port}"],
            "systemctl reload nginx": [f"touch {reloaded}"],
        }
        network = [
            "--http01-check-port",
            str(pebble.http_port),
            "--acme-http01-solver-nameservers",
            f"127.0.0.1:{pebble.dns_port}",
        ]

        def changed(words: list[str]) -> list[str]:
            found = [part for word in words for part in changes.get(word, [word])]
            return [*found, *network]

        first = subprocess.run(
            [*changed(quickstart), "--http01-listen", f"127.0.0.1:{pebble.http_port}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert first.returncode == 0, first.stdout + first.stderr
        assert f"{folder}/secrets/default/www.example.com/tls.crt" in first.stdout
        leaf = leaf_of(folder, "www.example.com")
        assert leaf is not None
        assert leaf.names.dns == ("www.example.com",)
        chain = decode_certificates(
            (folder / "secrets/default/www.example.com/tls.crt").read_bytes()
        )
        assert chain[1].is_signed_by(decode_certificates(pebble.root_pem())[0])

        with (tmp_path / "log").open("wb") as log:
            service = subprocess.Popen(changed(standalone), stdout=log, stderr=log)
        try:
            renew = [sys.executable, "-m", "certwright", "ctl", "renew", "www.example.com"]
            wait_until(lambda: b"serving" in (tmp_path / "log").read_bytes(), "it serves")
            subprocess.run([*renew, "--dir", str(folder)], check=True, timeout=50)
            wait_until(
                lambda: leaf_of(folder, "www.example.com") not in {None, leaf}, "it is renewed"
            )
            wait_until(reloaded.exists, "the reload command ran")
        finally:
            service.terminate()
            service.wait(20)


def test_what_does_not_work_is_said(tmp_path: Path) -> None:
    """A name that leads elsewhere: the page says which and why, and exit code 1 tells a script."""
    with Pebble(tmp_path / "pebble") as pebble:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "certwright",
                "quickstart",
                "www.example.com",
                "--acme",
                pebble.url,
                "--acme-ca-file",
                str(pebble.folder / "pebble.pem"),
                "--dir",
                str(tmp_path / "d"),
                "--timeout",
                "5s",
                "--http01-webroot",
                str(tmp_path),
                "--http01-check-port",
                str(pebble.http_port),
                "--acme-http01-solver-nameservers",
                f"127.0.0.1:{pebble.dns_port}",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )

    assert done.returncode == 1
    assert "www.example.com is not proven: Waiting for HTTP-01 challenge propagation" in done.stdout
    assert "certwright standalone" in done.stdout


@pytest.mark.parametrize(
    ("hosts", "flags", "message"),
    [
        pytest.param(["*.example.com"], ["--acme", "letsencrypt"], "dns01", id="wildcard"),
        pytest.param(["a.example.com"], ["--acme", "lets"], "is no CA", id="no CA"),
        pytest.param([], ["--acme", "letsencrypt"], "at least one", id="no name"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    tmp_path: Path, hosts: list[str], flags: list[str], message: str
) -> None:
    """Nothing is written."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "certwright",
            "quickstart",
            *hosts,
            *flags,
            "--dir",
            str(tmp_path / "d"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "d").exists()
