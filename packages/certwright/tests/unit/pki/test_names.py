"""Names, addresses, PEM and DER: round trips, and how Go writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidError
from certwright.pki import der
from certwright.pki.addresses import canonical_ip, canonical_uri, ip_bytes, ip_text
from certwright.pki.literal_subject import decode_literal_subject
from certwright.pki.names import (
    DistinguishedName,
    decode_rdns,
    encode_rdns,
    name_of_rdns,
    name_text,
    rdns_of_name,
)
from certwright.pki.pem import PemBlock, decode_pem, encode_pem

WORDS = st.lists(st.text(min_size=1, max_size=70), max_size=3).map(tuple)
NAMES = st.builds(
    DistinguishedName,
    countries=WORDS,
    organizations=WORDS,
    organizational_units=WORDS,
    localities=WORDS,
    provinces=WORDS,
    street_addresses=WORDS,
    postal_codes=WORDS,
    common_name=st.text(max_size=70),
    serial_number=st.text(max_size=20),
)


@given(NAMES)
def test_a_name_comes_back_but_for_the_order_in_a_list(name: DistinguishedName) -> None:
    """DER sorts the values of a multi-valued RDN."""
    encoded = encode_rdns(rdns_of_name(name))
    decoded = name_of_rdns(decode_rdns(encoded))

    assert encode_rdns(rdns_of_name(decoded)) == encoded
    assert decoded.common_name == name.common_name
    assert sorted(decoded.organizations) == sorted(name.organizations)
    assert sorted(decoded.street_addresses) == sorted(name.street_addresses)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_name_are_refused(data: bytes) -> None:
    """With an error of ours, or they are a name."""
    try:
        decode_rdns(data)
    except InvalidError:
        return

    assert data[0] == der.SEQUENCE


def test_a_list_is_one_rdn_and_each_value_chooses_its_type() -> None:
    """`&` is not in PrintableString."""
    encoded = encode_rdns(rdns_of_name(DistinguishedName(organizations=("b & c", "a"))))

    assert encoded.hex() == (
        "301a3118" + "3008060355040a130161" + "300c060355040a0c0562202620" + "63"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CN=a,O=b", "CN=a,O=b"),
        (r"CN=a\,b+OU=c,O=\#x\ ", r"CN=a\,b,OU=c,O=\#x\ "),
        ("CN= a  b ,O=", "CN=a  b"),
        ("UID=u,CN=x", "CN=x,0.9.2342.19200300.100.1.1=#130175"),
    ],
)
def test_a_name_is_shown_as_go_shows_it(text: str, expected: str) -> None:
    """Well-known fields first in the encoding, so last in the text; others as hex."""
    assert expected == name_text(decode_literal_subject(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",CN=x", "incomplete type, value pair"),
        ("CN=x,y", "DN ended with incomplete type, value pair"),
        ("CN=x\\", None),
        ("CN=\\z1", "failed to decode escaped character: encoding/hex: invalid byte: U+007A 'z'"),
        ("CN=\\a", "got corrupted escaped character"),
        ("CN=#0c1", "failed to decode BER encoding: encoding/hex: odd length hex string"),
    ],
)
def test_a_literal_subject_is_read_as_go_ldap_reads_it(text: str, message: str | None) -> None:
    """Its quirks too: a backslash at the very end is nothing."""
    if message is None:
        assert decode_literal_subject(text) == ((("2.5.4.3", "x"),),)
        return
    with pytest.raises(InvalidError) as raised:
        decode_literal_subject(text)

    assert message == str(raised.value)


@given(st.text(alphabet='CNO=+,;\\# "ab0é', max_size=20))
def test_no_literal_subject_crashes(text: str) -> None:
    """It is a name or an error."""
    try:
        decode_literal_subject(text)
    except InvalidError:
        return


# ------------------------------------------------------------------------------ addresses


@given(st.ip_addresses())
def test_an_address_comes_back(address: object) -> None:
    """In its canonical text; an IPv4 address in IPv6 is IPv4."""
    packed = ip_bytes(str(address))

    assert packed is not None
    assert ip_bytes(ip_text(packed)) == packed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2001:db8:0::1", "2001:db8::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("1.2.3.04", "1.2.3.04"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_another_way_to_write_an_address_is_the_same_address(text: str, expected: str) -> None:
    """What is no address for Go stays as it is."""
    assert expected == canonical_ip(text)


@given(st.text(alphabet="abc:/?#[]@%20A é.!'\x01", max_size=20))
def test_a_canonical_uri_is_canonical(text: str) -> None:
    """Writing it again changes nothing, or it is refused."""
    try:
        once = canonical_uri(text)
        twice = canonical_uri(once)
    except InvalidError:
        return

    assert once == twice


# ------------------------------------------------------------------------------ PEM and DER


@given(st.lists(st.tuples(st.sampled_from(["A", "X Y", ""]), st.binary(max_size=200)), max_size=4))
def test_blocks_come_back(blocks: list[tuple[str, bytes]]) -> None:
    """In order, with text between them."""
    data = b"text\n".join(encode_pem(kind, content) for kind, content in blocks)

    assert list(decode_pem(data)) == [PemBlock(kind, content) for kind, content in blocks]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"-----BEGIN A-----\nAAAA\n-----END B-----\n", [], id="another end"),
        pytest.param(b"-----BEGIN A-----\n!\n-----END A-----\n", [], id="no base64"),
        pytest.param(
            b"-----BEGIN A-----\r\nAA\r\nAA\r\n-----END A-----\r\n", [b"\0\0\0"], id="CR and LF"
        ),
        pytest.param(
            b"-----BEGIN A-----\nK: v\n\nAAAA\n-----END A-----", [b"\0\0\0"], id="a header"
        ),
        pytest.param(
            b"-----BEGIN A-----\nAA\n-----BEGIN A-----\nAAAA\n-----END A-----\n",
            [b"\0\0\0"],
            id="a block without an end",
        ),
        pytest.param(
            b" -----BEGIN A-----\nAAAA\n-----END A-----\n", [], id="not at a line's start"
        ),
    ],
)
def test_broken_blocks_are_passed_over(data: bytes, expected: list[bytes]) -> None:
    """As Go's reader does."""
    assert expected == [block.der for block in decode_pem(data)]


@given(st.integers(-(2**200), 2**200))
def test_integers_come_back_in_the_fewest_bytes(value: int) -> None:
    """No padding: the first nine bits are never all the same."""
    element = der.Reader(der.integer(value)).read(der.INTEGER)

    assert der.decode_integer(element.content) == value
    assert (
        len(element.content) == 1
        or element.content[:2][0] not in {0, 255}
        or (element.content[0] >> 7 != element.content[1] >> 7)
    )


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=6), st.integers(0, 39))
def test_object_identifiers_come_back(rest: list[int], second: int) -> None:
    """As dotted texts."""
    text = ".".join(map(str, [1, second, *rest]))

    assert der.decode_oid(der.Reader(der.oid(text)).read(der.OID).content) == text


@given(st.binary(max_size=40))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    """Elements, or an error of ours."""
    try:
        elements = der.Reader(data).rest()
    except InvalidError:
        return

    assert b"".join(element.whole for element in elements) == data
