"""The CA of a folder gets another key while the process is killed; TLS goes on all the time."""

from __future__ import annotations

import ssl
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

import pytest

from certwright import clock
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright_testing.standalone import CA_YAML, Standalone, leaf_yaml, run_certwright, wait_until
from certwright_testing.tls import contexts, shake_hands

LEAD_SECONDS = 4
READ_SECONDS = 2.0
"""How old what a program has read may be."""
CA = CA_YAML.replace(
    "metadata: {name: ca}\nspec: {ca:",
    "metadata: {name: ca, annotations: {certwright.dev/ca-rotation: "
    f"{LEAD_SECONDS}s}}}}\nspec: {{ca:",
).replace(
    "privateKey: {algorithm: ECDSA}", "privateKey: {algorithm: ECDSA, rotationPolicy: Always}"
)


@dataclass(slots=True)
class Traffic:
    """Handshakes between all, in a thread, each side with what it read up to `READ_SECONDS` ago."""

    folder: Path
    names: tuple[str, ...]
    done: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Shake hands until told to stop."""
        versions: dict[str, deque[tuple[float, tuple[ssl.SSLContext, ssl.SSLContext]]]] = {
            name: deque() for name in self.names
        }
        while not self.stop.is_set():
            now = clock.monotonic_seconds()
            for name, read in versions.items():
                try:
                    shown = self.folder / "secrets" / "default" / name
                    read.append((now, contexts(shown / (shown / "..data").readlink())))
                except FileNotFoundError:
                    self.done["unread"] += 1
                while len(read) > 1 and read[1][0] < now - READ_SECONDS:
                    read.popleft()
            for one in self.names:
                for other in self.names:
                    for server in (versions[one][0], versions[one][-1]):
                        for client in (versions[other][0], versions[other][-1]):
                            self._try(one, server[1][0], client[1][1])
            time.sleep(0.1)

    def _try(self, name: str, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        try:
            shake_hands(server, client, f"{name}.example")
            self.done["good"] += 1
        except ssl.SSLError as error:
            self.done[f"failed: {error}"] += 1


def anchors(folder: Path, name: str) -> list[DecodedCertificate]:
    """Return what a Secret trusts."""
    return decode_certificates((folder / "secrets" / "default" / name / "ca.crt").read_bytes())


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_no_handshake_fails_while_the_ca_changes_and_the_process_is_killed(tmp_path: Path) -> None:
    """Both are trusted, leaves are issued anew, the old one goes: mTLS goes on under kill -9."""
    names = ("one", "two")
    service = Standalone(tmp_path / "certs")
    service.folder.mkdir()
    service.write("ca.yaml", CA)
    for name in names:
        service.write(f"{name}.yaml", leaf_yaml(name))
    with service:
        first = {name: service.wait_for(name) for name in names}
        [old] = anchors(service.folder, "one")
        traffic = Traffic(service.folder, names)
        thread = threading.Thread(target=traffic.run)
        thread.start()
        try:
            assert (
                run_certwright("ctl", "renew", "ca", "--dir", str(service.folder)).returncode == 0
            )
            for pause in (1.5, 0.9, 2.1, 1.3, 3.0, 1.7, 2.4, 1.1, 2.9):
                time.sleep(pause)
                service.end(SIGKILL)
                service.start()
            wait_until(lambda: len(anchors(service.folder, "one")) == 1, "the old CA is gone")
            wait_until(lambda: len(anchors(service.folder, "two")) == 1, "the old CA is gone")
        finally:
            traffic.stop.set()
            thread.join()
        assert [anchors(service.folder, name) for name in names] != [[old]] * 2
        assert all(service.leaf(name) != first[name] for name in names)
    assert set(traffic.done) == {"good"}, traffic.done
    assert traffic.done["good"] > 200
