"""`ctl inspect secret`: what the certificate in a Secret says, and whether it would be trusted.

Source: cert-manager v1.12 cmd/ctl/pkg/inspect/secret (output). Its template prints the common name
as the organization and the organization as its unit; here each stands where it belongs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from certwright.engine.store import Store
from certwright.errors import CertwrightError, InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificate, decode_certificates
from certwright.pki.names import DistinguishedName, name_of_rdns
from certwright.pki.pem import decode_pem
from certwright.pki.usages import usages_of
from certwright.resources.gotext import quote
from certwright.resources.kinds import SECRET
from certwright.resources.secret import Secret
from certwright.resources.times import format_time, rfc1123
from certwright.roles.ctl.objects import fetch
from certwright.roles.ctl.x509_texts import public_key_algorithm, signature_algorithm

__all__ = ["Internet", "inspect_secret"]

_SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"
_ANY: Final = "2.5.29.37.0"


@dataclass(frozen=True, slots=True)
class Internet:
    """What is asked outside of the store."""

    get: Callable[[str], Awaitable[bytes]]
    """Fetches a CRL. Raises `CertwrightError`."""
    post_ocsp: Callable[[str, bytes], Awaitable[bytes]]
    """Asks an OCSP server. Raises `CertwrightError`."""
    trusted: Callable[[], Sequence[bytes]]
    """The CAs this computer trusts, DER."""


async def inspect_secret(
    store: Store, namespace: str, name: str, internet: Internet, now: datetime
) -> str:
    """Return the page about the first certificate of a Secret.

    Raises:
        CertwrightError: There is no such Secret, or no certificate in it.
    """
    try:
        secret = Secret(await fetch(store, SECRET.key(namespace, name)))
    except CertwrightError as error:
        raise type(error)(f"error when finding Secret {quote(name)}: {error}") from error
    chain = [
        block.der for block in decode_pem(secret.certificate_pem) if block.type == "CERTIFICATE"
    ]
    if not chain:
        raise InvalidError("no PEM data found in secret")
    try:
        leaf, *others = map(decode_certificate, chain)
    except InvalidError as error:
        raise InvalidError(f"error when parsing 'tls.crt': {error}") from error
    debugging = (
        ("Trusted by this computer", _trust(leaf, others, internet.trusted(), now)),
        ("CRL Status", await _crl_status(leaf, internet)),
        ("OCSP Status", await _ocsp_status(leaf, others, secret.ca_pem, internet)),
    )
    sections = (
        _valid_for(leaf),
        _validity(leaf),
        _name_section("Issued By", name_of_rdns(leaf.issuer)),
        _name_section("Issued For", leaf.subject),
        _certificate(leaf),
        "Debugging:\n" + "\n".join(f"\t{title}:\t{text}" for title, text in debugging),
    )
    return "\n\n".join(sections)


def _valid_for(leaf: DecodedCertificate) -> str:
    usages = usages_of(leaf.key_usage, leaf.extended_key_usages)
    return (
        f"Valid for:\n\tDNS Names: {_list(leaf.names.dns)}\n\tURIs: {_list(leaf.names.uris)}\n"
        f"\tIP Addresses: {_list(leaf.names.ips)}\n\tEmail Addresses: {_list(leaf.names.emails)}\n"
        f"\tUsages: {_list(usages)}"
    )


def _validity(leaf: DecodedCertificate) -> str:
    return (
        f"Validity period:\n\tNot Before: {rfc1123(leaf.not_before)}\n"
        f"\tNot After: {rfc1123(leaf.not_after)}"
    )


def _name_section(title: str, name: DistinguishedName) -> str:
    return (
        f"{title}:\n\tCommon Name:\t{name.common_name or '<none>'}\n"
        f"\tOrganization:\t{_one_or_list(name.organizations)}\n"
        f"\tOrganizationalUnit:\t{_one_or_list(name.organizational_units)}\n"
        f"\tCountry:\t{_one_or_list(name.countries)}"
    )


def _certificate(leaf: DecodedCertificate) -> str:
    fingerprint = hashlib.sha256(leaf.der).digest().hex(":").upper()
    return (
        f"Certificate:\n\tSigning Algorithm:\t{signature_algorithm(leaf)}\n"
        f"\tPublic Key Algorithm: \t{public_key_algorithm(leaf)}\n"
        f"\tSerial Number:\t{leaf.serial}\n\tFingerprints: \t{fingerprint}\n"
        f"\tIs a CA certificate: {'true' if leaf.is_ca else 'false'}\n"
        f"\tCRL:\t{_one_or_list(leaf.crl_distribution_points)}\n"
        f"\tOCSP:\t{_one_or_list(leaf.ocsp_servers)}"
    )


def _trust(
    leaf: DecodedCertificate,
    others: Sequence[DecodedCertificate],
    trusted: Iterable[bytes],
    now: datetime,
) -> str:
    """Say whether a CA of this computer, or one that came along, signed the certificate.

    Source: cmctl's describeTrusted, which trusts the intermediates of the Secret.
    """
    if not leaf.not_before <= now <= leaf.not_after:
        edge, word = (
            (leaf.not_before, "before") if now < leaf.not_before else (leaf.not_after, "after")
        )
        return (
            "no: x509: certificate has expired or is not yet valid: current time "
            f"{format_time(now)} is {word} {format_time(edge)}"
        )
    usages = leaf.extended_key_usages
    if usages and not {_SERVER_AUTH, _ANY} & set(usages):
        return "no: x509: certificate specifies an incompatible key usage"
    for encoded in (*(other.der for other in others), *trusted):
        try:
            ca = decode_certificate(encoded)
        except InvalidError:
            continue
        if ca.der == leaf.der or (ca.subject_der == leaf.issuer_der and leaf.is_signed_by(ca)):
            return "yes"
    return "no: x509: certificate signed by unknown authority"


async def _crl_status(leaf: DecodedCertificate, internet: Internet) -> str:
    if not leaf.crl_distribution_points:
        return "No CRL endpoints set"
    urls = [url for url in leaf.crl_distribution_points if url.startswith(("http://", "https://"))]
    if not urls:
        return "No CRL endpoints we support found"
    for url in urls:
        try:
            data = await internet.get(url)
            blocks = [block.der for block in decode_pem(data) if block.type == "X509 CRL"]
            crl = x509.load_der_x509_crl(blocks[0] if blocks else data)
        except (CertwrightError, ValueError, x509.InvalidVersion) as error:
            return f"Cannot check CRL: {error}"
        if crl.get_revoked_certificate_by_serial_number(leaf.serial) is not None:
            return f"Revoked by {url}"
    return "Valid"


async def _ocsp_status(
    leaf: DecodedCertificate,
    others: Sequence[DecodedCertificate],
    ca_pem: bytes,
    internet: Internet,
) -> str:
    issuers = list(others)
    try:
        if ca_pem:
            issuers += decode_certificates(ca_pem)
    except InvalidError as error:
        return f"Cannot parse intermediate certificate: {error}"
    issuer = next((found for found in issuers if leaf.is_signed_by(found)), None)
    if issuer is None:
        return "Cannot check OCSP, does not have a CA or intermediate certificate provided"
    if not leaf.ocsp_servers:
        return "Cannot check OCSP: No OCSP Server set"
    for url in leaf.ocsp_servers:
        try:
            request = (
                ocsp.OCSPRequestBuilder()
                .add_certificate(
                    x509.load_der_x509_certificate(leaf.der),
                    x509.load_der_x509_certificate(issuer.der),
                    hashes.SHA1(),  # noqa: S303 - what OCSP servers know a certificate by
                )
                .build()
            )
            answer = await internet.post_ocsp(url, request.public_bytes(Encoding.DER))
            response = ocsp.load_der_ocsp_response(answer)
            if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return f"Cannot check OCSP: the server says {response.response_status.name}"
            if response.certificate_status is ocsp.OCSPCertStatus.REVOKED:
                return "Marked as revoked"
        except (CertwrightError, ValueError, x509.InvalidVersion) as error:
            return f"Cannot check OCSP: {error}"
    return "valid"


def _list(values: Sequence[str]) -> str:
    return "".join(f"\n\t\t- {value}" for value in values) if values else "<none>"


def _one_or_list(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else _list(values)
