"""A wait after failures can be seen, and ended."""

from __future__ import annotations

from pathlib import Path
from signal import SIGKILL

import pytest
import yaml

from certwright_testing.standalone import CA_YAML, Standalone, leaf_yaml, run_certwright, wait_until


def _secret(chain: str, key: str) -> str:
    data = {"tls.crt": chain, "tls.key": key}
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "company"}}
    return yaml.safe_dump({**obj, "stringData": data})


_ISSUER = """\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: company}
spec: {ca: {secretName: company}}
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_a_wait_after_a_failure_is_seen_and_ended(tmp_path: Path, *, is_running: bool) -> None:
    """A CA whose chain is broken refuses; when it is mended, nobody wants to wait for an hour."""
    pairs = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "ca.yaml").write_text(CA_YAML)
        assert run_certwright("standalone", str(folder), "--once").returncode == 0
        made = folder / "secrets" / "default" / "ca"
        pairs.append(((made / "tls.crt").read_text(), (made / "tls.key").read_text()))
    (chain, key), (stranger, _) = pairs

    service = Standalone(tmp_path / "certs")
    service.folder.mkdir()
    service.write("ca.yaml", _ISSUER)
    service.write("secret.yaml", _secret(chain + stranger, key))
    service.write("web.yaml", leaf_yaml("web").replace("name: ca}", "name: company}"))
    words = ("ctl", "--dir", str(service.folder))

    def is_waiting() -> bool:
        said = run_certwright("ctl", "why", "--dir", str(service.folder)).stdout
        return "malformed or broken (failed 1 times; next try in 5" in said

    with service:
        wait_until(is_waiting, "the cause and the next try")
        service.write("secret.yaml", _secret(chain, key))
        wait_until(
            lambda: run_certwright("ctl", "inspect", "secret", "company", *words[1:]).stdout != "",
            "the Secret is read",
        )
        if not is_running:
            service.end(SIGKILL)
        said = run_certwright("ctl", "retry", "web", *words[1:])
        assert said.returncode == 0, said.stderr
        assert said.stdout == (
            "Certificate default/web is tried again now; it had failed 1 times\n"
        )
        if not is_running:
            service.start()
        service.wait_for("web")
        again = run_certwright("ctl", "retry", "--all", *words[1:])
        assert again.stdout == "Certificate default/web waits after no failure\n"
