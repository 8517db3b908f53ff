"""Names of Orders and Challenges; expected values come from a Go program with the same structs."""

from __future__ import annotations

from typing import Any

import pytest

from certwright.acme.names import adler32, challenge_name, go_json, order_name

ORDER: dict[str, Any] = {
    "issuerRef": {"kind": "ClusterIssuer", "name": "le"},
    "dnsNames": ["a.example.com", "b<&>.example.com"],
    "commonName": "a.example.com",
    "duration": "2160h0m0s",
    "ipAddresses": ["192.0.2.1"],
    "request": "AAAA",
}
LONG = "a-name-that-is-longer-than-fifty-two-characters-in-all-0"
HTTP: dict[str, Any] = {
    "url": "https://ca/chal/1",
    "authorizationURL": "https://ca/authz/1",
    "dnsName": "example.com",
    "wildcard": True,
    "type": "HTTP-01",
    "token": "tok",
    "key": "whatever",
    "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": "le"},
    "solver": {
        "http01": {"ingress": {"class": "nginx", "serviceType": "ClusterIP"}},
        "selector": {"dnsZones": ["example.com"], "matchLabels": {"b": "2", "a": "1"}},
    },
}
RFC2136: dict[str, Any] = {
    "url": "https://ca/chal/2",
    "authorizationURL": "https://ca/authz/2",
    "dnsName": "example.com",
    "wildcard": False,
    "type": "DNS-01",
    "token": "tok",
    "issuerRef": {"name": "le"},
    "solver": {
        "dns01": {
            "rfc2136": {"tsigKeyName": "k", "nameserver": "192.0.2.53"},
            "cnameStrategy": "Follow",
        }
    },
}
ROUTE53: dict[str, Any] = {
    "url": "https://ca/chal/3",
    "authorizationURL": "https://ca/authz/3",
    "dnsName": "example.com",
    "wildcard": False,
    "type": "DNS-01",
    "token": "tok",
    "issuerRef": {"name": "le"},
    "solver": {"dns01": {"route53": {"region": "eu-west-1", "role": "r"}}},
}


def test_an_order_is_named_after_its_request_and_what_it_is_for() -> None:
    """The CSR is no part of it."""
    assert order_name("web-1", ORDER) == "web-1-382666778"
    assert order_name("web-1", {**ORDER, "request": "BBBB"}) == "web-1-382666778"


def test_a_long_name_of_a_request_is_part_of_the_hash() -> None:
    """Else two requests whose names are cut would share an Order."""
    assert (
        order_name(LONG, ORDER) == "a-name-that-is-longer-than-fifty-two-characters-in-a-2334590404"
    )


@pytest.mark.parametrize(
    ("spec", "hashed"),
    [
        pytest.param(HTTP, 3433995474, id="http01"),
        pytest.param(RFC2136, 973400658, id="a struct that is always written"),
        pytest.param(ROUTE53, 3614085744, id="route53"),
    ],
)
def test_a_challenge_is_named_as_go_does(spec: dict[str, Any], hashed: int) -> None:
    """In the order of Go's fields, without its key."""
    assert challenge_name("order", spec) == f"order-{hashed}"


def test_what_nobody_knows_is_written_by_name() -> None:
    """A field that came with a later version does not get lost."""
    found = go_json({"dns01": {"someday": {"b": 1, "a": "<"}}}, "ACMEChallengeSolver")

    assert found == '{"dns01":{"someday":{"a":"\\u003c","b":1}}}'


def test_labels_are_adler32() -> None:
    """As Go's hash/adler32 prints it."""
    assert adler32("www.example.com") == "810681837"
    assert adler32("k5K8HnorsAZ2Z6WLaNRBfDHwpxrzsodDDh6eoUFW3do") == "1104154342"
