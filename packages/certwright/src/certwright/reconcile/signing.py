"""The life of a request for a certificate, be it a CertificateRequest or a Kubernetes CSR.

::

    answered, denied ─▶ nothing more     not approved ─▶ wait     issuer missing, not ready ─▶ wait
    otherwise ─▶ sign ─▶ issued, or failed for ever, or waiting for something, or a question first

One loop for each kind of request and type of issuer. What is the same is here; how a kind is read
and what is written into it, with its own words, is its `Form`.

Source: reference cert-manager.md 3.2 and 3.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from certwright.errors import InvalidError
from certwright.issuers.contract import (
    Asking,
    Outcome,
    Refused,
    Signed,
    SigningRequest,
    Waiting,
)
from certwright.issuers.signers import SIGNERS
from certwright.pki.certificates import decode_certificates
from certwright.policy.turns import Turn, turn_of
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Action,
    Apply,
    Ask,
    Controller,
    Create,
    Delete,
    Index,
    Plan,
    Reader,
    Sources,
    Update,
    Wake,
)
from certwright.reconcile.indexes import REQUESTS_BY_OWNER, place
from certwright.reconcile.issuers import (
    issuers_by_secret,
    resource_namespace,
)
from certwright.reconcile.options import Options
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CLUSTER_ISSUER,
    ISSUER,
    ORDER,
    SECRET,
    Key,
    Kind,
    Manifest,
)

__all__ = [
    "Form",
    "Gathered",
    "Writing",
    "is_true",
    "plan_request",
    "served_until",
    "signing_controller",
]


@dataclass(frozen=True, slots=True)
class Gathered:
    """A request, its issuer, and what signing depends on."""

    object: Manifest
    issuer_key: Key | None
    """Of the issuer that is meant; None for one of a strange kind."""
    issuer: Issuer | None = None
    is_allowed: bool = True
    """Whether the requester may use the issuer."""
    objects: Mapping[Key, Manifest] = field(default_factory=dict)
    """What was found of what the issuer's signer asked for."""
    served_until: datetime | None = None
    """When the certificate ends that this request renews; None if nothing good is served, or if
    renewals are not spread (`policy.turns`)."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What an answer is written with."""

    now: datetime
    options: Options


class Form(Protocol):
    """How one kind of request is read and answered."""

    @property
    def kind(self) -> Kind:
        """The kind."""

    @property
    def loop(self) -> str:
        """Name of its loops, in front of an issuer's type."""

    @property
    def open_by_issuer(self) -> Index:
        """The index of requests without an answer by the text of `issuer_value`."""

    def open_by_secret(self, options: Options) -> Index:
        """Return the index of such requests by the Secret that an annotation names."""

    def issuer_value(self, issuer: Manifest) -> str:
        """Return under which value requests for an issuer are found."""

    def is_ours(self, obj: Manifest) -> bool:
        """Whether one of our issuers is asked."""

    def issuer_key(self, obj: Manifest) -> Key | None:
        """Return the key of the issuer that is asked; None for a strange kind."""

    def is_to_sign(self, obj: Manifest) -> bool:
        """Whether it is approved and has no answer."""

    async def is_allowed(self, obj: Manifest, issuer: Key, reader: Reader) -> bool:
        """Whether who asks may use the issuer."""

    def question(self, obj: Manifest, resource_namespace: str) -> CertificateRequest:
        """Return what is asked as a CertificateRequest."""

    def settled(self, obj: Manifest, writing: Writing) -> Plan | None:
        """Return the plan of a request that is not to be signed now; None if it is."""

    def missing(self, gathered: Gathered) -> Waiting:
        """Say that there is no such issuer."""

    def untyped(self, gathered: Gathered, error: InvalidError) -> Waiting:
        """Say that the issuer has no type."""

    def not_ready(self, gathered: Gathered) -> Waiting:
        """Say that the issuer is not ready."""

    def undecodable(self, error: InvalidError) -> Refused:
        """Say that what was signed is no certificate."""

    def refusal(self, gathered: Gathered) -> Refused | None:
        """Return why nobody would sign this, or None."""

    def waiting(self, obj: Manifest, outcome: Waiting, writing: Writing) -> tuple[Action, ...]:
        """Write that it waits."""

    def refused(self, obj: Manifest, outcome: Refused, writing: Writing) -> tuple[Action, ...]:
        """Write that it has failed."""

    def signed(
        self, obj: Manifest, outcome: Signed, issuer: Issuer, writing: Writing
    ) -> tuple[Action, ...]:
        """Write the certificate."""

    def annotated(self, obj: Manifest, annotations: Mapping[str, str]) -> Manifest:
        """Return the request with annotations that are named as a CertificateRequest's."""


def is_true(obj: Manifest, condition_type: str) -> bool:
    """Whether a condition of an object is true."""
    condition = get_condition(obj, condition_type)
    return condition is not None and condition.is_true


# ------------------------------------------------------------------------------ decisions


def plan_request(gathered: Gathered, sources: Sources, *, form: Form, options: Options) -> Plan:
    """Plan the answer to a request, or what keeps it from one."""
    writing = Writing(sources.now, options)
    settled = form.settled(gathered.object, writing)
    if settled is not None:
        return settled
    obstacle = _obstacle(gathered, form)
    if obstacle is not None:
        return Plan(form.waiting(gathered.object, obstacle, writing))
    refusal = form.refusal(gathered)
    if refusal is not None:
        return Plan(form.refused(gathered.object, refusal, writing))
    issuer = gathered.issuer
    assert issuer is not None
    if not is_true(issuer.object, "Ready"):
        return Plan(form.waiting(gathered.object, form.not_ready(gathered), writing))
    if meta.mapping_at(gathered.object, "status").get("certificate"):
        return Plan()
    namespace = resource_namespace(issuer, options)
    outcome = SIGNERS[issuer.type].sign(
        SigningRequest(
            request=form.question(gathered.object, namespace),
            issuer=issuer,
            resource_namespace=namespace,
            now=sources.now,
            serial=sources.serial(),
            objects=gathered.objects,
            gates=options.gates,
        )
    )
    turn = _turn(gathered, sources.now)
    return _Answer(gathered.object, issuer, form, options, turn).plan(outcome, sources)


def _turn(gathered: Gathered, now: datetime) -> Turn:
    """Return when somebody outside may be asked: a renewal that was kept waiting takes turns."""
    pending = get_condition(gathered.object, "Ready")
    since = None if pending is None else pending.last_transition_time
    who = meta.uid(gathered.object)
    return turn_of(who, now=now, waits_since=since, ends=gathered.served_until)


def _obstacle(gathered: Gathered, form: Form) -> Waiting | None:
    """Return what is wrong with the issuer, or None."""
    if gathered.issuer is None:
        return form.missing(gathered)
    try:
        _ = gathered.issuer.type
    except InvalidError as error:
        return form.untyped(gathered, error)
    return None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What becomes of a request when its signer has said something."""

    object: Manifest
    issuer: Issuer
    form: Form
    options: Options
    turn: Turn

    def plan(self, outcome: Outcome | Asking[Outcome], sources: Sources) -> Plan:
        """Plan what the outcome asks for."""
        writing = Writing(sources.now, self.options)
        match outcome:
            case Asking() if not self.turn.is_now:
                return Plan(look_again_after_seconds=self.turn.next_seconds)
            case Asking():
                return Plan(ask=Ask(outcome.question, partial(self._asked, outcome)))
            case Waiting():
                return self._wait(outcome, writing)
            case Refused():
                return Plan(self.form.refused(self.object, outcome, writing))
            case Signed():
                return self._sign(outcome, writing)

    def _asked(self, asking: Asking[Outcome], answer: Any, sources: Sources) -> Plan:
        return self.plan(asking.then(answer), sources)

    def _sign(self, outcome: Signed, writing: Writing) -> Plan:
        try:
            decode_certificates(outcome.certificate_pem)
        except InvalidError as error:
            refused = self.form.undecodable(error)
            return Plan(self.form.refused(self.object, refused, writing))
        return Plan(self.form.signed(self.object, outcome, self.issuer, writing))

    def _wait(self, outcome: Waiting, writing: Writing) -> Plan:
        work: list[Action] = [Create(obj) for obj in outcome.create]
        work += [Delete(key, uid) for key, uid in outcome.delete]
        work += map(Apply, outcome.apply)
        if outcome.annotations:
            work.append(Update(self.form.annotated(self.object, outcome.annotations)))
        written = self.form.waiting(self.object, outcome, writing)
        again, retry = outcome.again_after_seconds, outcome.message if outcome.retry else ""
        if retry and self.turn.next_seconds is not None:
            again, retry = self.turn.next_seconds, ""
        return Plan((*work, *written), look_again_after_seconds=again, retry=retry)


# ------------------------------------------------------------------------------ what is read


async def _gather(
    key: Key, reader: Reader, *, form: Form, issuer_type: IssuerType, options: Options
) -> Gathered | None:
    """Read the request and its issuer; None if another loop answers it."""
    obj = await reader.get(key)
    if obj is None or not form.is_ours(obj):
        return None
    at = form.issuer_key(obj)
    is_hidden = at is None or (at.kind == CLUSTER_ISSUER and bool(options.namespace))
    found = None if at is None or is_hidden else await reader.get(at)
    if at is None or found is None:
        return Gathered(obj, at)
    issuer = Issuer(found)
    try:
        if issuer.type != issuer_type:
            return None
    except InvalidError:
        return Gathered(obj, at, issuer)
    if not form.is_to_sign(obj):
        return Gathered(obj, at, issuer)
    is_allowed = await form.is_allowed(obj, at, reader)
    gathered = Gathered(obj, at, issuer, is_allowed)
    if form.refusal(gathered) is not None:
        return gathered
    namespace = resource_namespace(issuer, options)
    objects: dict[Key, Manifest] = {}
    for needed in SIGNERS[issuer_type].needs(form.question(obj, namespace), issuer, namespace):
        needed_obj = await reader.get(needed)
        if needed_obj is not None:
            objects[needed] = needed_obj
    until = await served_until(obj, reader) if options.renewal_spread else None
    return Gathered(obj, at, issuer, is_allowed, objects, until)


async def served_until(request: Manifest | None, reader: Reader) -> datetime | None:
    """Return when the certificate ends that a CertificateRequest renews; None if none is good."""
    owner = None if request is None else meta.controller_of(request)
    if request is None or owner is None or owner.kind != CERTIFICATE.name:
        return None
    found = await reader.get(CERTIFICATE.key(meta.namespace(request), owner.name))
    if found is None or not is_true(found, "Ready"):
        return None
    return Certificate(found).not_after


def signing_controller(
    form: Form, issuer_type: IssuerType, options: Options
) -> Controller[Gathered]:
    """Return the loop for requests of one kind for the issuers of one type."""
    return Controller(
        name=f"{form.loop}{issuer_type.lower()}",
        kind=form.kind,
        gather=partial(_gather, form=form, issuer_type=issuer_type, options=options),
        plan=partial(plan_request, form=form, options=options),
        wakes=tuple(_wakes(form, issuer_type, options)),
        backoff=SLOW_BACKOFF,
        indexes=(
            form.open_by_issuer,
            form.open_by_secret(options),
            *(issuers_by_secret(kind, options) for kind in _issuer_kinds(options)),
            REQUESTS_BY_OWNER,
        ),
    )


def _issuer_kinds(options: Options) -> tuple[Kind, ...]:
    return (ISSUER,) if options.namespace else (ISSUER, CLUSTER_ISSUER)


def _wakes(form: Form, issuer_type: IssuerType, options: Options) -> Iterator[Wake]:
    indexes = tuple(issuers_by_secret(kind, options) for kind in _issuer_kinds(options))
    by_secret = form.open_by_secret(options)

    async def of_issuer(issuer: Manifest, reader: Reader) -> Sequence[Key]:
        found = await reader.find(form.open_by_issuer, form.issuer_value(issuer))
        return [meta.key_of(request) for request in found]

    async def of_secret(obj: Manifest, reader: Reader) -> Sequence[Key]:
        value = place(meta.namespace(obj), meta.name(obj))
        keys = [meta.key_of(request) for request in await reader.find(by_secret, value)]
        for index in indexes:
            for issuer in await reader.find(index, value):
                keys += await of_issuer(issuer, reader)
        return keys

    async def of_order(order: Manifest, _reader: Reader) -> Sequence[Key]:
        owner = meta.controller_of(order)
        if owner is None or owner.kind != form.kind.name:
            return ()
        return (form.kind.key(meta.namespace(order), owner.name),)

    async def of_certificate(certificate: Manifest, reader: Reader) -> Sequence[Key]:
        found = await reader.find(REQUESTS_BY_OWNER, meta.uid(certificate))
        return [meta.key_of(request) for request in found]

    if options.renewal_spread and form.kind == CERTIFICATE_REQUEST:
        yield Wake(CERTIFICATE, of_certificate)
    for kind in _issuer_kinds(options):
        yield Wake(kind, of_issuer)
    yield Wake(SECRET, of_secret)
    if issuer_type == "acme":
        yield Wake(ORDER, of_order)
