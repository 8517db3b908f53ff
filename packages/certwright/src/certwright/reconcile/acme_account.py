"""The account of an ACME issuer: registered once, kept in step with the spec.

::

    key Secret ─(missing: made)─▶ register or find ─▶ e-mail as in the spec ─▶ Ready
                                                            │
    annotation certwright.dev/rollover-account-key ─▶ next key in the Secret ─▶ keyChange ─▶ kept

Every step can be repeated: what a process that dies has asked for, the next one finds.

Source: reference cert-manager.md 3.4 (Account); cert-manager v1.12.2 pkg/issuer/acme/setup.go.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certwright.acme.messages import Problem, Unreachable
from certwright.acme.questions import (
    AccountAnswer,
    AccountKey,
    Register,
    Server,
    UpdateContact,
)
from certwright.errors import InvalidError
from certwright.issuers.contract import IssuerState, Notice, not_found_text
from certwright.pki.keys import decode_private_key, encode_private_key
from certwright.reconcile.acme_rollover import plan_rollover
from certwright.reconcile.contract import Action, Ask, Create, Plan, Sources
from certwright.reconcile.issuer_ready import IssuerGathered, plan_ready, resource_namespace
from certwright.reconcile.options import Options
from certwright.resources import known, meta
from certwright.resources.acme import AcmeIssuer, SecretRef
from certwright.resources.conditions import get_condition
from certwright.resources.gotext import quote
from certwright.resources.kinds import SECRET, Manifest
from certwright.resources.secret import Secret, encode_data

__all__ = ["account_of", "plan_account", "server_of"]

_REGISTERED: Final = "The ACME account was registered with the ACME server"
_REGISTRATION: Final = "Failed to register ACME account: "
_VERIFICATION: Final = "Failed to verify ACME account: "
_UPDATE: Final = "Failed to update ACME account:"
_KEY_BITS: Final = 2048
_RAW_BASE64URL: Final = re.compile(rb"[A-Za-z0-9_-]*")
RATE_LIMIT_SECONDS_DEFAULT: Final = 900.0
"""When to come back after a limit of rates that names no time."""
_V1: Final[Mapping[str, str]] = {
    f"https://acme-{old}.api.letsencrypt.org/directory{slash}": (
        f"https://acme-{new}.api.letsencrypt.org/directory"
    )
    for old, new in (("v01", "v02"), ("staging", "staging-v02"))
    for slash in ("", "/")
}


@dataclass(frozen=True, slots=True)
class _Account:
    """An issuer whose key is known."""

    gathered: IssuerGathered
    options: Options
    key: RSAPrivateKey
    key_pem: bytes
    url: str
    """As the status has it, or empty."""

    @property
    def acme(self) -> AcmeIssuer:
        return AcmeIssuer(self.gathered.issuer.object)

    @property
    def credentials(self) -> AccountKey:
        return AccountKey(server_of(self.acme), self.key_pem, self.url)


def server_of(acme: AcmeIssuer) -> Server:
    """Return the CA of an issuer.

    Raises:
        InvalidError: Its bundle is not base64.
    """
    return Server(acme.server, acme.ca_bundle, acme.skip_tls_verify)


def account_of(acme: AcmeIssuer, secret: Manifest | None) -> AccountKey:
    """Return the account that an issuer which is ready has.

    Raises:
        InvalidError: It has none, or its key is not there.
    """
    ref = acme.key_ref
    if not acme.account_url:
        raise InvalidError(f"the issuer {meta.name(acme.object)} has no ACME account yet")
    if secret is None:
        raise InvalidError(not_found_text(ref.name))
    _key_of(Secret(secret), ref)
    return AccountKey(server_of(acme), Secret(secret).get(ref.key), acme.account_url)


def plan_account(gathered: IssuerGathered, sources: Sources, *, options: Options) -> Plan:
    """Plan the next step towards an account, and the condition Ready."""
    issuer = gathered.issuer
    acme = AcmeIssuer(issuer.object)
    if acme.server in _V1:
        message = (
            f"Your ACME server URL is set to a v1 endpoint ({acme.server}). You should update the "
            f"spec.acme.server field to {quote(_V1[acme.server])}"
        )
        return _refuse(gathered, "InvalidConfig", message, sources, options)
    secret = gathered.objects.get(
        SECRET.key(resource_namespace(issuer, options), acme.key_ref.name)
    )
    if secret is None:
        return _without_key(gathered, sources, options)
    try:
        key = _key_of(Secret(secret), acme.key_ref)
    except InvalidError as error:
        message = f"Account private key is invalid: {error}"
        return _refuse(gathered, "ErrVerifyACMEAccount", message, sources, options)
    if not isinstance(key, RSAPrivateKey):
        message = f"ACME private key in {quote(acme.key_ref.name)} is not of type RSA"
        return _refuse(gathered, "ErrVerifyACMEAccount", message, sources, options)
    pem = Secret(secret).get(acme.key_ref.key)
    account = _Account(gathered, options, key, pem, acme.account_url)
    if known.ROLLOVER_ACCOUNT_KEY in meta.annotations(issuer.object) and acme.account_url:
        return plan_rollover(issuer, secret, account.credentials, sources)
    return _plan_registration(account, sources)


def _without_key(gathered: IssuerGathered, sources: Sources, options: Options) -> Plan:
    issuer = gathered.issuer
    acme = AcmeIssuer(issuer.object)
    ref = acme.key_ref
    if not acme.is_key_made:
        message = (
            f"{_VERIFICATION}the ACME issuer config has 'disableAccountKeyGeneration' set to true, "
            f"but the secret was not found: {not_found_text(ref.name)}"
        )
        return _refuse(gathered, "ErrVerifyACMEAccount", message, sources, options, error=message)
    key = sources.private_key("RSA", _KEY_BITS)
    assert isinstance(key, RSAPrivateKey)
    pem = encode_private_key(key, "PKCS1")
    secret: Manifest = {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {"name": ref.name, "namespace": resource_namespace(issuer, options)},
        "data": encode_data({ref.key: pem}),
    }
    return _plan_registration(_Account(gathered, options, key, pem, ""), sources, (Create(secret),))


def _plan_registration(
    account: _Account, sources: Sources, actions: tuple[Action, ...] = ()
) -> Plan:
    acme, issuer = account.acme, account.gathered.issuer
    ready = get_condition(issuer.object, "Ready")
    if (
        ready is not None
        and ready.is_true
        and account.url
        and _is_at_server(acme)
        and acme.registered_email == acme.email
        and acme.key_hash == _hash_of(account.key)
    ):
        return _plan_registered(account, dict(acme.status), sources)
    try:
        key_id, mac_key = _binding(account)
        server_of(acme)
    except InvalidError as error:
        message = f"{_REGISTRATION}{error}"
        notice = Notice("Warning", "ErrRegisterACMEAccount", message)
        state = IssuerState(
            ready=False, reason="ErrRegisterACMEAccount", message=message, notices=(notice,)
        )
        return plan_ready(issuer, state, sources, account.options, actions=actions)
    question = Register(account.credentials, acme.email, key_id, mac_key)
    return Plan(actions, ask=Ask(question, partial(_after_registration, account)))


def _after_registration(account: _Account, answer: Any, sources: Sources) -> Plan:
    acme = account.acme
    if not isinstance(answer, AccountAnswer):
        return _plan_failure(account, "ErrRegisterACMEAccount", _REGISTRATION, answer, sources)
    if answer.email.lower() == acme.email.lower():
        return _plan_registered(account, _status(account, answer.url), sources)
    known_account = AccountKey(server_of(acme), account.key_pem, answer.url)
    question = UpdateContact(known_account, acme.email)
    return Plan(ask=Ask(question, partial(_after_update, account)))


def _after_update(account: _Account, answer: Any, sources: Sources) -> Plan:
    if not isinstance(answer, AccountAnswer):
        return _plan_failure(
            account, "ErrUpdateACMEAccount", _UPDATE, answer, sources, is_event=True
        )
    return _plan_registered(account, _status(account, answer.url), sources)


def _is_at_server(acme: AcmeIssuer) -> bool:
    """Return whether the account is at the CA that the spec names."""
    return urlsplit(acme.account_url).netloc == urlsplit(acme.server).netloc


def _status(account: _Account, url: str) -> dict[str, str]:
    found = {
        "uri": url,
        "lastRegisteredEmail": account.acme.email,
        "lastPrivateKeyHash": _hash_of(account.key),
    }
    return {name: value for name, value in found.items() if value}


def _plan_registered(account: _Account, status: Mapping[str, str], sources: Sources) -> Plan:
    state = IssuerState(ready=True, reason="ACMEAccountRegistered", message=_REGISTERED)
    return plan_ready(account.gathered.issuer, state, sources, account.options, acme=status)


def _plan_failure(
    account: _Account,
    reason: str,
    prefix: str,
    answer: Any,
    sources: Sources,
    *,
    is_event: bool = False,
) -> Plan:
    """Say what went wrong; what may go away by itself is tried again."""
    message = f"{prefix}{answer}"
    notices = (Notice("Warning", reason, message),) if is_event else ()
    again: float | None = None
    error = ""
    if isinstance(answer, Problem) and answer.is_rate_limit:
        again = answer.retry_after_seconds or RATE_LIMIT_SECONDS_DEFAULT
    elif not (isinstance(answer, Problem) and answer.is_final):
        error = str(answer)
        if isinstance(answer, Unreachable | Problem):
            again = answer.retry_after_seconds
    state = IssuerState(ready=False, reason=reason, message=message, notices=notices, error=error)
    status = dict(account.acme.status)
    if not account.url or not _is_at_server(account.acme):
        status.pop("uri", None)
    return plan_ready(
        account.gathered.issuer,
        state,
        sources,
        account.options,
        acme=status or None,
        again_after_seconds=again,
    )


def _refuse(
    gathered: IssuerGathered,
    reason: str,
    message: str,
    sources: Sources,
    options: Options,
    *,
    error: str = "",
) -> Plan:
    state = IssuerState(ready=False, reason=reason, message=message, error=error)
    return plan_ready(gathered.issuer, state, sources, options)


def _binding(account: _Account) -> tuple[str, bytes]:
    """Return key id and key of the external account; both empty if there is none.

    Raises:
        InvalidError: The key cannot be had; the texts are cert-manager's.
    """
    binding = account.acme.binding
    if not binding:
        return "", b""
    ref = SecretRef.from_object(binding.get("keySecretRef"))
    namespace = resource_namespace(account.gathered.issuer, account.options)
    found = account.gathered.objects.get(SECRET.key(namespace, ref.name))
    if found is None:
        raise InvalidError(not_found_text(ref.name))
    data = Secret(found).data
    if ref.key not in data:
        raise InvalidError(
            "failed to find external account binding key data in Secret "
            f"{quote(ref.name)} at index {quote(ref.key)}"
        )
    text = data[ref.key]
    try:
        if not _RAW_BASE64URL.fullmatch(text):
            raise ValueError("it is not base64url without padding")  # noqa: TRY301
        key = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError(
            f"failed to decode external account binding key data: {error}"
        ) from error
    return str(binding.get("keyID") or ""), key


def _key_of(secret: Secret, ref: SecretRef) -> Any:
    data = secret.data
    if ref.key not in data:
        raise InvalidError(
            f"no data for {quote(ref.key)} in secret '{secret.namespace}/{secret.name}'"
        )
    return decode_private_key(data[ref.key])


def _hash_of(key: RSAPrivateKey) -> str:
    """Return `lastPrivateKeyHash`. Source: reference cert-manager.md 3.4."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")
