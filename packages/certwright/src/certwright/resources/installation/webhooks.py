"""What tells the API server to ask the webhook.

Source: reference cert-manager.md 4.6.
"""

from __future__ import annotations

from typing import Final

from certwright.resources import known
from certwright.resources.installation.settings import InstallationSettings
from certwright.resources.kinds import (
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
    Manifest,
)

__all__ = ["webhook_configurations"]

_NAME: Final = "cert-manager-webhook"
_TIMEOUT_SECONDS: Final = 10


def webhook_configurations(settings: InstallationSettings) -> list[Manifest]:
    """Return the mutating and the validating configuration; cainjector fills in the CA."""
    validating = _configuration(settings, VALIDATING_WEBHOOK_CONFIGURATION, "/validate")
    validating["webhooks"][0]["namespaceSelector"] = {
        "matchExpressions": [
            {"key": known.DISABLE_VALIDATION, "operator": "NotIn", "values": ["true"]},
            # Nobody but a user sets the label `name`; the original has it so.
            {"key": "name", "operator": "NotIn", "values": [settings.namespace]},
        ]
    }
    return [_configuration(settings, MUTATING_WEBHOOK_CONFIGURATION, "/mutate"), validating]


def _configuration(settings: InstallationSettings, kind: Kind, path: str) -> Manifest:
    metadata = settings.metadata(_NAME, "webhook")
    metadata["annotations"] = {
        known.INJECT_CA_FROM_SECRET: f"{settings.namespace}/cert-manager-webhook-ca"
    }
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": metadata,
        "webhooks": [
            {
                "name": "webhook.cert-manager.io",
                "rules": [
                    {
                        "apiGroups": [known.GROUP, known.ACME_GROUP],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["*/*"],
                    }
                ],
                "admissionReviewVersions": ["v1"],
                "matchPolicy": "Equivalent",
                "timeoutSeconds": _TIMEOUT_SECONDS,
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "clientConfig": {
                    "service": {"name": _NAME, "namespace": settings.namespace, "path": path}
                },
            }
        ],
    }
