"""What the client sends, and takes for an answer where the CA need not say anything."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest

from certwright.acme.messages import Unreachable
from certwright.acme.questions import AccountKey, ChangeKey, Done, Register, Revoke, Server
from certwright.adapters.acme.client import AcmeClient
from certwright.adapters.acme.transport import Answer, Transport
from certwright.pki.keys import encode_private_key, generate_private_key

URL = "https://ca.example/"
_NAMES = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
DIRECTORY = json.dumps({name: URL + name for name in _NAMES}).encode()


class Ca(Transport):
    """Answers every signed request in one way."""

    def __init__(self, status: int, body: bytes) -> None:
        """Keep the answer."""
        super().__init__()
        self.answer = Answer(status, {}, body)
        self.posts = 0
        self.payload: Any = None

    async def send(self, method: str, url: str, **more: Any) -> Answer:
        """Answer."""
        if method == "POST":
            self.posts += 1
            text = json.loads(more["body"])["payload"]
            self.payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return self.answer
        return Answer(200, {"replay-nonce": "n"}, b"" if url.endswith("newNonce") else DIRECTORY)


@cache
def questions() -> tuple[Revoke | ChangeKey, ...]:
    """Return what is answered without a body."""
    pem = encode_private_key(generate_private_key("RSA", 2048), "PKCS1")
    account = AccountKey(Server(f"{URL}dir"), pem, f"{URL}account")
    return (Revoke(account, b"\x30\x00", 0), ChangeKey(account, pem))


@pytest.mark.parametrize("number", [pytest.param(0, id="revoke"), pytest.param(1, id="key")])
@pytest.mark.parametrize(
    ("status", "body", "is_done"),
    [
        pytest.param(200, b"", True, id="nothing"),
        pytest.param(200, b"\r\n", True, id="a line"),
        pytest.param(200, b"{}", True, id="an object"),
        pytest.param(204, b"", True, id="no content"),
        pytest.param(200, b"<html>log in</html>", False, id="a page"),
        pytest.param(200, b"OK", False, id="a word"),
        pytest.param(302, b"", False, id="a redirect"),
    ],
)
async def test_a_page_is_no_yes(number: int, status: int, body: bytes, *, is_done: bool) -> None:
    """Of a gateway before the CA, which has been asked nothing; its words are not repeated."""
    ca = Ca(status, body)
    answer = await AcmeClient(ca).answer(questions()[number])

    assert ca.posts == 1
    if is_done:
        assert answer == Done()
    else:
        assert isinstance(answer, Unreachable)
        assert "log in" not in str(answer)


@pytest.mark.parametrize(
    ("email", "contact"),
    [("Me@Example.com", {"contact": ["mailto:me@example.com"]}), ("", {})],
)
async def test_an_address_is_sent_in_lower_case(email: str, contact: dict[str, Any]) -> None:
    """As the original sends it; without one there is no contact at all."""
    ca = Ca(201, b"{}")
    await AcmeClient(ca).answer(Register(questions()[0].account, email))

    assert ca.payload == {"termsOfServiceAgreed": True, **contact}
