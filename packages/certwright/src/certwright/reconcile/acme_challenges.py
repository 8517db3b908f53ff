"""challenges: put the answer in place, look whether it can be seen, ask the CA to look, tidy up.

::

    processing ─▶ finalizer ─▶ state ─▶ presented ─▶ seen ─▶ accepted ─▶ valid ─▶ cleaned up
      (scheduler)                                              │
                                                               └─▶ invalid, expired, errored

Source: reference cert-manager.md 3.5; cert-manager v1.12.2 pkg/controller/acmechallenges/sync.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from certwright.acme.messages import STATES, Authorization, Problem, ServerChallenge
from certwright.acme.questions import (
    AcceptChallenge,
    Done,
    GetAuthorization,
    NotYet,
    ValidateCaa,
)
from certwright.errors import InvalidError
from certwright.reconcile.acme_challenge_guard import refusal_of
from certwright.reconcile.acme_dns01 import secret_keys
from certwright.reconcile.acme_http01 import clean_up, needed, present
from certwright.reconcile.acme_objects import (
    AcmeAuthority,
    gather_authority,
    patience_seconds,
    plan_retry,
    wake_of_issuers,
)
from certwright.reconcile.acme_solving import check_question, cleanup_question, present_question
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Action,
    Ask,
    Controller,
    Emit,
    Plan,
    Reader,
    Sources,
    Update,
)
from certwright.reconcile.indexes import OPEN_CHALLENGES_BY_ISSUER
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields, write_status
from certwright.resources import known, meta
from certwright.resources.acme import FAILURE_STATES, Challenge
from certwright.resources.features import VALIDATE_CAA
from certwright.resources.gotext import quote
from certwright.resources.kinds import CHALLENGE, Key, Manifest

__all__ = ["ChallengeGathered", "challenges_controller", "plan_challenge"]

AUTHORIZATION_SECONDS: Final = 2.0
"""Between two looks at an authorization that the CA is busy with."""
CLEAN_UP_MAX: Final = timedelta(minutes=5)
"""A Challenge that is deleted waits no longer for its answer to be taken away.

cert-manager gives up at the first failure (reference 13.17), which leaves TXT records behind."""
_OVER: Final = frozenset({"deactivated", "expired", "revoked"})
"""States of an authorization that nobody can prove any more. Source: RFC 8555 7.1.6."""
_ACCEPTING: Final = "Error accepting challenge: "
_FIELDS: Final = ("processing", "presented", "reason", "state")


@dataclass(frozen=True, slots=True)
class ChallengeGathered:
    """A Challenge and what its solving depends on."""

    challenge: Challenge
    authority: AcmeAuthority | str
    """Or why there is none."""
    objects: Mapping[Key, Manifest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    """What every step of a pass knows."""

    gathered: ChallengeGathered
    options: Options

    @property
    def challenge(self) -> Challenge:
        return self.gathered.challenge

    @property
    def authority(self) -> AcmeAuthority:
        assert isinstance(self.gathered.authority, AcmeAuthority)
        return self.gathered.authority

    def write(self, **fields: Any) -> tuple[Action, ...]:
        """Return what writes these fields of the status."""
        old = self.challenge.object
        status = {"processing": False, "presented": False, **self.challenge.status, **fields}
        return write_status(old, set_fields(old, **status), self.options.gates, fields=_FIELDS)

    def warn(self, reason: str, message: str) -> Emit:
        """Return an event about what went wrong."""
        return Emit(self.challenge.object, "Warning", reason, message)

    def refused(self, answer: Any, prefix: str = "") -> Plan:
        """Plan what follows from an answer that is none."""
        if isinstance(answer, Problem) and answer.says("malformed"):
            # An authorization that is over is told so, and the order can be made anew.
            return Plan(self.write(state="expired", reason=f"{prefix}{answer}"))
        if isinstance(answer, Problem) and answer.is_final:
            reason = f"Failed to retrieve Order resource: {answer}"
            return Plan(self.write(state="errored", reason=reason))
        said = self.write(reason=f"{prefix}{answer}") if prefix else ()
        return plan_retry(self.challenge.object, answer, *said)


def plan_challenge(gathered: ChallengeGathered, sources: Sources, *, options: Options) -> Plan:
    """Plan the next step."""
    step = _Step(gathered, options)
    challenge = step.challenge
    if meta.deletion_time(challenge.object) is not None:
        return _plan_end(step, sources)
    if not challenge.is_processing:
        return Plan()
    if not meta.finalizers(challenge.object):
        metadata = {**challenge.object["metadata"], "finalizers": [known.CHALLENGE_FINALIZER]}
        return Plan((Update({**challenge.object, "metadata": metadata}),))
    if challenge.is_final:
        if not challenge.is_presented:
            return Plan(step.write(processing=False))
        return _plan_clean_up(step, after=partial(_after_clean_up, step))
    if isinstance(gathered.authority, str):
        return Plan(retry=gathered.authority)
    try:
        return _plan_proof(step)
    except InvalidError as error:
        return Plan(retry=str(error))


def _plan_proof(step: _Step) -> Plan:
    challenge, account = step.challenge, step.authority.account
    if why := refusal_of(challenge, step.authority):
        said = step.write(reason=why)
        return Plan((*said, step.warn("PresentError", why)) if said else ())
    if not challenge.state:
        question = GetAuthorization(account, challenge.authorization_url)
        return Plan(ask=Ask(question, partial(_after_first_look, step)))
    if challenge.state == "processing":
        return _plan_look(step)
    if VALIDATE_CAA in step.options.gates:
        nameservers = step.options.acme.dns01_nameservers
        caa = ValidateCaa(account.server, challenge.dns_name, challenge.is_wildcard, nameservers)
        return Plan(ask=Ask(caa, partial(_after_caa, step)))
    return _plan_present(step)


# ------------------------------------------------------------------------------ state


def _after_first_look(step: _Step, answer: Any, _sources: Sources) -> Plan:
    if not isinstance(answer, Authorization):
        return step.refused(answer)
    if answer.status == "valid":  # by another order's challenge, perhaps: then ours is not listed
        return Plan(step.write(state="valid", reason="Successfully authorized domain"))
    if answer.status in _OVER:
        # The order will come to nothing, and the next one gets another authorization.
        state = "expired" if answer.status == "expired" else "errored"
        return Plan(step.write(state=state, reason=f"The authorization is {answer.status}"))
    url = step.challenge.url
    found = next((entry for entry in answer.challenges if entry.url == url), None)
    if found is None:
        why = "challenge was not present in authorization"
        return Plan(step.write(reason=why), retry=why)
    state = found.status if found.status in STATES else "errored"
    reason = found.error.detail if found.error is not None else None
    return Plan(step.write(state=state, reason=reason))


def _after_caa(step: _Step, answer: Any, _sources: Sources) -> Plan:
    if isinstance(answer, Done):
        return _plan_present(step)
    said = step.write(reason=f"CAA self-check failed: {answer.reason}")
    return Plan(said, retry=f"CAA self-check failed: {answer.reason}")


# ------------------------------------------------------------------------------ present and check


def _plan_present(step: _Step) -> Plan:
    """Put the answer in place; what serves HTTP-01 is looked after until the CA has looked."""
    challenge, options = step.challenge, step.options
    if challenge.is_presented and challenge.type == "DNS-01":
        return _plan_check(step)
    try:
        question = present_question(challenge, step.gathered.objects, options)
        made: tuple[Action, ...] = ()
        if question is None:
            made = present(challenge, step.gathered.objects, options.acme)
    except InvalidError as error:
        return _not_presented(step, str(error))
    if question is None:
        return _plan_check(step, made)
    return Plan(ask=Ask(question, partial(_after_present, step)))


def _after_present(step: _Step, answer: Any, _sources: Sources) -> Plan:
    return (
        _plan_check(step) if isinstance(answer, Done) else _not_presented(step, str(answer.reason))
    )


def _not_presented(step: _Step, why: str) -> Plan:
    said = step.write(reason=why)
    return Plan((*said, step.warn("PresentError", f"Error presenting challenge: {why}")), retry=why)


def _plan_check(step: _Step, made: tuple[Action, ...] = ()) -> Plan:
    challenge = step.challenge
    actions = list(made)
    if not challenge.is_presented:
        actions += step.write(presented=True)
        message = f"Presented challenge using {challenge.type} challenge mechanism"
        actions.append(Emit(challenge.object, "Normal", "Presented", message))
        # What follows writes the status again: it needs the version this write makes.
        return Plan(tuple(actions), look_again_after_seconds=0.0)
    question = check_question(challenge, step.options)
    if question is None:
        return Plan(tuple(actions), ask=_accept(step))
    return Plan(tuple(actions), ask=Ask(question, partial(_after_check, step)))


def _after_check(step: _Step, answer: Any, _sources: Sources) -> Plan:
    if isinstance(answer, Done):
        return Plan(ask=_accept(step))
    assert isinstance(answer, NotYet)
    seconds = answer.again_after_seconds
    if not answer.reason:  # it was seen, and is to be seen again
        return Plan(look_again_after_seconds=seconds)
    reason = f"Waiting for {step.challenge.type} challenge propagation: {answer.reason}"
    usual = step.options.acme.check_seconds
    return Plan(
        step.write(reason=reason),
        look_again_after_seconds=usual if seconds is None else seconds,
    )


# ------------------------------------------------------------------------------ the CA looks


def _accept(step: _Step) -> Ask:
    question = AcceptChallenge(step.authority.account, step.challenge.url)
    return Ask(question, partial(_after_accept, step))


def _after_accept(step: _Step, answer: Any, _sources: Sources) -> Plan:
    if isinstance(answer, Problem) and answer.is_final:
        # It may have been accepted by an attempt whose answer was lost: then the CA has looked.
        challenge = step.challenge
        question = GetAuthorization(step.authority.account, challenge.authorization_url)
        return Plan(ask=Ask(question, partial(_after_doubt, step, answer)))
    if not isinstance(answer, ServerChallenge):
        return step.refused(answer, _ACCEPTING)
    return _wait_for_verdict(step)


def _after_doubt(step: _Step, problem: Problem, answer: Any, sources: Sources) -> Plan:
    if isinstance(answer, Problem | Authorization):
        if isinstance(answer, Authorization):
            if answer.status in {"valid", "invalid"}:
                return _after_look(step, answer, sources)
            url = step.challenge.url
            if any(found.status == "processing" for found in answer.challenges if found.url == url):
                return _wait_for_verdict(step)
        return step.refused(problem, _ACCEPTING)
    return step.refused(answer, _ACCEPTING)


def _wait_for_verdict(step: _Step) -> Plan:
    # From here on the CA is only asked how it went: it need not be told twice.
    return Plan(step.write(state="processing", reason=None), look_again_after_seconds=0.0)


def _plan_look(step: _Step) -> Plan:
    question = GetAuthorization(step.authority.account, step.challenge.authorization_url)
    return Plan(ask=Ask(question, partial(_after_look, step)))


def _after_look(step: _Step, answer: Any, sources: Sources) -> Plan:
    if not isinstance(answer, Authorization):
        return step.refused(answer)
    challenge = step.challenge
    if answer.status == "pending":
        since = meta.creation_time(challenge.object)
        usual = patience_seconds(AUTHORIZATION_SECONDS, since, sources.now)
        seconds = answer.retry_after_seconds or usual
        return Plan(look_again_after_seconds=seconds)
    if answer.status == "valid":
        written = step.write(state="valid", reason="Successfully authorized domain")
        message = (
            f"Domain {quote(challenge.dns_name)} verified with {quote(challenge.type)} validation"
        )
        return Plan((*written, Emit(challenge.object, "Normal", "DomainVerified", message)))
    if answer.status == "invalid":
        written = step.write(
            state="invalid", reason=f"Error accepting authorization: {answer.error_text}"
        )
        message = f"Accepting challenge authorization failed: {answer.error_text}"
        return Plan((*written, step.warn("Failed", message)))
    state = answer.status if answer.status in FAILURE_STATES else "errored"
    reason = f"The CA says that the authorization is {answer.status}"
    return Plan(step.write(state=state, reason=reason))


# ------------------------------------------------------------------------------ tidy up


def _plan_clean_up(step: _Step, after: Any) -> Plan:
    """Take the answer away; `after` is told `Done` or `NotYet`."""
    challenge, found = step.challenge, step.gathered.objects
    try:
        question = cleanup_question(challenge, found, step.options)
    except InvalidError as error:
        plan: Plan = after(NotYet(str(error)), None)
        return plan
    if question is not None:
        return Plan(ask=Ask(question, after))
    done: Plan = after(Done(), None)
    return Plan((*clean_up(challenge, found), *done.actions))


def _after_clean_up(step: _Step, answer: Any, _sources: Sources | None) -> Plan:
    if isinstance(answer, Done):
        return Plan(step.write(presented=False, processing=False))
    why = str(answer.reason)
    return Plan(
        (
            *step.write(reason=why),
            step.warn("CleanUpError", f"Error cleaning up challenge: {why}"),
        ),
        retry=why,
    )


def _plan_end(step: _Step, sources: Sources) -> Plan:
    """Let a Challenge that is deleted go, once its answer is gone."""
    challenge = step.challenge
    finalizers = meta.finalizers(challenge.object)
    if not finalizers or finalizers[0] != known.CHALLENGE_FINALIZER:
        return Plan()
    metadata = {**challenge.object["metadata"], "finalizers": list(finalizers[1:])}
    if not metadata["finalizers"]:
        del metadata["finalizers"]
    let_go = Update({**challenge.object, "metadata": metadata})
    if not (challenge.is_processing or challenge.is_presented):
        return Plan((let_go,))
    deleted = meta.deletion_time(challenge.object)
    assert deleted is not None
    is_late = sources.now - deleted > CLEAN_UP_MAX
    return _plan_clean_up(step, after=partial(_after_last_clean_up, step, let_go, is_late))


def _after_last_clean_up(
    step: _Step,
    let_go: Update,
    is_late: bool,  # noqa: FBT001 - partial fills it
    answer: Any,
    _sources: Sources | None,
) -> Plan:
    if isinstance(answer, Done):
        return Plan((let_go,))
    why = str(answer.reason)
    warning = step.warn("CleanUpError", f"Error cleaning up challenge: {why}")
    return Plan((warning, let_go)) if is_late else Plan((warning,), retry=why)


# ------------------------------------------------------------------------------ what is read


async def _gather(key: Key, reader: Reader, *, options: Options) -> ChallengeGathered | None:
    found = await reader.get(key)
    if found is None:
        return None
    challenge = Challenge(found)
    is_over = meta.deletion_time(found) is not None
    if challenge.issuer_ref.is_external or not (challenge.is_processing or is_over):
        return None
    authority = await gather_authority(challenge.issuer_ref, key.namespace, reader, options)
    wanted: list[Key] = []
    if challenge.type == "DNS-01":
        wanted += secret_keys(challenge, options)
    elif not options.acme.http01_in_process:
        wanted += needed(challenge)
    objects: dict[Key, Manifest] = {}
    for needed_key in wanted:
        obj = await reader.get(needed_key)
        if obj is not None:
            objects[needed_key] = obj
    return ChallengeGathered(challenge, authority, objects)


def challenges_controller(options: Options) -> Controller[ChallengeGathered]:
    """Return the loop."""
    return Controller(
        name="challenges",
        kind=CHALLENGE,
        gather=partial(_gather, options=options),
        plan=partial(plan_challenge, options=options),
        wakes=wake_of_issuers(OPEN_CHALLENGES_BY_ISSUER, options),
        backoff=SLOW_BACKOFF,
        indexes=(OPEN_CHALLENGES_BY_ISSUER,),
    )
