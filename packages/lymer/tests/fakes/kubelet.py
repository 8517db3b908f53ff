"""A kubelet for one machine: runs the pods of rendered objects as processes, as they are written.

What it reads: command, args, env, volumes from ConfigMaps, Secrets, claims and empty folders,
ports, Services and probes. Each pod has an address of its own on the loopback, so that all use the
ports they have in a cluster. What is not there on one machine is replaced in what a pod reads, and
nowhere else: paths of mounts by folders, 0.0.0.0 by the address of the pod, and names of Services
by the address of the pod that the Service selects, if it has that port. The name that a
certificate must have is kept.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from fakes.chart import NAMESPACE, Manifest, Objects

__all__ = ["Kubelet", "Pod", "lets_in"]

_START_SECONDS_MAX: Final = 60.0
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_addresses: Final[Iterator[str]] = (
    f"127.{77 + _WORKER}.{os.getpid() % 250 + 1}.{at}" for at in itertools.count(1)
)
_TARGET: Final = re.compile(r"(?:dns:///)?([a-z][\w.-]*):(\d+)")


@dataclass(slots=True)
class Pod:
    """A pod that runs: its first container is a process."""

    name: str
    spec: Manifest
    labels: dict[str, str]
    folder: Path
    address: str
    mounts: dict[str, Path] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def container(self) -> Manifest:
        """The one that is run."""
        found: Manifest = self.spec["containers"][0]
        return found

    def port(self, name: str | int) -> int:
        """Return the number of a named port."""
        if isinstance(name, int):
            return name
        (found,) = [p["containerPort"] for p in self.container["ports"] if p["name"] == name]
        return int(found)

    def log(self) -> str:
        """Return what it has said."""
        return (self.folder / "log").read_text(errors="replace")


class Kubelet:
    """Runs the workloads of rendered objects."""

    def __init__(self, folder: Path, objects: Objects) -> None:
        self.folder = folder
        self.objects = objects
        self.pods: dict[str, Pod] = {}
        for (kind, name), obj in objects.items():
            if kind in {"StatefulSet", "Deployment", "DaemonSet"}:
                self._plan(name, obj)

    # -------------------------------------------------------------------------- life

    def start(self, *names: str) -> None:
        """Start pods and wait until their probes say that they are ready."""
        self.launch(*names)
        for name in names or tuple(self.pods):
            pod = self.pods[name]
            self._await(pod, "startupProbe")
            self._await(pod, "readinessProbe")

    def launch(self, *names: str) -> None:
        """Start pods, and wait for nothing."""
        for name in names or tuple(self.pods):
            self._run(self.pods[name])

    def stop(self) -> None:
        """End all, as a kubelet does: SIGTERM, then SIGKILL after the grace."""
        running = [pod for pod in self.pods.values() if pod.process and pod.process.poll() is None]
        for pod in running:
            assert pod.process is not None
            pod.process.send_signal(signal.SIGTERM)
        for pod in running:
            assert pod.process is not None
            try:
                pod.process.wait(pod.spec["terminationGracePeriodSeconds"])
            except subprocess.TimeoutExpired:
                pod.process.kill()
                pod.process.wait()

    def probe(self, pod: Pod, kind: str) -> bool:
        """Ask one probe once."""
        ask = pod.container[kind]["httpGet"]
        url = f"http://{pod.address}:{pod.port(ask['port'])}{ask['path']}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=pod.container[kind].get("timeoutSeconds", 1)) as answer:
                return bool(200 <= answer.status < 400)
        except OSError:
            return False

    def resolve(self, host: str, port: int) -> tuple[str, int]:
        """Return where a Service's port leads to."""
        name, _, rest = host.partition(".")
        assert rest in {"", NAMESPACE, f"{NAMESPACE}.svc", f"{NAMESPACE}.svc.cluster.local"}, host
        service = self.objects.get(("Service", name))
        assert service, f"there is no Service {name}, which a pod was told to call"
        spec = service["spec"]
        found = [entry for entry in spec["ports"] if entry["port"] == port]
        assert found, f"Service {name} has no port {port}, which a pod was told to call"
        selected = [
            pod for pod in self.pods.values() if spec["selector"].items() <= pod.labels.items()
        ]
        assert selected, f"Service {name} selects no pod"
        return selected[0].address, selected[0].port(found[0]["targetPort"])

    # -------------------------------------------------------------------------- parts

    def _plan(self, name: str, obj: Manifest) -> None:
        template = obj["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert obj["spec"]["selector"]["matchLabels"].items() <= labels.items()
        pod = Pod(name, template["spec"], labels, self.folder / name, next(_addresses))
        claims = {
            claim["metadata"]["name"]: {"name": claim["metadata"]["name"], "emptyDir": {}}
            for claim in obj["spec"].get("volumeClaimTemplates", ())
        }
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", ())} | claims
        for mount in pod.container.get("volumeMounts", ()):
            assert mount["name"] in volumes, f"{name} mounts {mount['name']}, which is no volume"
            pod.mounts[mount["mountPath"]] = pod.folder / mount["name"]
        self.pods[name] = pod
        self._volumes = {**getattr(self, "_volumes", {}), name: volumes}

    def _fill(self, pod: Pod) -> None:
        for volume in self._volumes[pod.name].values():
            place = pod.folder / volume["name"]
            place.mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                key = ("ConfigMap", volume["configMap"]["name"])
                for file, text in self.objects[key]["data"].items():
                    (place / file).write_text(
                        self._here(pod, text) if file.endswith(".yaml") else text
                    )
            elif "secret" in volume:
                self.write_secret(volume["secret"]["secretName"], place)

    def write_secret(self, name: str, place: Path) -> None:
        """Write a Secret as a kubelet does: new files beside, then a link that is replaced."""
        data = self.objects["Secret", name]["data"]
        version = place / f"..{time.monotonic_ns()}"  # noqa: TID251 - a name that is new
        version.mkdir()
        for file, content in data.items():
            (version / file).write_bytes(content)
            if not (place / file).is_symlink():
                (place / file).symlink_to(Path("..data") / file)
        fresh = place / "..fresh"
        fresh.symlink_to(version.name)
        old = (place / "..data").resolve() if (place / "..data").exists() else None
        fresh.replace(place / "..data")
        if old is not None:
            shutil.rmtree(old)

    def rotate(self, name: str, data: dict[str, bytes]) -> None:
        """Replace a Secret in all pods that have it."""
        self.objects["Secret", name] = {"kind": "Secret", "data": data}
        for pod in self.pods.values():
            for volume in self._volumes[pod.name].values():
                if volume.get("secret", {}).get("secretName") == name:
                    self.write_secret(name, pod.folder / volume["name"])

    def _here(self, pod: Pod, text: str) -> str:
        """Return a file as it must be on this machine."""
        return yaml.safe_dump(self._walk(pod, yaml.safe_load(text)), sort_keys=False)

    def _walk(self, pod: Pod, value: Any) -> Any:
        if isinstance(value, dict):
            made = {key: self._walk(pod, one) for key, one in value.items()}
            for key in ("targets", "target"):
                if isinstance(value.get(key), str) and (found := _TARGET.fullmatch(value[key])):
                    address, port = self.resolve(found[1], int(found[2]))
                    made[key] = f"{address}:{port}"
                    if made.get("tls", {}).get("enabled"):
                        made["tls"]["server_name"] = found[1]
            return made
        if isinstance(value, list):
            return [self._walk(pod, one) for one in value]
        return self._path(pod, value) if isinstance(value, str) else value

    def _path(self, pod: Pod, text: str) -> str:
        paths = "|".join(re.escape(path) for path in sorted(pod.mounts, key=len, reverse=True))
        text = re.sub(
            rf"(?:(?<=^)|(?<==))({paths})(?=/|$)", lambda found: str(pod.mounts[found[1]]), text
        )
        return text.replace("0.0.0.0", pod.address)

    def _run(self, pod: Pod) -> None:
        self._fill(pod)
        container = pod.container
        facts = {"spec.nodeName": "this-node", "metadata.name": f"{pod.name}-0"}
        facts |= {"metadata.namespace": NAMESPACE}
        environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
        for entry in container.get("env", ()):
            value = entry.get("value")
            if value is None:
                value = facts[entry["valueFrom"]["fieldRef"]["fieldPath"]]
            environment[entry["name"]] = self._path(pod, value)
        command = [*container["command"], *container["args"]]
        program = [sys.executable, "-m", command[0]]
        with (pod.folder / "log").open("ab") as log:
            pod.process = subprocess.Popen(
                [*program, *(self._path(pod, argument) for argument in command[1:])],
                stdout=log,
                stderr=log,
                cwd=pod.folder,
                env=environment,
                start_new_session=True,
            )

    def _await(self, pod: Pod, kind: str) -> None:
        for _ in range(int(_START_SECONDS_MAX / 0.1)):
            assert pod.process is not None
            ended = pod.process.poll()
            assert ended is None, f"{pod.name} ended with {ended}:\n{pod.log()[-3000:]}"
            if self.probe(pod, kind):
                return
            time.sleep(0.1)
        raise AssertionError(f"{kind} of {pod.name} fails:\n{pod.log()[-3000:]}")


def lets_in(address: str, port: int) -> bool:
    """Say whether a TLS client without a certificate gets a byte of HTTP/2 from a listener."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((address, port), timeout=5) as plain,
            context.wrap_socket(plain) as connection,
        ):
            return bool(connection.recv(1))
    except OSError:
        return False
