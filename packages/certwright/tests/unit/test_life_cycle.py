"""Whole lives of Certificates, on a store in memory with a clock that the test moves."""

from __future__ import annotations

from certwright.pki.key_pair import check_key_pair
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, SECRET
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, issuer
from certwright_testing.world import World

WEB = CERTIFICATE.key("one", "web")
TLS = SECRET.key("one", "tls")
SPEC = {
    "secretName": "tls",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "ca"},
    "privateKey": {"algorithm": "ECDSA"},
}


async def test_a_certificate_is_issued() -> None:
    """From a Certificate and an Issuer to a Secret that serves, with all events said."""
    world = World()
    await world.apply(issuer(), certificate(spec=SPEC))

    await world.settle()

    assert world.problems == []
    obj = await world.got(WEB)
    ready = get_condition(obj, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("True", "Ready")
    assert get_condition(obj, "Issuing") is None
    assert Certificate(obj).revision == 1
    assert Certificate(obj).next_private_key_secret_name == ""
    secret = Secret(await world.got(TLS))
    assert check_key_pair(secret.certificate_pem, secret.private_key_pem) == ""
    assert len(world.all(CERTIFICATE_REQUEST)) == 1
    assert len(world.all(SECRET)) == 1
