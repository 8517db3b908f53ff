"""What a cluster needs besides the CRDs, with the names of cert-manager's static manifest.

`kubectl apply` of it over an installation of cert-manager v1.12 replaces that one in place.

Source: reference cert-manager.md 4.6, 9.1, 9.3, 9.4.
"""

from __future__ import annotations

from certwright.resources.installation.rbac import rbac
from certwright.resources.installation.settings import InstallationSettings
from certwright.resources.installation.webhooks import webhook_configurations
from certwright.resources.installation.workloads import workloads

__all__ = ["InstallationSettings", "rbac", "webhook_configurations", "workloads"]
