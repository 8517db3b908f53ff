"""`ctl create certificaterequest`: a request made by hand, its key kept in a file.

Source: cert-manager v1.12 cmd/ctl/pkg/create/certificaterequest.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from certwright import clock
from certwright.adapters.atomic_files import write_private
from certwright.engine.store import Store
from certwright.errors import CertwrightError, InvalidError, StoreError
from certwright.pki.csr import generate_csr
from certwright.pki.keys import encode_private_key, generate_private_key
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, Manifest
from certwright.roles.ctl.renewal import MANAGER

__all__ = ["RequestWish", "create_request"]

_POLL_SECONDS: Final = 1.0
_COPIED: Final = ("duration", "isCA", "usages", "issuerRef")


@dataclass(frozen=True, slots=True)
class RequestWish:
    """What to make."""

    name: str
    certificate_file: Path
    key_file: Path | None = None
    """Where the key goes; None means `NAME.key`."""
    fetch: bool = False
    """Whether to wait until it is signed."""
    output_file: Path | None = None
    """Where the certificate goes; None means `NAME.crt`."""
    timeout_seconds: float = 300.0

    def check(self) -> None:
        """Refuse wishes that contradict themselves.

        Raises:
            InvalidError: They do; the texts are cmctl's.
        """
        if self.key_file is not None and self.key_file == self.output_file:
            raise InvalidError(
                "the file to store private key cannot be the same as the file to store certificate"
            )
        if not self.fetch and self.output_file is not None:
            raise InvalidError(
                "cannot specify file to store certificate if not waiting for and fetching "
                "certificate, please set --fetch-certificate flag"
            )


async def create_request(
    store: Store, namespace: str, wish: RequestWish, gates: FeatureGates
) -> AsyncIterator[str]:
    """Make key and request, and wait for the certificate if asked to; give a line for each step.

    Raises:
        CertwrightError: A file, the Certificate in it or the store is at fault; a key that was
            written stays.
    """
    certificate = _read_certificate(wish.certificate_file)
    place = certificate.namespace or namespace
    spec = certificate.private_key_or_default
    key = await asyncio.to_thread(generate_private_key, spec.algorithm, spec.size)
    key_file = wish.key_file or Path(f"{wish.name}.key")
    write_private(key_file, encode_private_key(key, spec.encoding))
    yield f"Private key written to file {key_file}"
    try:
        csr = generate_csr(certificate, key, gates)
    except InvalidError as error:
        raise InvalidError(f"error when building CertificateRequest: {error}") from error
    try:
        await store.create(_request(certificate, wish.name, place, csr), manager=MANAGER)
    except StoreError as error:
        raise type(error)(f"error creating CertificateRequest: {error}") from error
    yield f"CertificateRequest {wish.name} has been created in namespace {place}"
    if not wish.fetch:
        return
    yield (
        f"CertificateRequest {wish.name} in namespace {place} has not been signed yet. Wait until "
        "it is signed..."
    )
    signed = await _wait_until_signed(store, place, wish)
    yield f"CertificateRequest {wish.name} in namespace {place} has been signed"
    output_file = wish.output_file or Path(f"{wish.name}.crt")
    write_private(output_file, signed)
    yield f"Certificate written to file {output_file}"


def _read_certificate(path: Path) -> Certificate:
    try:
        documents = [found for found in yaml.safe_load_all(path.read_text()) if found is not None]
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidError(f"cannot read {path}: {error}") from error
    if not documents:
        raise InvalidError(
            f'no objects found in manifest file "{path}". Expected one Certificate object'
        )
    if len(documents) > 1:
        raise InvalidError(
            f'multiple objects found in manifest file "{path}". Expected only one Certificate '
            "object"
        )
    (found,) = documents
    if not isinstance(found, dict) or (
        (found.get("apiVersion"), found.get("kind")) != (CERTIFICATE.api_version, CERTIFICATE.name)
    ):
        raise InvalidError("decoded object is not a v1 Certificate")
    return Certificate(found)


def _request(certificate: Certificate, name: str, namespace: str, csr: bytes) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if certificate.annotations:
        metadata["annotations"] = dict(certificate.annotations)
    if labels := meta.labels(certificate.object):
        metadata["labels"] = dict(labels)
    copied = {field: certificate.spec[field] for field in _COPIED if field in certificate.spec}
    return {
        "apiVersion": CERTIFICATE_REQUEST.api_version,
        "kind": CERTIFICATE_REQUEST.name,
        "metadata": metadata,
        "spec": {**copied, "request": base64.b64encode(csr).decode("ascii")},
    }


async def _wait_until_signed(store: Store, namespace: str, wish: RequestWish) -> bytes:
    key = CERTIFICATE_REQUEST.key(namespace, wish.name)
    deadline = clock.monotonic_seconds() + wish.timeout_seconds
    last_words = "it has no Ready condition"
    while clock.monotonic_seconds() < deadline:
        try:
            found = await store.get(key)
        except CertwrightError as error:
            last_words = str(error)
            found = None
        if found is not None:
            ready = get_condition(found, "Ready")
            request = CertificateRequest(found)
            if ready is not None and ready.is_true and request.certificate:
                return request.certificate
            if ready is not None:
                last_words = ready.message
                if ready.reason in {"Failed", "Denied"}:
                    break
        await asyncio.sleep(_POLL_SECONDS)
    raise InvalidError(f"error when waiting for CertificateRequest to be signed: {last_words}")
