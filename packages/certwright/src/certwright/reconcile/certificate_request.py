"""certificaterequests-issuer-*: answer the requests for issuers of one type.

::

    external issuer ─▶ not ours          denied ─▶ Ready=False Denied      not approved ─▶ wait
    issuer missing, untyped, not ready ─▶ Ready=False Pending              answered ─▶ nothing
    otherwise ─▶ sign ─▶ Ready=True Issued, or Ready=False Failed, or Ready=False Pending

The condition's reason is only one of these words; the precise one is the event's.

Source: reference cert-manager.md 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Literal

from certwright.errors import InvalidError
from certwright.issuers.contract import Refused, Signed, SigningRequest, Waiting
from certwright.issuers.signers import SIGNERS
from certwright.pki.certificates import decode_certificates
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Action,
    Controller,
    Create,
    Delete,
    Emit,
    Plan,
    Reader,
    Sources,
    Wake,
)
from certwright.reconcile.indexes import (
    OPEN_REQUESTS_BY_ISSUER,
    OPEN_REQUESTS_BY_KEY_SECRET,
    is_closed,
    issuer_value,
    place,
)
from certwright.reconcile.issuers import (
    NOT_SUPPORTED,
    issuers_by_secret,
    not_supported_text,
    resource_namespace,
)
from certwright.reconcile.options import Options
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
    ORDER,
    SECRET,
    Key,
    Manifest,
)
from certwright.resources.secret import encode_data
from certwright.resources.times import format_time

__all__ = ["RequestGathered", "issuer_key", "plan_answer", "requests_controller"]

_ISSUED: Final = "Certificate fetched from issuer successfully"
_DENIED: Final = "The CertificateRequest was denied by an approval controller"
_FIELDS: Final = ("certificate", "ca", "failureTime")


@dataclass(frozen=True, slots=True)
class RequestGathered:
    """A request, its issuer, and what the issuer's signer asked for."""

    request: CertificateRequest
    issuer: Issuer | None
    objects: Mapping[Key, Manifest] = field(default_factory=dict)


def issuer_key(issuer: IssuerRef, namespace: str) -> Key | None:
    """Return the key of the issuer that is meant in `namespace`; None for a strange kind."""
    kinds = {ISSUER.name: ISSUER, CLUSTER_ISSUER.name: CLUSTER_ISSUER}
    kind = kinds.get(issuer.kind_or_default)
    return None if kind is None else kind.key(namespace, issuer.name)


def plan_answer(gathered: RequestGathered, sources: Sources, *, options: Options) -> Plan:
    """Plan the answer to a request, or what keeps it from one."""
    request, now = gathered.request, sources.now
    ready = get_condition(request.object, "Ready")
    if _is_true(request, "Denied"):
        if ready is not None and ready.reason == "Denied":
            return Plan()
        denied = _with_ready(request, "False", "Denied", _DENIED, now)
        denied = set_fields(denied, failureTime=_failure_time(request, now))
        return Plan(_write(request, denied, options))
    if _is_true(request, "InvalidRequest"):
        return Plan()
    if not _is_true(request, "Approved"):
        message = "Not signing CertificateRequest until it is Approved"
        return Plan((Emit(request.object, "Normal", "WaitingForApproval", message),))
    if is_closed(request.object):
        return Plan()
    obstacle = _obstacle(gathered)
    if obstacle is not None:
        return _plan_pending(request, obstacle, now, options)
    if request.status.get("certificate"):
        return Plan()
    return _plan_signing(gathered, sources, options)


def _obstacle(gathered: RequestGathered) -> Waiting | None:
    """Return what is wrong with the issuer, or None."""
    request, issuer = gathered.request, gathered.issuer
    ref = request.issuer_ref
    if issuer is None:
        kind = ref.kind_or_default
        why = f"{kind.lower()}.{known.GROUP} {quote(ref.name)} not found"
        if issuer_key(ref, request.namespace) is None:
            why = (
                f"invalid value {quote(kind)} for issuerRef.kind. Must be empty, "
                f"{quote(ISSUER.name)} or {quote(CLUSTER_ISSUER.name)}"
            )
        return Waiting("IssuerNotFound", f"Referenced {quote(kind)} not found: {why}")
    try:
        issuer_type = issuer.type
    except InvalidError as error:
        return Waiting("IssuerTypeMissing", f"Missing issuer type: {error}")
    if issuer_type not in SIGNERS:
        return Waiting(NOT_SUPPORTED, not_supported_text(issuer_type))
    ready = get_condition(issuer.object, "Ready")
    if ready is None or not ready.is_true:
        return Waiting("IssuerNotReady", "Referenced issuer does not have a Ready status condition")
    return None


def _plan_signing(gathered: RequestGathered, sources: Sources, options: Options) -> Plan:
    request, issuer, now = gathered.request, gathered.issuer, sources.now
    assert issuer is not None
    outcome = SIGNERS[issuer.type].sign(
        SigningRequest(
            request=request,
            issuer=issuer,
            resource_namespace=resource_namespace(issuer, options),
            now=now,
            serial=sources.serial(),
            objects=gathered.objects,
        )
    )
    if isinstance(outcome, Waiting):
        return _plan_pending(request, outcome, now, options)
    if isinstance(outcome, Signed):
        try:
            decode_certificates(outcome.certificate_pem)
        except InvalidError as error:
            message = f"Failed to decode returned certificate: {error}"
            outcome = Refused("DecodeError", message, outcome.notices)
    events = [
        Emit(request.object, notice.type, notice.reason, notice.message)
        for notice in outcome.notices
    ]
    answered: Manifest
    if isinstance(outcome, Refused):
        answered = _with_ready(request, "False", "Failed", outcome.message, now)
        answered = set_fields(answered, failureTime=_failure_time(request, now))
        events.append(Emit(request.object, "Warning", outcome.reason, outcome.message))
    else:
        data = {"certificate": outcome.certificate_pem, "ca": outcome.ca_pem}
        answered = _with_ready(request, "True", "Issued", _ISSUED, now)
        answered = set_fields(
            answered, **encode_data({name: pem for name, pem in data.items() if pem})
        )
        events.append(Emit(request.object, "Normal", "CertificateIssued", _ISSUED))
    return Plan((*_write(request, answered, options), *events))


def _plan_pending(
    request: CertificateRequest, waiting: Waiting, now: datetime, options: Options
) -> Plan:
    pending = _with_ready(request, "False", "Pending", waiting.message, now)
    written = _write(request, pending, options)
    # Said once: looking again at what has not changed is no news.
    news = (Emit(request.object, "Normal", waiting.reason, waiting.message),) if written else ()
    work: list[Action] = [Create(obj) for obj in waiting.create]
    work += [Delete(key, uid) for key, uid in waiting.delete]
    return Plan((*work, *written, *news), retry=waiting.message if waiting.retry else "")


def _failure_time(request: CertificateRequest, now: datetime) -> str:
    """Return when the request failed first."""
    return format_time(request.failure_time or now)


def _is_true(request: CertificateRequest, condition_type: str) -> bool:
    condition = get_condition(request.object, condition_type)
    return condition is not None and condition.is_true


def _with_ready(
    request: CertificateRequest,
    status: Literal["True", "False"],
    reason: str,
    message: str,
    now: datetime,
) -> Manifest:
    return with_condition(
        request.object, type="Ready", status=status, reason=reason, message=message, now=now
    )


def _write(request: CertificateRequest, new: Manifest, options: Options) -> tuple[Action, ...]:
    return write_status(request.object, new, options.gates, conditions=("Ready",), fields=_FIELDS)


# ------------------------------------------------------------------------------ what is read


async def _gather(
    key: Key, reader: Reader, *, issuer_type: IssuerType, options: Options
) -> RequestGathered | None:
    """Read the request and its issuer; None if another loop answers it."""
    found = await reader.get(key)
    if found is None or CertificateRequest(found).issuer_ref.is_external:
        return None
    request = CertificateRequest(found)
    at = issuer_key(request.issuer_ref, request.namespace)
    is_hidden = at is None or (at.kind == CLUSTER_ISSUER and bool(options.namespace))
    obj = None if at is None or is_hidden else await reader.get(at)
    if obj is None:
        return RequestGathered(request, None)
    issuer = Issuer(obj)
    try:
        if issuer.type != issuer_type:
            return None
    except InvalidError:
        return RequestGathered(request, issuer)
    objects: dict[Key, Manifest] = {}
    signer = SIGNERS.get(issuer_type)
    if signer is not None and not is_closed(found):
        for needed in signer.needs(request, issuer, resource_namespace(issuer, options)):
            needed_obj = await reader.get(needed)
            if needed_obj is not None:
                objects[needed] = needed_obj
    return RequestGathered(request, issuer, objects)


async def _requests_of_issuer(obj: Manifest, reader: Reader) -> Sequence[Key]:
    value = issuer_value(meta.kind_of(obj).name, meta.namespace(obj), meta.name(obj))
    return [meta.key_of(found) for found in await reader.find(OPEN_REQUESTS_BY_ISSUER, value)]


async def _owner_of_order(obj: Manifest, _reader: Reader) -> Sequence[Key]:
    owner = meta.controller_of(obj)
    if owner is None or owner.kind != CERTIFICATE_REQUEST.name:
        return ()
    return (CERTIFICATE_REQUEST.key(meta.namespace(obj), owner.name),)


def requests_controller(issuer_type: IssuerType, options: Options) -> Controller[RequestGathered]:
    """Return the loop for the issuers of one type."""
    kinds = (ISSUER,) if options.namespace else (ISSUER, CLUSTER_ISSUER)
    indexes = tuple(issuers_by_secret(kind, options) for kind in kinds)

    async def requests_of_secret(obj: Manifest, reader: Reader) -> Sequence[Key]:
        value = place(meta.namespace(obj), meta.name(obj))
        waiting = list(await reader.find(OPEN_REQUESTS_BY_KEY_SECRET, value))
        keys = [meta.key_of(found) for found in waiting]
        for index in indexes:
            for issuer in await reader.find(index, value):
                keys += await _requests_of_issuer(issuer, reader)
        return keys

    orders = (Wake(ORDER, _owner_of_order),) if issuer_type == "acme" else ()
    return Controller(
        name=f"certificaterequests-issuer-{issuer_type.lower()}",
        kind=CERTIFICATE_REQUEST,
        gather=partial(_gather, issuer_type=issuer_type, options=options),
        plan=partial(plan_answer, options=options),
        wakes=(
            *(Wake(kind, _requests_of_issuer) for kind in kinds),
            Wake(SECRET, requests_of_secret),
            *orders,
        ),
        backoff=SLOW_BACKOFF,
        indexes=(OPEN_REQUESTS_BY_ISSUER, OPEN_REQUESTS_BY_KEY_SECRET, *indexes),
    )
