"""What a server says: directory, orders, authorizations, problems. Read with care: it may be wrong.

Source: RFC 8555 7.1; RFC 7807; golang.org/x/crypto/acme (how an error is printed).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from certwright.errors import InvalidError

__all__ = [
    "Authorization",
    "Directory",
    "OrderAnswer",
    "Problem",
    "ServerChallenge",
    "Unreachable",
    "authorization_of",
    "decode_object",
    "directory_of",
    "order_of",
    "problem_of",
]

PROBLEM: Final = "urn:ietf:params:acme:error:"
DETAIL_CHARACTERS_MAX: Final = 2000
"""Of what a server says about one problem, so much reaches a status or an event."""
SUBPROBLEMS_MAX: Final = 20
AUTHORIZATIONS_MAX: Final = 1000
CHALLENGES_MAX: Final = 100
STATES: Final = frozenset(
    {"valid", "ready", "pending", "processing", "invalid", "expired", "errored"}
)
"""States that the fields of Orders and Challenges take."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The server said no."""

    status: int
    """HTTP status, or 0 where the problem stands inside another answer."""
    type: str
    """Such as `urn:ietf:params:acme:error:rateLimited`."""
    detail: str
    subproblems: tuple[str, ...] = ()
    retry_after_seconds: float | None = None
    """As the header says; None without one."""

    @property
    def is_final(self) -> bool:
        """Whether repeating the request does not help: any 4xx but a limit of rates or a nonce."""
        return 400 <= self.status < 500 and not self.is_rate_limit and not self.says("badNonce")

    @property
    def is_rate_limit(self) -> bool:
        """Whether it was too much at once."""
        return self.status == 429 or self.says("rateLimited")

    def says(self, kind: str) -> bool:
        """Return whether the type is `urn:ietf:params:acme:error:KIND`."""
        return self.type == PROBLEM + kind

    def __str__(self) -> str:
        text = f"{self.status} {self.type}: {self.detail}"
        if self.subproblems:
            text += "; subproblems:" + "".join(f"\n\t{sub}" for sub in self.subproblems)
        return text


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There was no answer that could be understood."""

    reason: str
    """Without anything that the server said."""
    retry_after_seconds: float | None = None

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Directory:
    """Where a server's resources are."""

    new_nonce: str
    new_account: str
    new_order: str
    key_change: str = ""
    revoke_cert: str = ""
    renewal_info: str = ""
    caa_identities: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    is_bound: bool = False
    """Whether accounts need a binding to one that the CA knows."""


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """An order as the server has it."""

    url: str
    status: str
    finalize: str
    authorizations: tuple[str, ...]
    certificate: str = ""
    error: Problem | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    """Types and values, sorted."""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ServerChallenge:
    """One way to prove control."""

    type: str
    url: str
    token: str
    status: str
    error: Problem | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """The proof for one identifier, as the server has it."""

    url: str
    status: str
    identifier: str
    wildcard: bool
    challenges: tuple[ServerChallenge, ...] = field(default_factory=tuple)
    retry_after_seconds: float | None = None

    @property
    def error_text(self) -> str:
        """Why it is invalid, as golang.org/x/crypto/acme says it."""
        errors = "; ".join(str(found.error) for found in self.challenges if found.error)
        about = f" for {self.identifier}" if self.identifier else ""
        return f"acme: authorization error{about}: {errors}"


def decode_object(body: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in a body.

    Raises:
        InvalidError: It holds none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidError(f"the server's {what} is no JSON object")
    return value


def directory_of(found: Mapping[str, Any]) -> Directory:
    """Return the directory.

    Raises:
        InvalidError: A resource is missing that every server has.
    """
    for name in ("newNonce", "newAccount", "newOrder"):
        if not _text(found, name):
            raise InvalidError(
                f'this is no ACME directory: it has no "{name}"; is spec.acme.server right?'
            )
    meta = found.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    profiles = meta.get("profiles")
    return Directory(
        new_nonce=_text(found, "newNonce"),
        new_account=_text(found, "newAccount"),
        new_order=_text(found, "newOrder"),
        key_change=_text(found, "keyChange"),
        revoke_cert=_text(found, "revokeCert"),
        renewal_info=_text(found, "renewalInfo"),
        caa_identities=tuple(_texts(meta, "caaIdentities", CHALLENGES_MAX)),
        profiles=tuple(map(str, profiles)) if isinstance(profiles, Mapping) else (),
        is_bound=meta.get("externalAccountRequired") is True,
    )


def order_of(
    found: Mapping[str, Any], url: str, retry_after_seconds: float | None = None
) -> OrderAnswer:
    """Return an order.

    Raises:
        InvalidError: It lacks what every order has.
    """
    status, finalize = _text(found, "status"), _text(found, "finalize")
    if status in {"deactivated", "revoked"}:  # no order's states, but Pebble's, when a proof is
        status = "invalid"
    if status not in STATES or not finalize or not url:
        raise InvalidError("the server's order has no state that is known, or no finalize URL")
    identifiers = [
        (_text(entry, "type"), _text(entry, "value"))
        for entry in _objects(found, "identifiers", AUTHORIZATIONS_MAX)
    ]
    return OrderAnswer(
        url=url,
        status=status,
        finalize=finalize,
        authorizations=tuple(_texts(found, "authorizations", AUTHORIZATIONS_MAX)),
        certificate=_text(found, "certificate"),
        error=_inner_problem(found.get("error")),
        identifiers=tuple(sorted(identifiers)),
        retry_after_seconds=retry_after_seconds,
    )


def authorization_of(
    found: Mapping[str, Any], url: str, retry_after_seconds: float | None = None
) -> Authorization:
    """Return an authorization; its challenges may be of types that nobody knows.

    Raises:
        InvalidError: It lacks what every authorization has.
    """
    identifier = found.get("identifier")
    value = _text(identifier, "value") if isinstance(identifier, Mapping) else ""
    status = _text(found, "status")
    if not value or not status:
        raise InvalidError("the server's authorization has no state or no identifier")
    challenges = tuple(
        ServerChallenge(
            type=_text(entry, "type"),
            url=_text(entry, "url"),
            token=_text(entry, "token"),
            status=_text(entry, "status"),
            error=_inner_problem(entry.get("error")),
        )
        for entry in _objects(found, "challenges", CHALLENGES_MAX)
    )
    return Authorization(
        url,
        status,
        value,
        found.get("wildcard") is True,
        challenges,
        retry_after_seconds,
    )


def problem_of(
    status: int, body: bytes, *, is_problem: bool, retry_after_seconds: float | None
) -> Problem:
    """Return what an answer of 400 or more means.

    Only a problem document is quoted: anything else may be a page of whoever stands in between.
    One of an ACME server is known by its type as well, where its content type is wrong.
    """
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping) or not (
        is_problem or _text(found, "type").startswith(PROBLEM)
    ):
        return Problem(status, "", "the answer is no problem document", (), retry_after_seconds)
    return _problem(found, status, retry_after_seconds)


def _problem(found: Mapping[str, Any], status: int, retry_after: float | None) -> Problem:
    return Problem(
        status=status,
        type=_bounded(_text(found, "type")),
        detail=_bounded(_text(found, "detail")),
        subproblems=tuple(
            _subproblem_text(entry) for entry in _objects(found, "subproblems", SUBPROBLEMS_MAX)
        ),
        retry_after_seconds=retry_after,
    )


def _inner_problem(found: Any) -> Problem | None:
    if not isinstance(found, Mapping):
        return None
    status = found.get("status")
    return _problem(found, status if isinstance(status, int) else 0, None)


def _subproblem_text(found: Mapping[str, Any]) -> str:
    identifier = found.get("identifier")
    about = ""
    if isinstance(identifier, Mapping):
        about = f"[{_text(identifier, 'type')}: {_text(identifier, 'value')}] "
    return _bounded(f"{_text(found, 'type')}: {about}{_text(found, 'detail')}")


def _bounded(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text[:DETAIL_CHARACTERS_MAX])
    return shown if len(text) <= DETAIL_CHARACTERS_MAX else f"{shown}..."


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _texts(found: Mapping[str, Any], name: str, most: int) -> list[str]:
    value = found.get(name)
    texts = [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
    if len(texts) > most:
        raise InvalidError(f'the server\'s "{name}" has more than {most} entries')
    return texts


def _objects(found: Mapping[str, Any], name: str, most: int) -> list[Mapping[str, Any]]:
    value = found.get(name)
    entries = value[:most] if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, Mapping)]
