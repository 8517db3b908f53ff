"""Chains, in any order."""

from __future__ import annotations

import itertools

import pytest

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.chain import ChainResult, order_chain, parse_chain
from certwright.pki.pem import encode_pem
from certwright.pki.template import sign_template, template_of_request
from certwright_testing.pki import NOW, make_ca, make_key, make_request

ROOT, ROOT_KEY = make_ca("root")
MIDDLE, MIDDLE_KEY = make_ca("middle", (ROOT, ROOT_KEY))
LOW, LOW_KEY = make_ca("low", (MIDDLE, MIDDLE_KEY))
LEAF = sign_template(template_of_request(make_request(), now=NOW, serial=1), LOW_KEY, LOW)
ALONE = sign_template(template_of_request(make_request(), now=NOW, serial=2), make_key())


@pytest.mark.parametrize("order", list(itertools.permutations((LEAF, LOW, MIDDLE, ROOT))))
def test_the_order_of_what_is_given_does_not_count(order: tuple[object, ...]) -> None:
    """Leaf first, root left out of the chain and given as the CA."""
    expected = ChainResult(LEAF.pem + LOW.pem + MIDDLE.pem, ROOT.pem)

    assert expected == order_chain(order)  # type: ignore[arg-type]


def test_the_same_certificate_twice_counts_once() -> None:
    """Also three times, where the original stumbles."""
    expected = ChainResult(LEAF.pem + LOW.pem, MIDDLE.pem)
    result = order_chain([LOW, LEAF, LEAF, LOW, LOW, MIDDLE, MIDDLE, LEAF])

    assert ChainResult(LEAF.pem + LOW.pem + MIDDLE.pem, MIDDLE.pem) == result
    assert expected != result


@pytest.mark.parametrize(
    ("certificates", "expected"),
    [
        pytest.param([ROOT], ChainResult(ROOT.pem, ROOT.pem), id="a root alone"),
        pytest.param([LEAF], ChainResult(LEAF.pem, b""), id="a leaf alone"),
        pytest.param([MIDDLE], ChainResult(MIDDLE.pem, b""), id="an intermediate alone"),
        pytest.param([ALONE], ChainResult(ALONE.pem, b""), id="self-signed but no CA"),
        pytest.param([MIDDLE, ROOT], ChainResult(MIDDLE.pem, ROOT.pem), id="CA and root"),
    ],
)
def test_short_chains(certificates: list[object], expected: ChainResult) -> None:
    """A root is its own CA; what is alone and no root has none."""
    assert expected == order_chain(certificates)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "certificates",
    [
        pytest.param([LEAF, ROOT], id="a link is missing"),
        pytest.param([LEAF, LOW, MIDDLE, make_ca("stranger")[0]], id="a stranger"),
        pytest.param([LOW, LEAF, make_ca("low2", (MIDDLE, MIDDLE_KEY))[0], MIDDLE], id="a fork"),
        pytest.param([ALONE, LEAF], id="two leaves"),
    ],
)
def test_what_does_not_join_is_refused(certificates: list[object]) -> None:
    """One chain or none."""
    with pytest.raises(InvalidError, match="certificate chain is malformed or broken"):
        order_chain(certificates)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        pytest.param(b"text", "error decoding certificate PEM block", id="no block"),
        pytest.param(
            LEAF.pem + encode_pem("CERTIFICATE", b"0\x03"),
            "error parsing TLS certificate: x509: malformed certificate",
            id="a broken one",
        ),
        pytest.param(
            encode_pem("CERTIFICATE", LEAF.der + b"\x00"),
            "error parsing TLS certificate: x509: trailing data",
            id="something behind",
        ),
    ],
)
def test_what_is_no_certificate_is_refused(pem: bytes, message: str) -> None:
    """The texts are the original's."""
    with pytest.raises(InvalidError) as raised:
        parse_chain(pem)

    assert message == str(raised.value)


def test_a_certificate_cut_anywhere_is_refused() -> None:
    """Every prefix is an error, none a crash or a certificate."""
    for length in range(len(LEAF.der)):
        with pytest.raises(InvalidError):
            decode_certificates(encode_pem("CERTIFICATE", LEAF.der[:length]))


def test_a_byte_changed_anywhere_never_crashes_and_never_verifies() -> None:
    """What is read after a change is not signed by the CA any more."""
    for at in range(0, len(LEAF.der), 3):
        damaged = bytearray(LEAF.der)
        damaged[at] ^= 0x55
        try:
            (found,) = decode_certificates(encode_pem("CERTIFICATE", bytes(damaged)))
        except InvalidError:
            continue

        assert not found.is_signed_by(LOW)
