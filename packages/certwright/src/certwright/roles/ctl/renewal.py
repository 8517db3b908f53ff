"""`ctl renew`: ask for new certificates now. `ctl retry`: end the wait after a failure.

Source: cert-manager v1.12 cmd/ctl/pkg/renew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certwright.engine.store import Selection, Store
from certwright.errors import CertwrightError, InvalidError
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition, with_condition, without_condition
from certwright.resources.kinds import CERTIFICATE, Manifest
from certwright.roles.ctl.objects import fetch

__all__ = ["MANAGER", "RenewalWish", "renew", "retry"]

MANAGER: Final = "cmctl"
"""Field manager of what a person writes through these commands."""
_REASON: Final = "ManuallyTriggered"
_MESSAGE: Final = "Certificate re-issuance manually triggered"


@dataclass(frozen=True, slots=True)
class RenewalWish:
    """Which Certificates are meant."""

    namespace: str
    names: Sequence[str] = ()
    selector: str = ""
    all_of_them: bool = False
    all_namespaces: bool = False

    def check(self, *, namespace_given: bool) -> None:
        """Refuse wishes that contradict themselves.

        Raises:
            InvalidError: They do; the texts are cmctl's.
        """
        if self.selector and self.names:
            raise InvalidError(
                "cannot specify Certificate names in conjunction with label selectors"
            )
        if self.selector and self.all_of_them:
            raise InvalidError("cannot specify label selectors in conjunction with --all flag")
        if self.all_of_them and self.names:
            raise InvalidError("cannot specify Certificate names in conjunction with --all flag")
        if self.all_namespaces and self.all_of_them and namespace_given:
            raise InvalidError(
                "cannot specify --namespace flag in conjunction with --all-namespaces flag"
            )
        if not (self.all_of_them or self.names or self.selector):
            raise InvalidError(
                "please supply one or more Certificate resource names, label selectors (-l) or use "
                "the --all flag to renew all Certificate resources"
            )


async def renew(store: Store, wish: RenewalWish, now: datetime) -> AsyncIterator[str]:
    """Mark the Certificates for issuance, giving a line for each as it is done.

    Raises:
        CertwrightError: One is not there, or was refused; those before it are marked.
    """
    for certificate in await _chosen(store, wish):
        place = f"{meta.namespace(certificate)}/{meta.name(certificate)}"
        marked = with_condition(
            certificate,
            type="Issuing",
            status="True",
            reason=_REASON,
            message=_MESSAGE,
            now=now,
            observed_generation=meta.generation(certificate),
        )
        try:
            await store.update_status(marked, manager=MANAGER)
        except CertwrightError as error:
            raise type(error)(
                f"failed to trigger issuance of Certificate {place}: {error}"
            ) from error
        yield f"Manually triggered issuance of Certificate {place}"


async def retry(store: Store, wish: RenewalWish) -> AsyncIterator[str]:
    """Forget the failures of Certificates, so that each is tried at once and its waits start anew.

    Raises:
        CertwrightError: One is not there, or was refused; those before it are done.
    """
    for certificate in await _chosen(store, wish):
        place = f"{meta.namespace(certificate)}/{meta.name(certificate)}"
        failures = Certificate(certificate)
        if failures.last_failure_time is None:
            yield f"Certificate {place} waits after no failure"
            continue
        issuing = get_condition(certificate, "Issuing")
        forgotten = certificate
        if issuing is not None and not issuing.is_true:
            forgotten = without_condition(certificate, "Issuing")
        status = dict(meta.mapping_at(forgotten, "status"))
        for name in ("lastFailureTime", "failedIssuanceAttempts"):
            status.pop(name, None)
        try:
            await store.update_status({**forgotten, "status": status}, manager=MANAGER)
        except CertwrightError as error:
            raise type(error)(f"failed to retry Certificate {place}: {error}") from error
        count = failures.failed_issuance_attempts or 1
        yield f"Certificate {place} is tried again now; it had failed {count} times"


async def _chosen(store: Store, wish: RenewalWish) -> list[Manifest]:
    namespace = "" if wish.all_namespaces else wish.namespace
    if not wish.names:
        listing = await store.list(Selection(CERTIFICATE, namespace, wish.selector))
        return listing.objects
    if not wish.all_namespaces:
        keys = [CERTIFICATE.key(namespace, name) for name in wish.names]
        return [await fetch(store, key) for key in keys]
    listing = await store.list(Selection(CERTIFICATE))
    return [obj for obj in listing.objects if meta.name(obj) in wish.names]
