"""Names that follow from a decision, so that making it twice meets the first one's object.

They look like those an API server makes of `generateName`: five characters of its alphabet.
docs/adr/012-names-that-follow-from-the-decision.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from certwright.pki.keys import public_key_der
from certwright.resources.certificate import Certificate
from certwright.resources.meta import dns_safe_shorten_to_52

__all__ = ["key_secret_names", "name_suffix", "request_name_prefix", "request_names"]

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' suffixes have no vowels, no 0, 1 and 3: they never spell a word.

Source: apimachinery util/rand."""
_SUFFIX_LENGTH: Final = 5
_PREFIX_LENGTH_MAX: Final = 58
"""An API server cuts `generateName` so that a whole name is a DNS label.

Source: apiserver pkg/storage/names/generate.go."""


def request_name_prefix(certificate: Certificate) -> str:
    """Return `generateName` of the Certificate's requests."""
    return f"{dns_safe_shorten_to_52(certificate.name)}-"


def request_names(certificate: Certificate, revision: int, key: PublicKeyTypes) -> Iterator[str]:
    """Yield names for the request of a revision and a key, the first to be taken if it is free."""
    for attempt in count():
        parts = ("request", certificate.uid, str(revision), public_key_der(key).hex(), str(attempt))
        yield request_name_prefix(certificate) + name_suffix(*parts)


def key_secret_names(certificate: Certificate, revision: int) -> Iterator[str]:
    """Yield names for the Secret with the key of a revision, the first to be taken if it is free.

    The key is no part of the name: of two keys made for one revision only one can be stored.
    """
    prefix = f"{certificate.name}-"[:_PREFIX_LENGTH_MAX]
    for attempt in count():
        yield f"{prefix}{name_suffix('key', certificate.uid, str(revision), str(attempt))}"


def name_suffix(*parts: str) -> str:
    """Return five characters that follow from `parts`."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    number = int.from_bytes(digest, "big")
    letters: list[str] = []
    for _ in range(_SUFFIX_LENGTH):
        number, at = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[at])
    return "".join(letters)
