"""Why a Certificate is not as it should be: one line that follows the chain to its end.

::

    Certificate ─▶ issuer ─(a CA's Secret)─▶ the Certificate that makes it ─▶ ...
                └▶ CertificateRequest ─▶ Order ─▶ Challenge ─▶ what the solver or the CA says
                └▶ what its loops last warned of

Every link that waits for another names it, so the last words are the cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from certwright.engine.store import Selection, Store
from certwright.policy.backoff import backoff_hours
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    CLUSTER_ISSUER,
    EVENT,
    ISSUER,
    ORDER,
    Key,
    Kind,
    Manifest,
)
from certwright.roles.ctl.texts import age

__all__ = ["CAUSE_KINDS", "cause_of", "objects_of"]

CAUSE_KINDS: Final = (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    ISSUER,
    CLUSTER_ISSUER,
    ORDER,
    CHALLENGE,
    EVENT,
)
"""What a cause may be found in."""
_LINKS_MAX: Final = 16
"""Certificates in one chain; more is a ring."""


async def objects_of(store: Store, namespace: str = "") -> dict[Key, Manifest]:
    """Return what a cause may be found in, in a namespace or, if it is empty, in all.

    Raises:
        CertwrightError: The store gives no answer.
    """
    found: dict[Key, Manifest] = {}
    for kind in CAUSE_KINDS:
        listing = await store.list(Selection(kind, namespace if kind.namespaced else ""))
        found.update((meta.key_of(obj), obj) for obj in listing.objects)
    return found


def cause_of(certificate: Manifest, objects: Mapping[Key, Manifest], now: datetime) -> str:
    """Return why the Certificate is not ready or not being renewed; empty if nothing is wrong.

    Args:
        certificate: Which one.
        objects: Everything of `CAUSE_KINDS` that may belong to it.
        now: For "next try in 50m".
    """
    return _Search(objects, now).certificate(certificate, ())


class _Search:
    def __init__(self, objects: Mapping[Key, Manifest], now: datetime) -> None:
        self._objects = objects
        self._now = now

    def certificate(self, obj: Manifest, above: Sequence[str]) -> str:
        """Return the cause, each link behind the one before it."""
        view = Certificate(obj)
        ready, issuing = get_condition(obj, "Ready"), get_condition(obj, "Issuing")
        is_ready = ready is not None and ready.is_true
        if is_ready and issuing is None:
            return ""
        if issuing is not None and not issuing.is_true:
            return f"{issuing.message}{self._next_try(view)}"
        if view.uid in above or len(above) >= _LINKS_MAX:
            return "its issuer needs this Certificate itself: they wait for each other"
        found = self._issuer(view, (*above, view.uid)) or self._request(view)
        warned = self._warning(obj)
        if found or warned:
            return found or warned
        return "" if is_ready else (ready.message if ready else "no loop has looked at it yet")

    def _next_try(self, view: Certificate) -> str:
        failed = view.last_failure_time
        if failed is None:
            return ""
        due = failed + timedelta(hours=backoff_hours(view.failed_issuance_attempts))
        when = f"in {age(due - self._now)}" if due > self._now else "now"
        return f" (failed {view.failed_issuance_attempts or 1} times; next try {when})"

    def _issuer(self, view: Certificate, above: Sequence[str]) -> str:
        ref = view.issuer_ref
        if ref.is_external:
            return ""
        kind = CLUSTER_ISSUER if ref.kind_or_default == CLUSTER_ISSUER.name else ISSUER
        key = kind.key(view.namespace, ref.name)
        issuer = self._objects.get(key)
        if issuer is None:
            return f"{_shown(key)} does not exist{self._others(kind, key)}"
        ready = get_condition(issuer, "Ready")
        if ready is not None and ready.is_true:
            return ""
        said = f"{_shown(key)} is not ready"
        if ready is None:
            return f"{said}: no loop has looked at it yet"
        name = str(meta.mapping_at(issuer, "spec", "ca").get("secretName") or "")
        for maker in self._all(CERTIFICATE):
            made = Certificate(maker)
            is_near = kind == CLUSTER_ISSUER or made.namespace == view.namespace
            if name and made.secret_name == name and is_near:
                deeper = self.certificate(maker, above)
                if deeper:
                    return f"{said}: {_shown(meta.key_of(maker))} makes its CA: {deeper}"
        return f"{said}: {ready.message}"

    def _others(self, kind: Kind, key: Key) -> str:
        names = sorted(
            found.name
            for found in self._objects
            if (found.kind, found.namespace) == (kind, key.namespace)
        )
        return f"; there is: {', '.join(names[:5])}" if names else ""

    def _request(self, view: Certificate) -> str:
        revision = (view.revision or 0) + 1
        for obj in self._all(CERTIFICATE_REQUEST):
            request = CertificateRequest(obj)
            if request.revision != revision or not meta.is_controlled_by(obj, view.uid):
                continue
            shown = _shown(meta.key_of(obj))
            ready = get_condition(obj, "Ready")
            if ready is not None and ready.is_true:
                return ""
            approved = get_condition(obj, "Approved")
            if ready is None and (approved is None or not approved.is_true):
                return f"{shown} waits for approval"
            if order := self._order(obj):
                return f"{shown}: {order}"
            if ready is None:
                ref = request.issuer_ref
                return f"{shown} waits for {ref.kind_or_default}.{ref.group_or_default}/{ref.name}"
            return f"{shown}: {ready.message}"
        return ""

    def _order(self, request: Manifest) -> str:
        for obj in self._all(ORDER):
            if not meta.is_owned_by(obj, meta.uid(request)):
                continue
            status = meta.mapping_at(obj, "status")
            state, reason = str(status.get("state") or "new"), str(status.get("reason") or "")
            challenges = [self._challenge(found, meta.uid(obj)) for found in self._all(CHALLENGE)]
            causes = [text for text in challenges if text]
            said = f"Order {meta.name(obj)} is {state}"
            why = reason or "; ".join(causes[:3]) or self._warning(obj)
            return f"{said}: {why}" if why else said
        return ""

    def _challenge(self, obj: Manifest, order_uid: str) -> str:
        status = meta.mapping_at(obj, "status")
        if not meta.is_owned_by(obj, order_uid) or status.get("state") == "valid":
            return ""
        spec = meta.mapping_at(obj, "spec")
        shown = f"{spec.get('type')} for {spec.get('dnsName')}"
        reason = status.get("reason") or self._warning(obj)
        if not reason:
            reason = "is being checked" if status.get("processing") else "waits for its turn"
        return f"{shown}: {reason}"

    def _warning(self, obj: Manifest) -> str:
        """Return what was last warned of, if nothing good came after it."""
        about = [
            event
            for event in self._all(EVENT)
            if meta.mapping_at(event, "involvedObject").get("uid") == meta.uid(obj)
        ]
        if not about:
            return ""
        last = max(about, key=lambda event: str(event.get("lastTimestamp") or ""))
        return str(last.get("message") or "") if last.get("type") == "Warning" else ""

    def _all(self, kind: Kind) -> list[Manifest]:
        return [obj for key, obj in self._objects.items() if key.kind == kind]


def _shown(key: Key) -> str:
    place = f"{key.namespace}/" if key.namespace else ""
    return f"{key.kind.name} {place}{key.name}"
