"""`certwright ctl` as a user types it, against a real API server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from certwright.adapters.kube import KubeStore
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE
from certwright_testing.cluster import Cluster
from certwright_testing.objects import certificate

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def run(
    cluster: Cluster, *arguments: str, folder: Path | None = None, program: str = "ctl"
) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "certwright", program, *arguments],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig())},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    return done.returncode, done.stdout, done.stderr


async def test_ctl_talks_to_an_api_server(cluster: Cluster, tmp_path: Path) -> None:
    """Status, renew, create, approve, deny, check: output and exit codes are cmctl's."""
    async with KubeStore(cluster.connection()) as store:
        await store.create(certificate("ctl-web", "one"), manager="test")

        assert run(cluster, "check", "api", "-n", "one") == (
            0,
            "The cert-manager API is ready\n",
            "",
        )
        code, said, _ = run(
            cluster, "check", "api", "--wait=1m", "-n", "one", program="startupapicheck"
        )
        assert (code, said) == (0, "The cert-manager API is ready\n")
        code, page, _ = run(cluster, "status", "certificate", "ctl-web", "-n", "one")
        assert code == 0
        assert page.startswith("Name: ctl-web\nNamespace: one\nCreated at: 20")
        assert 'error when getting Issuer: issuers.cert-manager.io "ca" not found' in page
        assert run(cluster, "status", "certificate", "nobody", "-n", "one") == (
            1,
            "",
            (
                "Error from server (NotFound): error when getting Certificate resource: "
                'certificates.cert-manager.io "nobody" not found\n'
            ),
        )
        assert run(cluster, "renew", "ctl-web", "-n", "one") == (
            0,
            "Manually triggered issuance of Certificate one/ctl-web\n",
            "",
        )
        found = await store.get(CERTIFICATE.key("one", "ctl-web"))
        assert found is not None
        condition = get_condition(found, "Issuing")
        assert condition is not None
        assert condition.reason == "ManuallyTriggered"
        assert run(cluster, "renew", "-n", "one") == (
            1,
            "",
            (
                "error: please supply one or more Certificate resource names, label selectors (-l) "
                "or use the --all flag to renew all Certificate resources\n"
            ),
        )

    (tmp_path / "c.yaml").write_text(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: x}\nspec: {dnsNames: "
        "[a], secretName: s, issuerRef: {name: ca}, privateKey: {algorithm: Ed25519}}\n"
    )
    for name, verb, word in (("ctl-a", "approve", "Approved"), ("ctl-b", "deny", "Denied")):
        assert run(
            cluster, "create", "cr", name, "-n", "one", "--from-certificate-file", "c.yaml",
            folder=tmp_path,
        ) == (
            0,
            "",
            (f"Private key written to file {name}.key\n"
            f"CertificateRequest {name} has been created in namespace one\n"),
        )  # fmt: skip
        assert (tmp_path / f"{name}.key").stat().st_mode & 0o777 == 0o600
        assert run(cluster, verb, name, "-n", "one") == (
            0,
            f"{word} CertificateRequest 'one/{name}'\n",
            "",
        )
        assert run(cluster, "approve", name, "-n", "one") == (
            1,
            "",
            f"error: CertificateRequest is already {word.lower()}\n",
        )


def test_a_check_of_no_server_waits_and_gives_up(tmp_path: Path) -> None:
    """With what was wrong each time, and exit code 1."""
    done = subprocess.run(
        [
            sys.executable, "-m", "certwright", "ctl", "check", "api", "--server",
            "http://127.0.0.1:1", "--wait", "300ms", "--interval", "100ms",
        ],
        env={**os.environ, "HOME": str(tmp_path), "KUBECONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.count("Not ready: ") >= 2
    assert done.stdout == "Timed out after 300ms\n"
