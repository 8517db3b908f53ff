"""The annotations that every target Secret carries: who it is for, who issued it, what is in it.

Source: reference cert-manager.md 2.9.
"""

from __future__ import annotations

from certwright.pki.certificates import DecodedCertificate
from certwright.resources import known
from certwright.resources.certificate import Certificate
from certwright.resources.gotext import join_csv

__all__ = ["secret_annotations"]


def secret_annotations(
    certificate: Certificate, issued: DecodedCertificate | None
) -> dict[str, str]:
    """Return the annotations; those about the certificate come from `issued`, not from the spec."""
    issuer = certificate.issuer_ref
    annotations = {
        known.CERTIFICATE_NAME: certificate.name,
        known.ISSUER_NAME: issuer.name,
        known.ISSUER_KIND: issuer.kind_or_default,
        known.ISSUER_GROUP: issuer.group,
    }
    if issued is None:
        return annotations
    subject, names = issued.subject, issued.names
    annotations |= {
        known.COMMON_NAME: subject.common_name,
        known.ALT_NAMES: ",".join(names.dns),
        known.IP_SANS: ",".join(names.ips),
        known.URI_SANS: ",".join(names.uris),
    }
    only_if_any = {
        known.EMAIL_SANS: ",".join(names.emails),
        known.SUBJECT_ORGANIZATIONS: join_csv(subject.organizations),
        known.SUBJECT_ORGANIZATIONAL_UNITS: join_csv(subject.organizational_units),
        known.SUBJECT_COUNTRIES: join_csv(subject.countries),
        known.SUBJECT_PROVINCES: join_csv(subject.provinces),
        known.SUBJECT_LOCALITIES: join_csv(subject.localities),
        known.SUBJECT_POSTAL_CODES: join_csv(subject.postal_codes),
        known.SUBJECT_STREET_ADDRESSES: join_csv(subject.street_addresses),
        known.SUBJECT_SERIAL_NUMBER: subject.serial_number,
    }
    return annotations | {name: value for name, value in only_if_any.items() if value}
