"""A new key for an ACME account, without losing the account.

::

    Secret: key          ─▶  key, key.next  ─▶  CA: keyChange  ─▶  Secret: key (the next one)

Whoever comes back after a crash finds both keys and asks the CA which of them counts.

Source: RFC 8555 7.3.5. cert-manager has nothing like it.
"""

from __future__ import annotations

import base64
from functools import partial
from typing import Any, Final

from certwright.acme.messages import Problem
from certwright.acme.questions import AccountAnswer, AccountKey, ChangeKey, Done, FindAccount
from certwright.pki.keys import encode_private_key
from certwright.reconcile.contract import Action, Ask, Emit, Plan, Sources, Update
from certwright.resources import known, meta
from certwright.resources.acme import AcmeIssuer
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import Manifest

__all__ = ["plan_rollover"]

_NEXT: Final = ".next"
"""Behind the name of the key's entry: the key that will take its place."""
_KEY_BITS: Final = 2048


def plan_rollover(issuer: Issuer, secret: Manifest, account: AccountKey, sources: Sources) -> Plan:
    """Plan the next step; the annotation that asked for it goes with the last one."""
    entry = AcmeIssuer(issuer.object).key_ref.key
    text = meta.mapping_at(secret, "data").get(entry + _NEXT)
    if not text:
        pem = encode_private_key(sources.private_key("RSA", _KEY_BITS), "PKCS1")
        data = {**secret["data"], entry + _NEXT: base64.b64encode(pem).decode("ascii")}
        return Plan((Update({**secret, "data": data}),), look_again_after_seconds=0.0)
    question = ChangeKey(account, base64.b64decode(text))
    return Plan(ask=Ask(question, partial(_after_change, issuer, secret, account)))


def _after_change(
    issuer: Issuer, secret: Manifest, account: AccountKey, answer: Any, _sources: Sources
) -> Plan:
    if isinstance(answer, Done):
        return Plan(_finish(issuer, secret))
    if isinstance(answer, Problem):
        # The old key may have been replaced by an attempt whose answer was lost.
        entry = AcmeIssuer(issuer.object).key_ref.key
        new = base64.b64decode(secret["data"][entry + _NEXT])
        question = FindAccount(AccountKey(account.server, new))
        return Plan(ask=Ask(question, partial(_after_search, issuer, secret, account, answer)))
    return Plan(retry=f"cannot change the key of the ACME account: {answer}")


def _after_search(
    issuer: Issuer,
    secret: Manifest,
    account: AccountKey,
    problem: Problem,
    answer: Any,
    _sources: Sources,
) -> Plan:
    if isinstance(answer, AccountAnswer) and answer.url == account.url:
        return Plan(_finish(issuer, secret))
    if isinstance(answer, AccountAnswer | Problem) and problem.is_final:
        entry = AcmeIssuer(issuer.object).key_ref.key
        data = {name: text for name, text in secret["data"].items() if name != entry + _NEXT}
        message = f"Failed to change the key of the ACME account: {problem}"
        return Plan(
            (
                Update({**secret, "data": data}),
                _without_annotation(issuer),
                Emit(issuer.object, "Warning", "ErrACMEAccountKeyRollover", message),
            )
        )
    return Plan(retry=f"cannot change the key of the ACME account: {problem}; {answer}")


def _finish(issuer: Issuer, secret: Manifest) -> tuple[Action, ...]:
    entry = AcmeIssuer(issuer.object).key_ref.key
    data = {name: text for name, text in secret["data"].items() if name != entry + _NEXT}
    data[entry] = secret["data"][entry + _NEXT]
    message = "The key of the ACME account was changed"
    return (
        Update({**secret, "data": data}),
        _without_annotation(issuer),
        Emit(issuer.object, "Normal", "ACMEAccountKeyRolledOver", message),
    )


def _without_annotation(issuer: Issuer) -> Update:
    metadata = dict(issuer.object["metadata"])
    kept = {
        name: value
        for name, value in meta.annotations(issuer.object).items()
        if name != known.ROLLOVER_ACCOUNT_KEY
    }
    metadata["annotations"] = kept
    if not kept:
        del metadata["annotations"]
    return Update({**issuer.object, "metadata": metadata})
