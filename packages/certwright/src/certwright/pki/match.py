"""Matching: in which fields a request, or a certificate, is not what a Certificate asks for.

Where cert-manager compares texts of addresses, addresses are compared here, so that another way to
write the same address does not issue again for ever (docs/certwright/compatibility.md).

Source: reference cert-manager.md 2.7 (RequestMatchesSpec, SecretDataAltNamesMatchSpec).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

from certwright.errors import InvalidError
from certwright.pki.addresses import canonical_ip, canonical_uri
from certwright.pki.certificates import DecodedCertificate
from certwright.pki.csr import DecodedRequest, decode_csr
from certwright.pki.extensions import NAME_CONSTRAINTS, AlternativeNames, name_constraints
from certwright.pki.literal_subject import decode_literal_subject
from certwright.pki.names import RdnSequence
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest

__all__ = ["request_violations", "secret_names_violations"]


def request_violations(request: CertificateRequest, certificate: Certificate) -> list[str]:
    """Return the fields of the Certificate that the request does not fit, by cert-manager's names.

    Lists are compared without order, repetitions counted. A literal subject counts whatever the
    feature gate says.

    Raises:
        InvalidError: The request's CSR, or the literal subject, cannot be read.
    """
    csr = decode_csr(request.request)
    violations = _names_violations(csr.names, certificate)
    if not _same(csr.names.dns, certificate.dns_names):
        violations.append("spec.dnsNames")
    violations += _subject_violations(csr, certificate)
    if not _same(csr.names.others, certificate.other_names):
        violations.append("spec.otherNames")
    if _constraints_differ(csr, certificate):
        violations.append("spec.nameConstraints")
    if request.is_ca != certificate.is_ca:
        violations.append("spec.isCA")
    if not _same(request.usages, certificate.usages):
        violations.append("spec.usages")
    asked, wanted = request.duration_nano, certificate.duration_nano
    if asked is not None and wanted is not None and asked != wanted:
        violations.append("spec.duration")
    if request.issuer_ref != certificate.issuer_ref:
        violations.append("spec.issuerRef")
    return violations


def secret_names_violations(issued: DecodedCertificate, certificate: Certificate) -> list[str]:
    """Return the fields of names that the issued certificate does not fit.

    For certificates whose request is gone: a common name and DNS names may stand for each other.
    """
    common_name, issued_name = certificate.common_name, issued.subject.common_name
    expected = {*certificate.dns_names, common_name} - {""}
    found = {*issued.names.dns, issued_name} - {""}
    violations: list[str] = []
    if found != expected:
        if (common_name and common_name not in found) or (
            issued_name and issued_name not in expected
        ):
            violations.append("spec.commonName")
        if not (found.issuperset(certificate.dns_names) and expected.issuperset(issued.names.dns)):
            violations.append("spec.dnsNames")
    return violations + _names_violations(issued.names, certificate)


def _names_violations(names: AlternativeNames, certificate: Certificate) -> list[str]:
    violations = []
    if not _same(names.ips, map(canonical_ip, certificate.ip_addresses)):
        violations.append("spec.ipAddresses")
    if not _same(names.uris, map(_canonical_uri, certificate.uris)):
        violations.append("spec.uris")
    if not _same(names.emails, certificate.email_addresses):
        violations.append("spec.emailAddresses")
    return violations


def _subject_violations(csr: DecodedRequest, certificate: Certificate) -> list[str]:
    if certificate.literal_subject:
        wanted = decode_literal_subject(certificate.literal_subject)
        return [] if _unordered(wanted) == _unordered(csr.subject_rdns) else ["spec.literalSubject"]
    name, subject = csr.subject, certificate.subject_or_default
    checks = (
        ("spec.commonName", name.common_name == certificate.common_name),
        ("spec.subject.serialNumber", name.serial_number == subject.serial_number),
        ("spec.subject.organizations", _same(name.organizations, subject.organizations)),
        ("spec.subject.countries", _same(name.countries, subject.countries)),
        ("spec.subject.localities", _same(name.localities, subject.localities)),
        (
            "spec.subject.organizationalUnits",
            _same(name.organizational_units, subject.organizational_units),
        ),
        ("spec.subject.postCodes", _same(name.postal_codes, subject.postal_codes)),
        ("spec.subject.postCodes", _same(name.provinces, subject.provinces)),
        ("spec.subject.streetAddresses", _same(name.street_addresses, subject.street_addresses)),
    )
    return [field for field, fits in checks if not fits]


def _unordered(rdns: RdnSequence) -> list[list[tuple[str, str]]]:
    """Return RDNs with their attributes sorted: DER sorts a SET, the text does not."""
    return [sorted(rdn) for rdn in rdns]


def _constraints_differ(csr: DecodedRequest, certificate: Certificate) -> bool:
    found, wanted = csr.extensions.get(NAME_CONSTRAINTS), certificate.name_constraints
    if wanted is None:
        return found is not None
    return found != name_constraints(wanted)


def _same(found: Iterable[Hashable], wanted: Iterable[Hashable]) -> bool:
    ours, theirs = tuple(found), tuple(wanted)
    return ours == theirs or Counter(ours) == Counter(theirs)


def _canonical_uri(text: str) -> str:
    try:
        return canonical_uri(text)
    except InvalidError:
        return text
