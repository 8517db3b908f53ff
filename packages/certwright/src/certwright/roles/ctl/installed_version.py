"""Which version of the API is installed: what the labels of its CRDs say.

Source: cert-manager v1.12 cmd/ctl/pkg/version (versionchecker).
"""

from __future__ import annotations

from typing import Final

from certwright.engine.store import Store
from certwright.errors import InvalidError, NotFoundError
from certwright.resources import meta
from certwright.resources.kinds import CERTIFICATE, CUSTOM_RESOURCE_DEFINITION

__all__ = ["installed_version"]

_LABELS: Final = ("app.kubernetes.io/version", "helm.sh/chart")


async def installed_version(store: Store) -> str:
    """Return the version on the Certificate CRD.

    Raises:
        NotFoundError: There is no such CRD.
        InvalidError: It does not say.
    """
    name = f"{CERTIFICATE.plural}.{CERTIFICATE.group}"
    found = await store.get(CUSTOM_RESOURCE_DEFINITION.key("", name))
    if found is None:
        raise NotFoundError(
            "error while detecting version: the cert-manager CRDs are not yet installed on the "
            "Kubernetes API server"
        )
    labels = meta.labels(found)
    for label in _LABELS:
        if labels.get(label):
            return labels[label].rsplit("cert-manager-", 1)[-1]
    raise InvalidError(
        f"error while detecting version: CustomResourceDefinition {name} has no label {_LABELS[0]}"
    )
