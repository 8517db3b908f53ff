"""What a real API server says to rendered objects, without keeping them."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from typing import Any

from certwright_testing.cluster import Cluster

__all__ = ["ApiServer"]


class ApiServer:
    """Asks as the administrator; unknown fields are errors."""

    def __init__(self, cluster: Cluster) -> None:
        connection = cluster.connection()
        context = ssl.create_default_context(cadata=cluster.ca_pem.decode())
        self._server = cluster.server
        self._token = connection.token
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def refusals(self, objects: Iterable[dict[str, Any]], namespace: str) -> list[str]:
        """Return what the server says against objects, each as `KIND NAME: why`."""
        said = []
        for obj in objects:
            name = obj["metadata"]["name"]
            try:
                self.apply(obj, namespace, dry_run=True)
            except AssertionError as error:
                said.append(f"{obj['kind']} {name}: {error}")
        return said

    def apply(
        self, obj: dict[str, Any], namespace: str = "default", *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Apply an object as kubectl does on the server's side, and return what there is then."""
        query = {"fieldManager": "test", "fieldValidation": "Strict", "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        url = f"{self.path(obj, namespace)}?{urllib.parse.urlencode(query)}"
        return self.ask("PATCH", url, obj)

    def path(self, obj: dict[str, Any], namespace: str) -> str:
        """Return where an object is."""
        version, metadata = obj["apiVersion"], obj["metadata"]
        plural, namespaced = self._kind(version, obj["kind"])
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        place = f"/namespaces/{metadata.get('namespace', namespace)}" if namespaced else ""
        return f"{base}{place}/{plural}/{urllib.parse.quote(metadata['name'])}"

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Ask; an error is an AssertionError with the server's words."""
        request = urllib.request.Request(
            self._server + path,
            None if body is None else json.dumps(body).encode(),
            {
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/apply-patch+yaml"
                if method == "PATCH"
                else "application/json",
            },
            method=method,
        )
        try:
            with self._open.open(request, timeout=20) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            if said.startswith("{"):
                said = json.loads(said).get("message", said)
            raise AssertionError(said) from None

    def wait_for(self, definition: dict[str, Any]) -> None:
        """Wait until objects of a defined kind are served, in all its versions."""
        spec = definition["spec"]
        for version in spec["versions"]:
            path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
            for attempt in range(300):
                try:
                    self.ask("GET", path)
                    break
                except AssertionError:
                    assert attempt < 299, f"{path} is not served"
                    time.sleep(0.1)

    def _kind(self, version: str, kind: str) -> tuple[str, bool]:
        if version not in self._kinds:
            base = f"/apis/{version}" if "/" in version else f"/api/{version}"
            self._kinds[version] = {
                entry["kind"]: (entry["name"], entry["namespaced"])
                for entry in self.ask("GET", base)["resources"]
                if "/" not in entry["name"]
            }
        known = self._kinds[version]
        assert kind in known, f"the server does not know {version} {kind}"
        return known[kind]
