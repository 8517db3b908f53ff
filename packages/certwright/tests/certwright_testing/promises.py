"""What must hold after every write, whatever was cut off before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from certwright.errors import InvalidError
from certwright.pki.csr import decode_csr
from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import decode_private_key, public_key_der
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, SECRET
from certwright.resources.secret import Secret
from certwright_testing.world import World

__all__ = ["Promises"]


@dataclass(slots=True)
class Promises:
    """Keeps count over a world's whole life; call it after every write."""

    issued: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    """(uid of the Certificate, revision) → uids of requests that were ever answered."""

    def __call__(self, world: World) -> None:
        """Assert what must hold now."""
        for obj in world.all(SECRET):
            _pair_fits(Secret(obj))
        keys = {
            public for obj in world.all(SECRET) if (public := _public_key(Secret(obj))) is not None
        }
        certificates = {meta.uid(obj): Certificate(obj) for obj in world.all(CERTIFICATE)}
        for obj in world.all(CERTIFICATE_REQUEST):
            request = CertificateRequest(obj)
            owner = meta.controller_of(obj)
            if owner is None or owner.uid not in certificates or request.revision is None:
                continue
            if request.certificate:
                answered = self.issued.setdefault((owner.uid, request.revision), set())
                answered.add(request.uid)
                assert len(answered) == 1, f"issued twice: {owner.name} {request.revision}"
            if _counts(request, certificates[owner.uid]):
                requested = decode_csr(request.request).public_key
                assert requested is not None
                is_there = public_key_der(requested) in keys
                assert is_there or _is_outdated(requested, certificates[owner.uid]), (
                    f"lost the key of {request.name}"
                )


def _pair_fits(secret: Secret) -> None:
    if known.CERTIFICATE_NAME in secret.annotations and secret.certificate_pem:
        problem = check_key_pair(secret.certificate_pem, secret.private_key_pem)
        assert problem == "", f"{secret.name}: {problem}"


def _public_key(secret: Secret) -> bytes | None:
    try:
        return public_key_der(decode_private_key(secret.private_key_pem).public_key())
    except InvalidError:
        return None


def _is_outdated(key: PublicKeyTypes, certificate: Certificate) -> bool:
    """Whether the spec asks for a key of another size than was requested; these are dropped."""
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.curve.key_size != certificate.private_key_or_default.size_or_default


def _counts(request: CertificateRequest, certificate: Certificate) -> bool:
    """Whether the Certificate still waits for this request."""
    issuing = get_condition(certificate.object, "Issuing")
    ready = get_condition(request.object, "Ready")
    failed = ready is not None and ready.reason in {"Failed", "Denied"}
    is_next = request.revision == (certificate.revision or 0) + 1
    return is_next and issuing is not None and issuing.is_true and not failed
