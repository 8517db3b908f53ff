"""certificaterequests-issuer-*: CertificateRequests, as `signing` reads and answers them.

The condition's reason is only Pending, Failed, Issued or Denied; the precise word is the event's.

Source: reference cert-manager.md 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from certwright.errors import InvalidError
from certwright.issuers.contract import Refused, Signed, Waiting
from certwright.reconcile.contract import Action, Controller, Emit, Index, Plan, Reader
from certwright.reconcile.indexes import (
    OPEN_REQUESTS_BY_ISSUER,
    OPEN_REQUESTS_BY_KEY_SECRET,
    is_closed,
    issuer_value,
)
from certwright.reconcile.options import Options
from certwright.reconcile.signing import Gathered, Writing, is_true, signing_controller
from certwright.reconcile.status import set_fields, write_status
from certwright.resources import known, meta
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition, with_condition
from certwright.resources.gotext import quote
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.kinds import (
    CERTIFICATE_REQUEST,
    CLUSTER_ISSUER,
    ISSUER,
    Key,
    Kind,
    Manifest,
)
from certwright.resources.secret import encode_data
from certwright.resources.times import format_time

__all__ = ["issuer_key", "requests_controller"]

_ISSUED: Final = "Certificate fetched from issuer successfully"
_DENIED: Final = "The CertificateRequest was denied by an approval controller"
_FIELDS: Final = ("certificate", "ca", "failureTime")


def issuer_key(issuer: IssuerRef, namespace: str) -> Key | None:
    """Return the key of the issuer that is meant in `namespace`; None for a strange kind."""
    kinds = {ISSUER.name: ISSUER, CLUSTER_ISSUER.name: CLUSTER_ISSUER}
    kind = kinds.get(issuer.kind_or_default)
    return None if kind is None else kind.key(namespace, issuer.name)


def requests_controller(issuer_type: IssuerType, options: Options) -> Controller[Gathered]:
    """Return the loop for the issuers of one type."""
    return signing_controller(_CertificateRequestForm(), issuer_type, options)


class _CertificateRequestForm:
    """CertificateRequests; see `signing.Form`."""

    kind: Kind = CERTIFICATE_REQUEST
    loop = "certificaterequests-issuer-"
    open_by_issuer: Index = OPEN_REQUESTS_BY_ISSUER

    # -------------------------------------------------------------------------- reading

    def open_by_secret(self, _options: Options) -> Index:
        return OPEN_REQUESTS_BY_KEY_SECRET

    def issuer_value(self, issuer: Manifest) -> str:
        return issuer_value(meta.kind_of(issuer).name, meta.namespace(issuer), meta.name(issuer))

    def is_ours(self, obj: Manifest) -> bool:
        return not CertificateRequest(obj).issuer_ref.is_external

    def issuer_key(self, obj: Manifest) -> Key | None:
        return issuer_key(CertificateRequest(obj).issuer_ref, meta.namespace(obj))

    def is_to_sign(self, obj: Manifest) -> bool:
        return not is_closed(obj)

    async def is_allowed(self, _obj: Manifest, _issuer: Key, _reader: Reader) -> bool:
        return True

    def question(self, obj: Manifest, _resource_namespace: str) -> CertificateRequest:
        return CertificateRequest(obj)

    # -------------------------------------------------------------------------- words

    def missing(self, gathered: Gathered) -> Waiting:
        ref = CertificateRequest(gathered.object).issuer_ref
        kind = ref.kind_or_default
        why = f"{kind.lower()}.{known.GROUP} {quote(ref.name)} not found"
        if gathered.issuer_key is None:
            why = (
                f"invalid value {quote(kind)} for issuerRef.kind. Must be empty, "
                f"{quote(ISSUER.name)} or {quote(CLUSTER_ISSUER.name)}"
            )
        return Waiting("IssuerNotFound", f"Referenced {quote(kind)} not found: {why}")

    def untyped(self, _gathered: Gathered, error: InvalidError) -> Waiting:
        return Waiting("IssuerTypeMissing", f"Missing issuer type: {error}")

    def not_ready(self, _gathered: Gathered) -> Waiting:
        return Waiting("IssuerNotReady", "Referenced issuer does not have a Ready status condition")

    def undecodable(self, error: InvalidError) -> Refused:
        return Refused("DecodeError", f"Failed to decode returned certificate: {error}")

    def refusal(self, _gathered: Gathered) -> Refused | None:
        return None

    # -------------------------------------------------------------------------- writing

    def settled(self, obj: Manifest, writing: Writing) -> Plan | None:
        ready = get_condition(obj, "Ready")
        if is_true(obj, "Denied"):
            if ready is not None and ready.reason == "Denied":
                return Plan()
            denied = _with_ready(obj, "False", "Denied", _DENIED, writing.now)
            denied = set_fields(denied, failureTime=_failure_time(obj, writing.now))
            return Plan(_write(obj, denied, writing))
        if is_true(obj, "InvalidRequest"):
            return Plan()
        if not is_true(obj, "Approved"):
            message = "Not signing CertificateRequest until it is Approved"
            return Plan((Emit(obj, "Normal", "WaitingForApproval", message),))
        return Plan() if is_closed(obj) else None

    def waiting(self, obj: Manifest, outcome: Waiting, writing: Writing) -> tuple[Action, ...]:
        pending = _with_ready(obj, "False", "Pending", outcome.message, writing.now)
        written = _write(obj, pending, writing)
        # Said once: looking again at what has not changed is no news.
        news = (Emit(obj, "Normal", outcome.reason, outcome.message),) if written else ()
        return (*written, *news)

    def refused(self, obj: Manifest, outcome: Refused, writing: Writing) -> tuple[Action, ...]:
        failed = _with_ready(obj, "False", "Failed", outcome.message, writing.now)
        failed = set_fields(failed, failureTime=_failure_time(obj, writing.now))
        notices = (Emit(obj, n.type, n.reason, n.message) for n in outcome.notices)
        said = Emit(obj, "Warning", outcome.reason, outcome.message)
        return (*_write(obj, failed, writing), *notices, said)

    def signed(
        self, obj: Manifest, outcome: Signed, _issuer: Issuer, writing: Writing
    ) -> tuple[Action, ...]:
        data = {"certificate": outcome.certificate_pem, "ca": outcome.ca_pem}
        issued = _with_ready(obj, "True", "Issued", _ISSUED, writing.now)
        issued = set_fields(issued, **encode_data({name: pem for name, pem in data.items() if pem}))
        notices = (Emit(obj, n.type, n.reason, n.message) for n in outcome.notices)
        said = Emit(obj, "Normal", "CertificateIssued", _ISSUED)
        return (*_write(obj, issued, writing), *notices, said)

    def annotated(self, obj: Manifest, annotations: Mapping[str, str]) -> Manifest:
        merged = {**meta.annotations(obj), **annotations}
        return {**obj, "metadata": {**obj["metadata"], "annotations": merged}}


def _failure_time(obj: Manifest, now: datetime) -> str:
    """Return when the request failed first."""
    return format_time(CertificateRequest(obj).failure_time or now)


def _with_ready(
    obj: Manifest, status: Literal["True", "False"], reason: str, message: str, now: datetime
) -> Manifest:
    return with_condition(obj, type="Ready", status=status, reason=reason, message=message, now=now)


def _write(obj: Manifest, new: Manifest, writing: Writing) -> tuple[Action, ...]:
    return write_status(obj, new, writing.options.gates, conditions=("Ready",), fields=_FIELDS)
