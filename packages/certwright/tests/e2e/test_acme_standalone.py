"""A certificate from an ACME CA on a plain machine, by each way to answer HTTP-01."""

from __future__ import annotations

import base64
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from certwright.pki.certificates import decode_certificates
from certwright_testing.pebble import Pebble, missing_pebble
from certwright_testing.standalone import Standalone, leaf_of, wait_until

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that proves names anew each time."""
    environment = {"PEBBLE_AUTHZREUSE": "0"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


def write_wishes(folder: Path, pebble: Pebble, *names: str) -> None:
    """Write an issuer and a certificate."""
    folder.mkdir()
    bundle = base64.b64encode(pebble.ca_pem).decode()
    (folder / "wishes.yaml").write_text(
        "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: acme}\nspec:\n  acme:\n"
        f"    server: {pebble.url}\n    caBundle: {bundle}\n    email: me@example.com\n"
        "    privateKeySecretRef: {name: account}\n    solvers: [{http01: {ingress: {}}}]\n---\n"
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web}\nspec:\n"
        f"  secretName: web\n  dnsNames: [{', '.join(names)}]\n  issuerRef: {{name: acme}}\n"
    )


def flags(pebble: Pebble, *more: str) -> tuple[str, ...]:
    """Return the flags that send checks to the CA's own name server and port."""
    return (
        "--http01-check-port",
        str(pebble.http_port),
        "--acme-http01-solver-nameservers",
        f"127.0.0.1:{pebble.dns_port}",
        "--dns01-check-retry-period",
        "1s",
        *more,
    )


def run_once(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(
        [sys.executable, "-m", "certwright", "standalone", str(folder), "--once", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )


def check_issued(folder: Path, pebble: Pebble, *names: str) -> None:
    """Check that the files hold a certificate by the CA, with its intermediate."""
    leaf = leaf_of(folder, "web")
    assert leaf is not None
    assert set(leaf.names.dns) == set(names)
    chain = decode_certificates((folder / "secrets/default/web/tls.crt").read_bytes())
    assert chain[0].is_signed_by(chain[1])
    assert chain[1].is_signed_by(decode_certificates(pebble.root_pem())[0])


def test_own_listener(tmp_path: Path, pebble: Pebble) -> None:
    """The port is taken only while there is something to prove."""
    folder = tmp_path / "d"
    write_wishes(folder, pebble, "a.example.com", "b.example.com")
    before = pebble.orders()

    done = run_once(folder, *flags(pebble, "--http01-listen", f"127.0.0.1:{pebble.http_port}"))

    assert done.returncode == 0, done.stderr
    check_issued(folder, pebble, "a.example.com", "b.example.com")
    assert pebble.orders() == before + 1
    assert not list((folder / "state/objects").glob("challenges.*/default/*"))


@pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx: install the Debian package")
def test_webroot_behind_nginx(tmp_path: Path, pebble: Pebble) -> None:
    """A web server that has the port shows the files; none is left behind."""
    folder, webroot = tmp_path / "d", tmp_path / "www"
    webroot.mkdir(mode=0o755)
    (webroot / "index.html").write_text("mine")
    write_wishes(folder, pebble, "c.example.com")
    tmp_path.chmod(0o755)
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; daemon off;\n"
        "user root; events {}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;"
        f" fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u;"
        f" scgi_temp_path {tmp_path}/s;\n"
        f"server {{ listen 127.0.0.1:{pebble.http_port}; root {webroot}; }} }}\n"
    )
    server = subprocess.Popen(["nginx", "-c", str(configuration)])
    try:
        wait_until((tmp_path / "nginx.pid").exists, "nginx runs")
        done = run_once(folder, *flags(pebble, "--http01-webroot", str(webroot)))
    finally:
        server.terminate()
        server.wait(10)

    assert done.returncode == 0, done.stderr
    check_issued(folder, pebble, "c.example.com")
    assert [path for path in webroot.rglob("*") if path.is_file()] == [webroot / "index.html"]


def test_command(tmp_path: Path, pebble: Pebble) -> None:
    """A command puts the answer where it likes, and takes it away."""
    folder, webroot = tmp_path / "d", tmp_path / "www"
    answers = webroot / ".well-known/acme-challenge"
    answers.mkdir(parents=True)
    write_wishes(folder, pebble, "d.example.com")
    script = tmp_path / "hook"
    script.write_text(
        f'#!/bin/sh\necho "$CERTWRIGHT_ACTION $CERTWRIGHT_DOMAIN" >> {tmp_path}/calls\n'
        f'f={answers}/"$CERTWRIGHT_TOKEN"\n'
        'case $CERTWRIGHT_ACTION in\n  present) printf %s "$CERTWRIGHT_KEY" > "$f";;\n'
        '  cleanup) rm -f "$f";;\nesac\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    web = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "http.server",
            str(pebble.http_port),
            "--bind",
            "127.0.0.1",
            "--directory",
            str(webroot),
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        done = run_once(folder, *flags(pebble, "--http01-command", str(script)))
    finally:
        web.terminate()
        web.wait(10)

    assert done.returncode == 0, done.stderr
    check_issued(folder, pebble, "d.example.com")
    calls = (tmp_path / "calls").read_text().split("\n")
    assert "present d.example.com" in calls
    assert calls[-2] == "cleanup d.example.com"
    assert not list(answers.iterdir())


def test_no_way_to_answer_is_said(tmp_path: Path, pebble: Pebble) -> None:
    """The text says which flags there are, and the CA is not asked to look."""
    folder = tmp_path / "d"
    write_wishes(folder, pebble, "e.example.com")

    done = run_once(folder, *flags(pebble, "--timeout", "3s"))

    assert done.returncode == 1
    assert leaf_of(folder, "web") is None
    (challenge,) = (folder / "state/objects").glob("challenges.*/default/*")
    assert "start it with --http01-listen" in challenge.read_text()


def test_a_port_that_is_taken_heals(tmp_path: Path, pebble: Pebble) -> None:
    """What is wrong is in the status; once the port is free, the same order goes on."""
    folder = tmp_path / "d"
    write_wishes(folder, pebble, "f.example.com")
    before = pebble.orders()
    blocker = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(pebble.http_port), "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    served = Standalone(folder, flags(pebble, "--http01-listen", f"127.0.0.1:{pebble.http_port}"))

    def says_why() -> bool:
        found = [*(folder / "state/objects").glob("challenges.*/default/*")]
        return bool(found) and "cannot listen on 127.0.0.1" in found[0].read_text()

    with served:
        try:
            wait_until(says_why, "the status says why")
        finally:
            blocker.terminate()
            blocker.wait(10)
        served.wait_for("web")
    check_issued(folder, pebble, "f.example.com")
    assert pebble.orders() == before + 1
