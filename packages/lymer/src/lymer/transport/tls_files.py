"""Certificates, keys and CAs into an SSL context, with errors that say which file is wrong."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

from lymer.errors import StartupError

__all__ = ["load_ca", "load_certificate"]


def load_certificate(
    context: ssl.SSLContext, cert_file: Path, key_file: Path, setting: str
) -> None:
    """Have `context` show a certificate.

    Args:
        context: Where to.
        cert_file: Certificate and chain, PEM.
        key_file: Its private key, PEM.
        setting: Path of the group of settings that names the files.

    Raises:
        StartupError: The key is not the certificate's, or one of them cannot be used.
    """

    def refuse() -> NoReturn:
        raise StartupError(
            f'the key in {key_file} ("{setting}.key_file") is encrypted: decrypt it, and protect '
            "the file by its permissions"
        )

    try:
        context.load_cert_chain(cert_file, key_file, refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"is not that of the certificate in {cert_file}"
        elif error.reason in {"EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"}:
            problem = f"and the certificate in {cert_file} are too weak ({error.reason})"
        else:
            problem = f"or the certificate in {cert_file} cannot be read as PEM"
            problem += f" ({error.reason or error})"
        raise StartupError(f'the key in {key_file} ("{setting}.key_file") {problem}') from error
    except OSError as error:
        raise StartupError(
            f'cannot read {cert_file} or {key_file} ("{setting}"): {error.strerror}'
        ) from error


def load_ca(context: ssl.SSLContext, ca_file: Path, setting: str) -> None:
    """Have `context` trust certificates.

    Args:
        context: Where to.
        ca_file: One or more certificates, PEM.
        setting: Path of the setting that names the file.

    Raises:
        StartupError: There is none in it, or one cannot be read.
    """
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise StartupError(
            f'{ca_file} ("{setting}") holds no certificate that can be read as PEM'
            f" ({error.reason or error})"
        ) from error
    except OSError as error:
        raise StartupError(f'cannot read {ca_file} ("{setting}"): {error.strerror}') from error
