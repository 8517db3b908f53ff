"""`ctl check api`: whether a Certificate could be created now, and if not, why in short.

Source: reference cert-manager.md 6 (startupapicheck); cert-manager v1.12.2
pkg/util/cmapichecker (patterns).
"""

from __future__ import annotations

import re
from typing import Final

from certwright.engine.store import Store
from certwright.errors import CertwrightError
from certwright.resources.kinds import CERTIFICATE
from certwright.roles.ctl.renewal import MANAGER

__all__ = ["api_problem", "simple_problem"]

_SIMPLE: Final = (
    (
        re.compile(
            r"error finding the scope of the object: failed to get restmapping: no matches for "
            r'kind "Certificate" in group "cert-manager\.io"'
            r"|the server could not find the requested resource"
            r"( \(post certificates\.cert-manager\.io\))?"
            r"|404 page not found"
        ),
        "the cert-manager CRDs are not yet installed on the Kubernetes API server",
    ),
    (
        re.compile(r'.*Post "(.*)": service "(.*)-webhook" not found.*', re.DOTALL),
        "the cert-manager webhook service is not created yet",
    ),
    (
        re.compile(r'.*Post "(.*)": (.*): connect: connection refused.*', re.DOTALL),
        "the cert-manager webhook deployment is not ready yet",
    ),
    (
        re.compile(
            r'.*Post "(.*)": (tls: failed to verify certificate: )?'
            r"x509: certificate signed by unknown authority.*",
            re.DOTALL,
        ),
        "the cert-manager webhook CA bundle is not injected yet",
    ),
)


async def api_problem(store: Store, namespace: str, *, verbose: bool) -> str:
    """Try to create a Certificate without keeping it; return why that failed, or nothing.

    Args:
        store: Where.
        namespace: Where in it.
        verbose: Whether to give the whole error behind the short one.
    """
    trial = {
        "apiVersion": CERTIFICATE.api_version,
        "kind": CERTIFICATE.name,
        "metadata": {"generateName": "cmapichecker-", "namespace": namespace},
        "spec": {
            "dnsNames": ["cmapichecker.example"],
            "secretName": "cmapichecker",
            "issuerRef": {"name": "cmapichecker"},
        },
    }
    try:
        await store.create(trial, manager=MANAGER, dry_run=True)
    except CertwrightError as error:
        whole = str(error)
        short = simple_problem(whole)
        if not short:
            return whole
        return f"{short} ({whole})" if verbose else short
    return ""


def simple_problem(error: str) -> str:
    """Return what an API server's error means in short, or nothing."""
    return next((short for pattern, short in _SIMPLE if pattern.fullmatch(error)), "")
