"""Client certificates from memory."""

from __future__ import annotations

import ssl
import tempfile

__all__ = ["load_pair"]


def load_pair(context: ssl.SSLContext, certificate_pem: bytes, key_pem: bytes) -> None:
    """Load a certificate and its key; OpenSSL takes files only, so they pass through a private one.

    Raises:
        ssl.SSLError: They are none, or do not belong together.
    """
    with tempfile.NamedTemporaryFile(prefix="certwright-") as file:  # created with mode 0600
        file.write(certificate_pem.rstrip() + b"\n" + key_pem)
        file.flush()
        context.load_cert_chain(file.name)
