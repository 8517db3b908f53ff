"""The ACME client: one question, one exchange, one answer.

Source: RFC 8555; RFC 9773; draft-ietf-acme-profiles; reference cert-manager.md 3.4.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from certwright import clock
from certwright.acme import jws
from certwright.acme.ari import window_of
from certwright.acme.messages import (
    Authorization,
    Directory,
    OrderAnswer,
    Problem,
    ServerChallenge,
    Unreachable,
    authorization_of,
    decode_object,
    directory_of,
    order_of,
)
from certwright.acme.questions import (
    AcceptChallenge,
    AccountAnswer,
    AccountKey,
    AskRenewal,
    ChangeKey,
    Done,
    Download,
    Downloaded,
    Finalize,
    FindAccount,
    GetAuthorization,
    GetAuthorizations,
    GetOrder,
    NewOrder,
    Register,
    RenewalWindow,
    Revoke,
    Server,
    UpdateContact,
)
from certwright.adapters.acme.transport import (
    Answer,
    NoAnswerError,
    ProblemError,
    Transport,
    Trust,
)
from certwright.errors import InvalidError
from certwright.pki.keys import decode_private_key
from certwright.resources.times import format_time

__all__ = ["AcmeClient"]

NONCE_TRIES_MAX: Final = 8
"""A request whose nonce was refused is signed anew so often."""
NONCES_MAX: Final = 64
SERVER_KEYS_MAX: Final = 64
"""Decoded account keys that are kept."""
DIRECTORY_SECONDS_MAX: Final = 3600.0
"""A directory is read again after so long."""
AUTHORIZATIONS_AT_ONCE: Final = 8
ORDER_PAGES_MAX: Final = 200
"""Pages of an account's list of orders that are read."""
LOST_ORDERS_MAX: Final = 50
"""Orders that are looked at for a lost one, the newest first."""
ALTERNATES_MAX: Final = 8
RENEWAL_RETRY_SECONDS_DEFAULT: Final = 6 * 3600.0
"""Source: RFC 9773 4.3.2 (a check every six hours if the server does not say)."""
RENEWAL_RETRY_SECONDS: Final = (60.0, 86_400.0)
"""The least and the most that a server's Retry-After for renewal information counts."""
PAUSE_SECONDS: Final = 4.0
"""A question that failed is not put again before; less than the loops' least back-off."""
PAUSES_MAX: Final = 20_000
DOUBT: Final = timedelta(minutes=1)
"""Orders asked for until so long after our first question may have been asked for by another."""
_JOSE: Final = {"Content-Type": "application/jose+json"}
_PEM: Final = {"Accept": "application/pem-certificate-chain"}

Handler: TypeAlias = Callable[[Any], Coroutine[Any, Any, Any]]


class AcmeClient:
    """Asks ACME servers. Keeps nothing but directories, nonces and keys it has decoded."""

    def __init__(self, transport: Transport, now: Callable[[], datetime] = clock.now) -> None:
        """Ask nothing yet."""
        self._transport = transport
        self._now = now
        self._nonces: dict[str, deque[str]] = {}
        self._directories: dict[Server, tuple[float, Directory]] = {}
        self._keys: OrderedDict[bytes, RSAPrivateKey] = OrderedDict()
        self._first_asked: datetime | None = None
        self._doubtful: set[str] = set()
        self._pauses: OrderedDict[object, tuple[datetime, datetime, Problem | Unreachable]] = (
            OrderedDict()
        )
        self._handlers: dict[type, Handler] = {
            Register: self._register,
            FindAccount: self._find_account,
            UpdateContact: self._update_contact,
            ChangeKey: self._change_key,
            NewOrder: self._new_order,
            GetOrder: self._get_order,
            GetAuthorization: self._get_authorization,
            GetAuthorizations: self._get_authorizations,
            AcceptChallenge: self._accept,
            Finalize: self._finalize,
            Download: self._download,
            Revoke: self._revoke,
            AskRenewal: self._ask_renewal,
        }

    def handles(self, question: Any) -> bool:
        """Return whether this is a question for a CA."""
        return type(question) in self._handlers

    async def answer(self, question: Any) -> Any:
        """Return what the question's docstring says, a `Problem`, or `Unreachable`.

        What may pass by itself is remembered for as long as the server said: who writes down why it
        waits is woken by its own write, and would ask again at once.
        """
        key = question.reference if isinstance(question, NewOrder) else question
        paused = self._paused(key)
        if paused is not None:
            return paused
        answer: Problem | Unreachable
        try:
            return await self._handlers[type(question)](question)
        except ProblemError as error:
            answer = error.problem
        except NoAnswerError as error:
            answer = error.answer
        except InvalidError as error:
            answer = Unreachable(str(error))
        if not (isinstance(answer, Problem) and answer.is_final):
            seconds = max(answer.retry_after_seconds or 0.0, PAUSE_SECONDS)
            now = self._now()
            self._pauses[key] = (now, now + timedelta(seconds=seconds), answer)
            if len(self._pauses) > PAUSES_MAX:
                self._pauses.popitem(last=False)
        return answer

    def _paused(self, key: object) -> Problem | Unreachable | None:
        """Return the answer that still holds, with what is left of its pause."""
        found = self._pauses.get(key)
        if found is None:
            return None
        since, until, answer = found
        now = self._now()
        if not since <= now < until:
            del self._pauses[key]
            return None
        if answer.retry_after_seconds is None:
            return answer
        return replace(answer, retry_after_seconds=(until - now).total_seconds())

    async def directory(self, server: Server) -> Directory:
        """Return where a server's resources are.

        Raises:
            CertwrightError: It cannot be read.
        """
        known = self._directories.get(server)
        if known is not None and clock.monotonic_seconds() - known[0] < DIRECTORY_SECONDS_MAX:
            return known[1]
        answer = _good(await self._transport.send("GET", server.url, trust=_trust(server)))
        found = directory_of(decode_object(answer.body, "directory"))
        self._directories[server] = (clock.monotonic_seconds(), found)
        return found

    # -------------------------------------------------------------------------- accounts

    async def _register(self, question: Register) -> AccountAnswer:
        account = question.account
        url = (await self.directory(account.server)).new_account
        payload: dict[str, Any] = {"termsOfServiceAgreed": True, **_contact(question.email)}
        if question.binding_key_id:
            payload["externalAccountBinding"] = jws.bind_account(
                self._key(account),
                key_id=question.binding_key_id,
                mac_key=question.binding_key,
                url=url,
            )
        answer = await self._post(account, url, payload, by_key=True)
        if answer.status != 200:
            return _account(answer, answer.headers.get("location", ""))
        return await self._account_at(account, answer.headers.get("location", ""))

    async def _find_account(self, question: FindAccount) -> AccountAnswer:
        url = (await self.directory(question.account.server)).new_account
        answer = await self._post(question.account, url, {"onlyReturnExisting": True}, by_key=True)
        return await self._account_at(question.account, answer.headers.get("location", ""))

    async def _account_at(self, account: AccountKey, url: str) -> AccountAnswer:
        known = AccountKey(account.server, account.key_pem, url)
        return _account(await self._post(known, url, None), url)

    async def _update_contact(self, question: UpdateContact) -> AccountAnswer:
        payload = _contact(question.email) or {"contact": []}
        url = question.account.url
        return _account(await self._post(question.account, url, payload), url)

    async def _change_key(self, question: ChangeKey) -> Done:
        account = question.account
        url = (await self.directory(account.server)).key_change
        if not url:
            raise NoAnswerError("the server's directory has no keyChange: keys cannot be changed")
        new = self._key(AccountKey(account.server, question.new_key_pem))
        payload = {"account": account.url, "oldKey": jws.jwk_of(self._key(account))}
        inner = json.loads(jws.sign(new, payload, url=url))
        return _done(await self._post(account, url, inner))

    # -------------------------------------------------------------------------- orders

    async def _new_order(self, question: NewOrder) -> OrderAnswer:
        self._first_asked = self._first_asked or self._now()
        identifiers = [{"type": "dns", "value": name} for name in question.dns_names]
        identifiers += [{"type": "ip", "value": address} for address in question.ip_addresses]
        if question.since < self._first_asked + DOUBT or question.reference in self._doubtful:
            lost = await self._lost_order(question, identifiers)
            if lost is not None:
                self._doubtful.discard(question.reference)
                return lost
        directory = await self.directory(question.account.server)
        payload: dict[str, Any] = {"identifiers": identifiers}
        if question.not_after is not None:
            payload["notAfter"] = format_time(question.not_after)
        if question.profile:
            payload["profile"] = question.profile
        if question.replaces and directory.renewal_info:
            payload["replaces"] = question.replaces
        self._doubtful.add(question.reference)  # until there is an answer
        try:
            answer = await self._order_once(question.account, directory.new_order, payload)
        except ProblemError as error:
            if error.problem.status < 500:
                self._doubtful.discard(question.reference)
            raise
        order = _order(answer, answer.headers.get("location", ""))
        self._doubtful.discard(question.reference)  # an answer that says nothing is none
        return order

    async def _order_once(self, account: AccountKey, url: str, payload: dict[str, Any]) -> Answer:
        """Order; without `replaces` if the server will not have it: ours is a hint, no demand."""
        try:
            return await self._post(account, url, payload)
        except ProblemError as error:
            refused = error.problem.says("alreadyReplaced") or (
                error.problem.is_final and "replaces" in error.problem.detail
            )
            if "replaces" not in payload or not refused:
                raise
        return await self._post(
            account, url, {name: value for name, value in payload.items() if name != "replaces"}
        )

    async def _lost_order(
        self, question: NewOrder, identifiers: list[dict[str, str]]
    ) -> OrderAnswer | None:
        """Return an order that was made although we never saw the answer.

        Only servers that list an account's orders can tell; of the others some give the same order
        again by themselves (Boulder).
        """
        account = question.account
        wanted = tuple(sorted((entry["type"], entry["value"]) for entry in identifiers))
        urls = [url for url in await self._order_urls(account) if url not in question.taken]
        for url in urls[-LOST_ORDERS_MAX:][::-1]:  # the newest come last
            order = _order(await self._post(account, url, None), url)
            if order.identifiers == wanted and order.status in {"pending", "ready"}:
                return order
        return None

    async def _order_urls(self, account: AccountKey) -> list[str]:
        """Return where all orders of an account are, as far as the server tells."""
        answer = await self._post(account, account.url, None)
        page = decode_object(answer.body, "account").get("orders")
        found: list[str] = []
        host = _host(account.url)
        for _ in range(ORDER_PAGES_MAX):
            if not isinstance(page, str) or _host(page) != host:
                break
            try:
                answer = await self._post(account, page, None)
            except ProblemError as error:
                if error.problem.is_final:
                    break  # it has the field, but no list
                raise
            listed = decode_object(answer.body, "list of orders").get("orders") or ()
            found += [url for url in listed if isinstance(url, str) and _host(url) == host]
            page = next((url for relation, url in answer.links if relation == "next"), "")
        return found

    async def _get_order(self, question: GetOrder) -> OrderAnswer:
        return _order(await self._post(question.account, question.url, None), question.url)

    async def _get_authorization(self, question: GetAuthorization) -> Authorization:
        return await self._authorization(question.account, question.url)

    async def _get_authorizations(self, question: GetAuthorizations) -> tuple[Authorization, ...]:
        limit = asyncio.Semaphore(AUTHORIZATIONS_AT_ONCE)

        async def one(url: str) -> Authorization:
            async with limit:
                return await self._authorization(question.account, url)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(url)) for url in question.urls]
        except* (ProblemError, NoAnswerError, InvalidError) as errors:
            raise errors.exceptions[0] from None
        return tuple(task.result() for task in tasks)

    async def _authorization(self, account: AccountKey, url: str) -> Authorization:
        answer = await self._post(account, url, None)
        found = decode_object(answer.body, "authorization")
        return authorization_of(found, url, answer.retry_after_seconds)

    async def _accept(self, question: AcceptChallenge) -> ServerChallenge:
        answer = await self._post(question.account, question.url, {})
        found = decode_object(answer.body, "challenge")
        status = found.get("status")
        return ServerChallenge("", question.url, "", status if isinstance(status, str) else "")

    async def _finalize(self, question: Finalize) -> OrderAnswer:
        payload = {"csr": jws.b64url(question.csr_der)}
        answer = await self._post(question.account, question.finalize_url, payload)
        return _order(answer, question.order_url)

    async def _download(self, question: Download) -> Downloaded:
        answer = await self._post(question.account, question.url, None, accept=_PEM)
        alternates: list[bytes] = []
        if question.with_alternates:
            urls = [url for relation, url in answer.links if relation == "alternate"]
            for url in urls[:ALTERNATES_MAX]:
                other = await self._post(question.account, url, None, accept=_PEM)
                alternates.append(other.body)
        return Downloaded(answer.body, tuple(alternates))

    async def _revoke(self, question: Revoke) -> Done:
        url = (await self.directory(question.account.server)).revoke_cert
        if not url:
            raise NoAnswerError("the server's directory has no revokeCert")
        payload = {
            "certificate": jws.b64url(question.certificate_der),
            "reason": question.reason,
        }
        try:
            return _done(await self._post(question.account, url, payload))
        except ProblemError as error:
            if not error.problem.says("alreadyRevoked"):
                raise
        return Done()

    async def _ask_renewal(self, question: AskRenewal) -> RenewalWindow | Done:
        server = question.server
        base = (await self.directory(server)).renewal_info
        if not base:
            return Done()
        url = f"{base.rstrip('/')}/{question.certificate_id}"
        answer = await self._transport.send("GET", url, trust=_trust(server), redirects=True)
        if answer.status in {404, 409}:
            return Done()
        found = decode_object(_good(answer).body, "renewal information")
        least, most = RENEWAL_RETRY_SECONDS
        seconds = answer.retry_after_seconds or RENEWAL_RETRY_SECONDS_DEFAULT
        return window_of(found, min(max(seconds, least), most))

    # -------------------------------------------------------------------------- signed requests

    async def _post(
        self,
        account: AccountKey,
        url: str,
        payload: Any | None,
        *,
        by_key: bool = False,
        accept: dict[str, str] | None = None,
    ) -> Answer:
        """Send a signed request; a nonce that is refused costs another try.

        Raises:
            ProblemError: The server said no.
            NoAnswerError: It said nothing.
        """
        if not url:
            raise NoAnswerError("the server did not say where what was asked for is")
        key, kid = self._key(account), "" if by_key else account.url
        nonces = self._nonces.setdefault(account.server.url, deque(maxlen=NONCES_MAX))
        for attempt in range(NONCE_TRIES_MAX):
            nonce = nonces.pop() if nonces else await self._new_nonce(account.server)
            body = await asyncio.to_thread(
                jws.sign, key, payload, url=url, nonce=nonce, account=kid
            )
            answer = await self._transport.send(
                "POST", url, trust=_trust(account.server), headers=_JOSE | (accept or {}), body=body
            )
            if fresh := answer.headers.get("replay-nonce"):
                nonces.append(fresh)
            if answer.status < 400:
                return answer
            problem = answer.problem
            if not problem.says("badNonce") or attempt == NONCE_TRIES_MAX - 1:
                raise ProblemError(problem)
            if attempt:
                nonces.clear()  # they are all as old
        raise AssertionError("unreachable")

    async def _new_nonce(self, server: Server) -> str:
        url = (await self.directory(server)).new_nonce
        answer = await self._transport.send("HEAD", url, trust=_trust(server))
        nonce = answer.headers.get("replay-nonce", "")
        if answer.status >= 300 or not nonce:
            # Whatever the status: it says nothing about what is to be asked.
            why = f"the server gave no nonce (status {answer.status})"
            raise NoAnswerError(why, answer.retry_after_seconds)
        return nonce

    def _key(self, account: AccountKey) -> RSAPrivateKey:
        """Return the key, decoded once."""
        found = self._keys.pop(account.key_pem, None)
        if found is None:
            key = decode_private_key(account.key_pem)
            if not isinstance(key, RSAPrivateKey):
                raise InvalidError("the account's key is not of type RSA")
            found = key
        self._keys[account.key_pem] = found
        if len(self._keys) > SERVER_KEYS_MAX:
            self._keys.popitem(last=False)
        return found


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _good(answer: Answer) -> Answer:
    if answer.status >= 300:
        raise ProblemError(answer.problem)
    return answer


def _trust(server: Server) -> Trust:
    return Trust(server.ca_pem, server.skip_tls_verify)


def _contact(email: str) -> dict[str, list[str]]:
    return {"contact": [f"mailto:{email.lower()}"]} if email else {}


def _account(answer: Answer, url: str) -> AccountAnswer:
    if not url:
        raise NoAnswerError("the server did not say where the account is")
    found = decode_object(answer.body, "account") if answer.body else {}
    contact = found.get("contact")
    first = contact[0] if isinstance(contact, list) and contact else ""
    return AccountAnswer(url, str(first).replace("mailto:", "", 1))


def _done(answer: Answer) -> Done:
    """Return that it is done: nothing, or an object; a page is by somebody who stands between.

    Source: RFC 8555 7.3.5, 7.6 (status 200; no body is said).
    """
    if answer.status >= 300:
        raise NoAnswerError(f"no answer of an ACME server (status {answer.status})")
    if answer.body.strip():
        decode_object(answer.body, "answer")
    return Done()


def _order(answer: Answer, url: str) -> OrderAnswer:
    found = decode_object(answer.body, "order")
    return order_of(found, url, answer.retry_after_seconds)
