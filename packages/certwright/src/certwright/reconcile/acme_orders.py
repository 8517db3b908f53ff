"""orders: drive an Order from nothing to a certificate, one exchange with the CA at a time.

::

    ─▶ url ─▶ authorizations ─▶ Challenges ─▶ ready ─▶ finalize ─▶ valid ─▶ certificate
                                   │ one fails
                                   └─▶ invalid              the CA says no ─▶ errored

The status is the memory: each pass reads how far it is, does the next step, and writes it down.

Source: reference cert-manager.md 3.4 (Order sync); cert-manager v1.12.2
pkg/controller/acmeorders/sync.go.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from certwright.acme.ari import certificate_id
from certwright.acme.messages import Authorization, OrderAnswer, Problem
from certwright.acme.questions import (
    Download,
    Downloaded,
    Finalize,
    GetAuthorizations,
    GetOrder,
    NewOrder,
)
from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.policy.turns import Turn, turn_of
from certwright.reconcile.acme_chain import choose_chain, csr_der
from certwright.reconcile.acme_challenge_objects import plan_challenges
from certwright.reconcile.acme_objects import (
    AcmeAuthority,
    forget_account,
    gather_authority,
    patience_seconds,
    plan_retry,
    wake_of_issuers,
)
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Action,
    Ask,
    Controller,
    Delete,
    Emit,
    Plan,
    Reader,
    Sources,
    Wake,
)
from certwright.reconcile.indexes import (
    CHALLENGES_BY_OWNER,
    OPEN_ORDERS_BY_ISSUER,
    issuer_value,
)
from certwright.reconcile.options import Options
from certwright.reconcile.signing import served_until
from certwright.reconcile.status import set_fields, write_status
from certwright.resources import known, meta
from certwright.resources.acme import FAILURE_STATES, Challenge, Order
from certwright.resources.certificate import Certificate
from certwright.resources.gotext import quote
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    ORDER,
    SECRET,
    Key,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright.resources.times import format_time

__all__ = ["OrderGathered", "orders_controller", "plan_order"]

POLL_SECONDS: Final = 5.0
"""Between two looks at an order that the CA is busy with. Source: reference 3.4."""
PROCESSING_SECONDS: Final = 2.0
"""The same while it makes the certificate."""
_LOOKS_AGAIN: Final = "The CA refused the account, which is registered anew"
_MICRO_NANO: Final = 1000
_FIELDS: Final = (
    "url",
    "finalizeURL",
    "authorizations",
    "certificate",
    "state",
    "reason",
    "failureTime",
)


@dataclass(frozen=True, slots=True)
class OrderGathered:
    """An Order and what belongs to it."""

    order: Order
    authority: AcmeAuthority | str
    """Or why there is none."""
    challenges: tuple[Challenge, ...] = ()
    taken: frozenset[str] = frozenset()
    """URLs of the issuer's other open orders; only read before ours has one."""
    replaces: str = ""
    """The certificate this order renews; likewise."""
    served_until: datetime | None = None
    """When it ends; likewise, and only if renewals are spread (`policy.turns`)."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What every step of a pass knows."""

    gathered: OrderGathered
    authority: AcmeAuthority
    options: Options

    @property
    def order(self) -> Order:
        return self.gathered.order

    def write(self, **fields: Any) -> tuple[Action, ...]:
        """Return what writes these fields of the status."""
        old = self.order.object
        return write_status(old, set_fields(old, **fields), self.options.gates, fields=_FIELDS)

    def fail(self, reason: str, sources: Sources, state: str = "errored") -> Plan:
        """Plan the end without a certificate."""
        when = format_time(sources.now)
        return Plan(self.write(state=state, reason=reason, failureTime=when))

    def refused(self, prefix: str, answer: Any, sources: Sources) -> Plan:
        """Plan what follows from an answer that is none: the end, or another try."""
        if isinstance(answer, Problem) and answer.is_final:
            return self.fail(f"{prefix}: {answer}", sources)
        # The client does not ask again before its time, though this write wakes the loop.
        said = self.write(reason=f"{prefix}: {answer}")
        return plan_retry(self.order.object, answer, *said)


def plan_order(gathered: OrderGathered, sources: Sources, *, options: Options) -> Plan:
    """Plan the next step."""
    order, authority = gathered.order, gathered.authority
    if order.has_failed:
        return Plan()
    if order.state == "valid" and order.status.get("certificate"):
        return _plan_tidying(gathered)
    if isinstance(authority, str):
        return Plan(retry=authority)
    try:
        return _plan_step(_Step(gathered, authority, options), sources)
    except InvalidError as error:
        return Plan(retry=str(error))


def _plan_tidying(gathered: OrderGathered) -> Plan:
    """Plan the end of the Challenges."""
    return Plan(
        tuple(
            Delete(meta.key_of(found.object), found.uid)
            for found in gathered.challenges
            if meta.deletion_time(found.object) is None
        )
    )


def _plan_step(step: _Step, sources: Sources) -> Plan:
    order, account = step.order, step.authority.account
    if not order.url:
        return _plan_new(step, sources)
    missing = [found for found in order.authorizations if not found.get("identifier")]
    if missing and order.finalize_url:
        urls = tuple(str(found.get("url") or "") for found in missing)
        question = GetAuthorizations(account, urls)
        return Plan(ask=Ask(question, partial(_after_authorizations, step)))
    if not order.finalize_url or order.state == "valid":
        return Plan(ask=Ask(GetOrder(account, order.url), partial(_after_look, step)))
    return _plan_proofs(step)


# ------------------------------------------------------------------------------ order


def _plan_new(step: _Step, sources: Sources) -> Plan:
    order = step.order
    turn = turn_of(
        meta.uid(order.object),
        now=sources.now,
        waits_since=order.creation_time,
        ends=step.gathered.served_until,
    )
    if not turn.is_now:
        return Plan(look_again_after_seconds=turn.next_seconds)
    duration = order.duration_nano
    not_after = None
    if duration is not None:
        not_after = sources.now + timedelta(microseconds=duration // _MICRO_NANO)
    question = NewOrder(
        step.authority.account,
        dns_names=order.dns_names,
        ip_addresses=order.ip_addresses,
        not_after=not_after,
        profile=step.authority.acme.profile,
        replaces=step.gathered.replaces,
        reference=meta.uid(order.object),
        since=order.creation_time or sources.now,
        taken=step.gathered.taken,
    )
    return Plan(ask=Ask(question, partial(_after_new, step, turn)))


def _after_new(step: _Step, turn: Turn, answer: Any, sources: Sources) -> Plan:
    if isinstance(answer, Problem) and answer.says("accountDoesNotExist"):
        why = f"the CA has lost the account, it is registered anew: {answer}"
        return Plan((forget_account(step.authority),), retry=why)
    if isinstance(answer, Problem) and _doubts_account(answer, step.order):
        # Deactivated, or its key was changed elsewhere: the issuer registers it anew, or says why
        # it cannot. Once: a CA may have other reasons to refuse an account that it has.
        said = step.write(reason=f"{_LOOKS_AGAIN}: {answer}")
        return Plan((forget_account(step.authority), *said), retry=str(answer))
    if not isinstance(answer, OrderAnswer):
        plan = step.refused("Failed to create Order", answer, sources)
        if plan.retry and turn.next_seconds is not None:
            return replace(plan, retry="", look_again_after_seconds=turn.next_seconds)
        return plan
    return Plan(step.write(**_fields_of(answer, step, sources), url=answer.url))


def _doubts_account(problem: Problem, order: Order) -> bool:
    """Return whether the account may be what the CA refuses, and was not looked at for that yet."""
    is_key = problem.says("malformed") and "JWS" in problem.detail
    is_doubted = problem.says("unauthorized") or is_key
    return is_doubted and not order.reason.startswith(_LOOKS_AGAIN)


def _after_look(step: _Step, answer: Any, sources: Sources) -> Plan:
    """Copy the state that the CA has; fetch the certificate if there is one."""
    if not isinstance(answer, OrderAnswer):
        return step.refused("Failed to retrieve Order resource", answer, sources)
    if answer.status == "valid" and answer.certificate:
        return _plan_download(step, answer)
    fields = _fields_of(answer, step, sources)
    if step.order.authorizations:
        fields.pop("authorizations")
    if answer.status == "pending" and (why := _local_failure(step.gathered.challenges)):
        return step.fail(why, sources)
    busy = answer.status in {"pending", "processing", "valid"}
    usual = PROCESSING_SECONDS if answer.status == "processing" else POLL_SECONDS
    usual = patience_seconds(usual, step.order.creation_time, sources.now)
    return Plan(
        step.write(**fields),
        look_again_after_seconds=(answer.retry_after_seconds or usual) if busy else None,
    )


def _local_failure(challenges: Sequence[Challenge]) -> str:
    """Return why an order that the CA still waits for will come to nothing; else empty.

    Of a challenge that is `invalid` the CA knows, and gives the order up by itself.
    """
    for found in challenges:
        if found.has_failed and found.state != "invalid":
            state = quote(found.state)
            return f"The challenge for {quote(found.dns_name)} is in {state} state: {found.reason}"
    return ""


def _fields_of(answer: OrderAnswer, step: _Step, sources: Sources) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "finalizeURL": answer.finalize,
        "authorizations": [{"url": url} for url in answer.authorizations] or None,
        "state": answer.status,
        "reason": None,
    }
    if answer.status in FAILURE_STATES and not step.order.has_failed:
        fields["failureTime"] = format_time(sources.now)
        if answer.error is not None:
            fields["reason"] = f"The CA gave the order up: {answer.error}"
    return fields


def _after_authorizations(step: _Step, answer: Any, sources: Sources) -> Plan:
    if not isinstance(answer, tuple):
        return step.refused("Failed to fetch authorization", answer, sources)
    by_url = {found.url: found for found in answer}
    entries = [
        _entry(entry, by_url[entry["url"]]) if entry.get("url") in by_url else entry
        for entry in step.order.authorizations
    ]
    return Plan(step.write(authorizations=entries, reason=None))


def _entry(entry: Mapping[str, Any], found: Authorization) -> Manifest:
    """Return an entry of `status.authorizations`; what cannot be used later is not in it."""
    state = found.status if found.status in {"valid", "pending"} else "invalid"
    challenges = [
        {"type": challenge.type, "token": challenge.token, "url": challenge.url}
        for challenge in found.challenges
        if challenge.type and challenge.url
    ]
    return {
        **entry,
        "initialState": state,
        "identifier": found.identifier,
        "wildcard": found.wildcard,
        "challenges": challenges,
    }


# ------------------------------------------------------------------------------ prove and finalize


def _plan_proofs(step: _Step) -> Plan:
    order, account = step.order, step.authority.account
    try:
        actions = plan_challenges(order, step.authority, step.gathered.challenges)
    except InvalidError as error:
        message = (
            "Failed to determine a valid solver configuration for the set of domains on the "
            f"Order: {error}"
        )
        return Plan((Emit(order.object, "Warning", "Solver", message),))
    if actions:
        return Plan(actions)
    if order.state == "ready":
        question = Finalize(account, order.finalize_url, order.url, csr_der(order.request))
        return Plan(ask=Ask(question, partial(_after_finalize, step)))
    challenges = step.gathered.challenges
    if (
        order.state == "processing"
        or any(found.has_failed for found in challenges)
        or all(found.is_final for found in challenges)
    ):
        return Plan(ask=Ask(GetOrder(account, order.url), partial(_after_look, step)))
    return Plan()


def _after_finalize(step: _Step, answer: Any, sources: Sources) -> Plan:
    if isinstance(answer, OrderAnswer):
        return _after_look(step, answer, sources)
    if isinstance(answer, Problem) and answer.is_final:
        # It may have been finalized by an attempt whose answer was lost: then it has moved on.
        question = GetOrder(step.authority.account, step.order.url)
        return Plan(ask=Ask(question, partial(_after_doubt, step, answer)))
    return step.refused("Failed to finalize Order", answer, sources)


def _after_doubt(step: _Step, problem: Problem, answer: Any, sources: Sources) -> Plan:
    if isinstance(answer, OrderAnswer) and answer.status in {"processing", "valid"}:
        return _after_look(step, answer, sources)
    if isinstance(answer, OrderAnswer | Problem):
        return step.refused("Failed to finalize Order", problem, sources)
    return step.refused("Failed to retrieve Order resource", answer, sources)


# ------------------------------------------------------------------------------ fetch


def _plan_download(step: _Step, order: OrderAnswer) -> Plan:
    preferred = step.authority.acme.preferred_chain
    question = Download(step.authority.account, order.certificate, with_alternates=bool(preferred))
    return Plan(ask=Ask(question, partial(_after_download, step)))


def _after_download(step: _Step, answer: Any, sources: Sources) -> Plan:
    if not isinstance(answer, Downloaded):
        return step.refused("Failed to retrieve signed certificate", answer, sources)
    try:
        pem = choose_chain(answer, step.authority.acme.preferred_chain)
    except InvalidError as error:
        # It can be fetched again: an order that is paid for is not thrown away for a bad answer.
        why = f"Invalid certificate retrieved from ACME server: {error}"
        return Plan(step.write(reason=why), retry=why)
    written = step.write(
        state="valid", certificate=base64.b64encode(pem).decode("ascii"), reason=None
    )
    complete = Emit(step.order.object, "Normal", "Complete", "Order completed successfully")
    return Plan((*written, complete))


# ------------------------------------------------------------------------------ what is read


async def _gather(key: Key, reader: Reader, *, options: Options) -> OrderGathered | None:
    found = await reader.get(key)
    if found is None or meta.deletion_time(found) is not None:
        return None
    order = Order(found)
    if order.has_failed or order.issuer_ref.is_external:
        return None
    authority = await gather_authority(order.issuer_ref, key.namespace, reader, options)
    if not order.url:
        request = await _request(order, reader)
        return OrderGathered(
            order,
            authority,
            taken=await _taken(order, reader),
            replaces=await _replaced(order, request, reader),
            served_until=await served_until(request, reader) if options.renewal_spread else None,
        )
    challenges = await reader.find(CHALLENGES_BY_OWNER, meta.uid(found))
    return OrderGathered(order, authority, tuple(map(Challenge, challenges)))


async def _taken(order: Order, reader: Reader) -> frozenset[str]:
    ref = order.issuer_ref
    value = issuer_value(ref.kind_or_default, order.namespace, ref.name)
    others = await reader.find(OPEN_ORDERS_BY_ISSUER, value)
    return frozenset(found.url for found in map(Order, others) if found.url)


async def _request(order: Order, reader: Reader) -> Manifest | None:
    """Return the CertificateRequest that the order is for, if there is one."""
    owner = meta.controller_of(order.object)
    if owner is None or owner.kind != CERTIFICATE_REQUEST.name:
        return None
    return await reader.get(CERTIFICATE_REQUEST.key(order.namespace, owner.name))


async def _replaced(order: Order, request: Manifest | None, reader: Reader) -> str:
    """Return the name of the certificate that is served now, if the same issuer made it."""
    parent = None if request is None else meta.controller_of(request)
    if parent is None or parent.kind != CERTIFICATE.name:
        return ""
    certificate = await reader.get(CERTIFICATE.key(order.namespace, parent.name))
    if certificate is None:
        return ""
    secret = await reader.get(SECRET.key(order.namespace, Certificate(certificate).secret_name))
    if secret is None:
        return ""
    if Secret(secret).annotations.get(known.ISSUER_NAME) != order.issuer_ref.name:
        return ""
    try:
        return certificate_id(decode_certificates(Secret(secret).certificate_pem)[0])
    except InvalidError:
        return ""


async def _order_of_challenge(obj: Manifest, _reader: Reader) -> Sequence[Key]:
    owner = meta.controller_of(obj)
    if owner is None or owner.kind != ORDER.name:
        return ()
    return (ORDER.key(meta.namespace(obj), owner.name),)


def orders_controller(options: Options) -> Controller[OrderGathered]:
    """Return the loop."""
    return Controller(
        name="orders",
        kind=ORDER,
        gather=partial(_gather, options=options),
        plan=partial(plan_order, options=options),
        wakes=(
            Wake(CHALLENGE, _order_of_challenge),
            *wake_of_issuers(OPEN_ORDERS_BY_ISSUER, options),
        ),
        backoff=SLOW_BACKOFF,
        indexes=(CHALLENGES_BY_OWNER, OPEN_ORDERS_BY_ISSUER),
    )
