"""The Secret: bytes by name."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from certwright.errors import InvalidError
from certwright.resources import known
from certwright.resources.meta import mapping_at
from certwright.resources.view import View

__all__ = ["TYPE_OPAQUE", "TYPE_TLS", "Secret", "encode_data"]

TYPE_OPAQUE: Final = "Opaque"
TYPE_TLS: Final = "kubernetes.io/tls"


def encode_data(data: Mapping[str, bytes]) -> dict[str, str]:
    """Return the JSON of a Secret's `data`, sorted by name."""
    return {name: base64.b64encode(data[name]).decode("ascii") for name in sorted(data)}


@dataclass(frozen=True, slots=True)
class Secret(View):
    """A view of a Secret; reads `object` and never changes it."""

    @property
    def type(self) -> str:
        """`type`; empty if absent, which the API server makes `Opaque`."""
        return str(self.object.get("type") or "")

    @property
    def data(self) -> Mapping[str, bytes]:
        """`data`, decoded; decodes all of it, so keep it if more than one entry is wanted.

        Raises:
            InvalidError: An entry is not base64.
        """
        return {name: self._decode(name, text) for name, text in self._encoded.items()}

    def get(self, name: str) -> bytes:
        """Return one entry of `data`; empty if it is absent.

        Raises:
            InvalidError: It is not base64.
        """
        text = self._encoded.get(name)
        return b"" if text is None else self._decode(name, text)

    @property
    def certificate_pem(self) -> bytes:
        """`tls.crt`, or empty."""
        return self.get(known.TLS_CRT)

    @property
    def private_key_pem(self) -> bytes:
        """`tls.key`, or empty."""
        return self.get(known.TLS_KEY)

    @property
    def ca_pem(self) -> bytes:
        """`ca.crt`, or empty."""
        return self.get(known.CA_CRT)

    @property
    def _encoded(self) -> Mapping[str, str]:
        return mapping_at(self.object, "data")

    def _decode(self, name: str, text: str) -> bytes:
        try:
            return base64.b64decode(text or "", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidError(
                f'entry "{name}" of Secret {self.namespace}/{self.name} is not base64: {error}'
            ) from error
