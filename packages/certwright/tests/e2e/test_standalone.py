"""`certwright standalone`, `quickstart` and `status` as a user types them."""

from __future__ import annotations

import grp
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from certwright.pki.certificates import decode_certificates
from certwright.pki.pem import decode_pem
from certwright_testing.standalone import (
    CA_YAML,
    Standalone,
    leaf_of,
    leaf_yaml,
    run_certwright,
    wait_until,
)

pytestmark = pytest.mark.timeout(180)  # each starts the program several times

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed"
)
needs_keytool = pytest.mark.skipif(
    shutil.which("keytool") is None, reason="keytool (a Java runtime) is not installed"
)


def new_folder(path: Path, *leaves: str) -> Path:
    """Return a folder with a CA and these Certificates."""
    folder = path / "certs"
    folder.mkdir()
    (folder / "ca.yaml").write_text(CA_YAML)
    for name in leaves:
        (folder / f"{name}.yaml").write_text(leaf_yaml(name))
    return folder


def shake_hands(folder: Path, server_name: str, leaf: str, ca: Path) -> str:
    """Serve TLS with the files of a leaf and connect to it; return the common name of the CA."""
    files = folder / "secrets" / "default" / leaf
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(files / "tls.crt", files / "tls.key")
    trusting = ssl.create_default_context(cafile=ca)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with serving.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            socket.create_connection(listening.getsockname()) as connection,
            trusting.wrap_socket(connection, server_hostname=server_name) as tls,
        ):
            assert tls.recv(5) == b"hello"
            certificate = tls.getpeercert()
        thread.join()
    assert certificate is not None
    return dict(part[0] for part in certificate["issuer"])["commonName"]  # type: ignore[misc, arg-type]


@needs_openssl
def test_a_newcomer_has_a_ca_and_a_certificate_with_one_command(tmp_path: Path) -> None:
    """Openssl verifies it, and a TLS client takes it for the names it was made for."""
    done = run_certwright("quickstart", "web.example", "127.0.0.1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "CERTIFICATE" in done.stdout
    (check,) = [line for line in done.stdout.splitlines() if line.startswith("Check it:")]
    verified = subprocess.run(
        check.removeprefix("Check it:").split(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.stdout == "certificates/secrets/default/web.example/tls.crt: OK\n"
    folder = tmp_path / "certificates"
    ca = folder / "secrets" / "default" / "local-ca" / "tls.crt"
    for name in ("web.example", "127.0.0.1"):
        assert shake_hands(folder, name, "web.example", ca) == "Local CA"
    key = folder / "secrets" / "default" / "web.example" / "tls.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert (folder / "state").stat().st_mode & 0o777 == 0o700

    first = leaf_of(folder, "web.example")
    again = run_certwright("quickstart", "web.example", "127.0.0.1", cwd=tmp_path)
    assert again.returncode == 0
    assert leaf_of(folder, "web.example") == first
    other = run_certwright("quickstart", "other.example", cwd=tmp_path)
    assert other.returncode == 1
    assert "has files already (quickstart.yaml)" in other.stderr
    wrong = run_certwright("quickstart", "a b", "--dir", "x", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (
        1,
        'certwright: "a b" is neither a DNS name nor an IP address\n',
    )


def test_edits_are_picked_up_and_mistakes_are_told(tmp_path: Path) -> None:
    """A new Certificate, a wrong one, a changed one, a removed one; and a stop that is clean."""
    folder = new_folder(tmp_path, "one")
    with Standalone(folder) as service:
        first = service.wait_for("one")
        assert first.names.dns == ("one.example",)
        service.write("two.yaml", leaf_yaml("two", "  duration: 1m"))
        wait_until((folder / "state" / "problems.txt").exists, "problems")
        status = run_certwright("status", str(folder))
        assert status.returncode == 1
        assert (
            "two.yaml: Certificate default/two: spec.duration: Invalid value: 1m0s: certificate "
            "duration must be greater than 1h0m0s" in status.stdout
        )
        service.write("two.yaml", leaf_yaml("two"))
        service.wait_for("two")
        service.write("one.yaml", leaf_yaml("one").replace("[one.example]", "[new.example]"))
        changed = service.wait_for("one", other_than=first)
        assert changed.names.dns == ("new.example",)
        assert changed.public_key_der == first.public_key_der
        (folder / "two.yaml").unlink()
        wait_until(
            lambda: "default/two" not in run_certwright("status", str(folder)).stdout, "deletion"
        )
        assert service.leaf("two") is not None  # a Secret outlives its Certificate, as in a cluster

        second = run_certwright("standalone", str(folder), "--once")
        assert second.returncode == 1
        assert f"process {service.process.pid} works on this folder" in second.stderr  # type: ignore[union-attr]
        assert service.end(signal.SIGTERM) == 0
    status = run_certwright("status", str(folder))
    assert status.returncode == 0
    assert "default/one  True" in status.stdout


def test_the_reload_command_runs_after_each_change(tmp_path: Path) -> None:
    """Also after a renewal, which is due three seconds after the issuance here."""
    folder = new_folder(tmp_path)
    log = tmp_path / "reloads"
    command = f'echo "$CERTWRIGHT_SECRETS" >> {log}'
    spec = (
        "  duration: 1h\n  renewBefore: 59m57s\n"
        "  privateKey: {algorithm: ECDSA, rotationPolicy: Always}"
    )
    (folder / "one.yaml").write_text(leaf_yaml("one", spec))
    with Standalone(folder, ("--reload-command", command, "--reload-interval", "100ms")) as service:
        first = service.wait_for("one")
        second = service.wait_for("one", other_than=first)
        third = service.wait_for("one", other_than=second)
        assert len({leaf.public_key_der for leaf in (first, second, third)}) == 3
        wait_until(lambda: log.read_text().count("default/one") >= 3, "three reloads")

        assert "default/ca" in log.read_text().splitlines()[0]


def test_a_running_process_renews_when_asked(tmp_path: Path) -> None:
    """`ctl --dir` looks at a folder that another process has, and hands a wish over."""
    folder = new_folder(tmp_path, "one")
    with Standalone(folder) as service:
        first = service.wait_for("one")
        page = run_certwright("ctl", "status", "certificate", "one", "--dir", str(folder))
        assert page.returncode == 0
        assert "Ready: True" in page.stdout
        said = run_certwright("ctl", "renew", "one", "--dir", str(folder))
        assert said.stdout == "Manually triggered issuance of Certificate default/one\n"
        second = service.wait_for("one", other_than=first)
        refused = run_certwright("ctl", "approve", "nobody", "--dir", str(folder))
        assert refused.returncode == 1

    assert second.public_key_der == first.public_key_der
    assert second.serial != first.serial


def test_once_does_what_is_due_and_says_what_is_not_as_it_should_be(tmp_path: Path) -> None:
    """For cron: exit code 0 if all is well."""
    folder = new_folder(tmp_path, "one")
    done = run_certwright("standalone", str(folder), "--once", "-v", "0")
    assert (done.returncode, done.stdout) == (0, "")
    first = leaf_of(folder, "one")
    assert first is not None
    (folder / "two.yaml").write_text(leaf_yaml("two").replace("{name: ca}", "{name: nobody}"))
    done = run_certwright(
        "standalone", str(folder), "--once", "-v", "0", "--reload-command", "exit 3"
    )
    assert done.returncode == 1
    assert "certwright: Certificate default/two: " in done.stderr
    assert leaf_of(folder, "one") == first

    (folder / "two.yaml").unlink()
    (folder / "three.yaml").write_text(leaf_yaml("three"))
    for command, code in (("exit 3", 1), ("true", 0)):
        done = run_certwright(
            "standalone", str(folder), "--once", "-v", "0", "--reload-command", command
        )
        assert done.returncode == code
    assert not (folder / "state" / "reload-pending").exists()


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """In one sentence that says what to do."""
    for command in ("standalone", "status"):
        done = run_certwright(command, str(tmp_path / "nowhere"))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "nowhere" in done.stderr
    bad = run_certwright("standalone", str(tmp_path), "--group", "no-such-group")
    assert bad.stderr == 'certwright: there is no group "no-such-group" on this machine\n'
    gate = run_certwright("standalone", str(tmp_path), "--feature-gates", "X=true")
    assert gate.returncode == 2
    assert "unrecognized feature gate: X" in gate.stderr


@needs_openssl
@needs_keytool
def test_all_formats_are_written(tmp_path: Path) -> None:
    """PKCS#12, JKS, DER and combined PEM, with a password from a Secret in YAML."""
    folder = new_folder(tmp_path)
    spec = (
        "  privateKey: {algorithm: RSA, encoding: PKCS8}\n  keystores:\n"
        "    jks: {create: true, passwordSecretRef: {name: password, key: it}}\n"
        "    pkcs12: {create: true, passwordSecretRef: {name: password, key: it}}\n"
        "  additionalOutputFormats: [{type: DER}, {type: CombinedPEM}]"
    )
    (folder / "one.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: password}\n"
        "stringData: {it: changeit}\n---\n" + leaf_yaml("one", spec)
    )
    gates = "AdditionalCertificateOutputFormats=true"
    done = run_certwright("standalone", str(folder), "--once", "-v", "0", "--feature-gates", gates)
    assert done.returncode == 0, done.stderr
    files = folder / "secrets" / "default" / "one"

    assert {path.name for path in files.iterdir() if not path.name.startswith(".")} == {
        "tls.crt", "tls.key", "ca.crt", "key.der", "tls-combined.pem", "keystore.p12",
        "truststore.p12", "keystore.jks", "truststore.jks",
    }  # fmt: skip
    key = (files / "tls.key").read_bytes()
    assert (files / "key.der").read_bytes() == next(decode_pem(key)).der
    assert (files / "tls-combined.pem").read_bytes() == key + b"\n" + (
        files / "tls.crt"
    ).read_bytes()
    for name in ("keystore.p12", "keystore.jks", "truststore.p12", "truststore.jks"):
        shown = subprocess.run(
            ["keytool", "-list", "-keystore", str(files / name), "-storepass", "changeit"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Your keystore contains" in shown.stdout
    subprocess.run(
        [
            "openssl",
            "pkcs12",
            "-in",
            str(files / "keystore.p12"),
            "-passin",
            "pass:changeit",
            "-noout",
        ],
        check=True,
        capture_output=True,
    )
    ca = decode_certificates((files / "ca.crt").read_bytes())[0]
    leaf = leaf_of(folder, "one")
    assert leaf is not None
    assert leaf.is_signed_by(ca)


def test_the_group_reads_keys_of_leaves_and_no_cas(tmp_path: Path) -> None:
    """Whoever serves TLS must not be able to sign; unless a CA's Secret is asked for by name."""
    group = grp.getgrgid(os.getgid()).gr_name
    folder = new_folder(tmp_path, "web")
    ca, leaf = (folder / "secrets" / "default" / name / "tls.key" for name in ("ca", "web"))

    assert run_certwright("standalone", str(folder), "--once", "--group", group).returncode == 0
    assert (ca.stat().st_mode & 0o777, leaf.stat().st_mode & 0o777) == (0o600, 0o640)

    named = ("--group", group, "--group-secret", "ca")
    assert run_certwright("standalone", str(folder), "--once", *named).returncode == 0
    assert (ca.stat().st_mode & 0o777, leaf.stat().st_mode & 0o777) == (0o640, 0o640)


def test_the_cause_and_the_events_are_on_the_page(tmp_path: Path) -> None:
    """A missing Issuer is named by `--once`, `status` and `ctl why`, and events outlive a run."""
    folder = new_folder(tmp_path, "web")
    text = (
        (folder / "web.yaml")
        .read_text()
        .replace("issuerRef: {name: ca}", "issuerRef: {name: nobody}")
    )
    (folder / "web.yaml").write_text(text)
    once = run_certwright("standalone", str(folder), "--once")
    page = run_certwright("status", str(folder))
    why = run_certwright("ctl", "why", "web", "--dir", str(folder))

    cause = "Issuer default/nobody does not exist; there is: "
    assert (once.returncode, page.returncode, why.returncode) == (1, 1, 1)
    for output in (once.stderr, page.stdout, why.stdout):
        assert cause in output
    assert "Events:" in page.stdout
    assert "The certificate has been successfully issued" in page.stdout


def test_a_folder_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    """With a command that works as it stands."""
    missing = run_certwright("standalone", str(tmp_path / "x"))
    assert f"`certwright quickstart --dir {tmp_path}/x` makes one" in missing.stderr
    made = run_certwright("quickstart", "--dir", str(tmp_path / "x"))
    assert made.returncode == 0
