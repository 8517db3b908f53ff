"""What differs between installations."""

from __future__ import annotations

from dataclasses import dataclass

from certwright.resources.kinds import Manifest

__all__ = ["InstallationSettings"]


@dataclass(frozen=True, slots=True)
class InstallationSettings:
    """Names and places. The prefix of all names is `cert-manager`."""

    namespace: str = "cert-manager"
    leader_election_namespace: str = "kube-system"
    image: str = ""
    """Container image of `certwright`, with tag or digest."""
    feature_gates: str = ""

    def labels(self, component: str, name: str = "") -> dict[str, str]:
        """Return the labels of an object of a component (controller, webhook, cainjector)."""
        app = name or {"controller": "cert-manager"}.get(component, component)
        return {
            "app": app,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/instance": "cert-manager",
            "app.kubernetes.io/name": app,
        }

    def metadata(self, name: str, component: str, namespace: str = "") -> Manifest:
        """Return the metadata of an object."""
        place = {"namespace": namespace} if namespace else {}
        return {"name": name, **place, "labels": self.labels(component)}
