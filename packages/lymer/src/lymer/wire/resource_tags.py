"""Attributes added to the resources of an OTLP request, on its bytes: no span is looked at.

The request is walked by the lengths of its fields. Only resources, of which there is one for many
spans, are parsed, to know which keys they have.

Source: opentelemetry-proto 1.9, `trace/v1/trace.proto`, `resource/v1/resource.proto`; reference
jaeger.md 2.10: a tag is added unless the resource has the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from lymer.errors import UndecodableError
from lymer.wire.proto_fields import iter_fields, varint_bytes

__all__ = ["ResourceTags"]

_FIRST_FIELD: Final = 0x0A
"""Field 1, length-delimited: `resource_spans` of a request, `resource` of those, `attributes`."""


class ResourceTags:
    """Tags that every resource gets which does not have their keys."""

    def __init__(self, tags: Sequence[tuple[str, str]]) -> None:
        """Encode `tags`, (key, value) pairs, once."""
        made = [
            (key, Resource(attributes=[KeyValue(key=key, value=AnyValue(string_value=value))]))
            for key, value in tags
        ]
        self._encoded = [(key, resource.SerializeToString()) for key, resource in made]
        self._all = b"".join(encoded for _, encoded in self._encoded)

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._encoded)

    def add_to(self, body: bytes) -> bytes:
        """Return the request `body` with the tags in it.

        Args:
            body: An `ExportTraceServiceRequest` that a parser accepted.

        Raises:
            UndecodableError: `body` is no protobuf after all.
        """
        parts: list[bytes] = []
        try:
            for start, content, end, tag in iter_fields(body, 0, len(body)):
                if tag == _FIRST_FIELD:
                    tagged = self._tagged(body, content, end)
                    parts += (b"\x0a", varint_bytes(len(tagged)), tagged)
                else:
                    parts.append(body[start:end])
        except ValueError as error:
            raise UndecodableError(f"cannot add tags: {error}") from error
        return b"".join(parts)

    def _tagged(self, body: bytes, begin: int, stop: int) -> bytes:
        """Return a `ResourceSpans`; what a sender wrote as two resources is one, as parsers do."""
        resource = b""
        others: list[bytes] = []
        for start, content, end, tag in iter_fields(body, begin, stop):
            if tag == _FIRST_FIELD:
                resource += body[content:end]
            else:
                others.append(body[start:end])
        resource += self._missing(resource)
        return b"".join((b"\x0a", varint_bytes(len(resource)), resource, *others))

    def _missing(self, resource: bytes) -> bytes:
        keys = {attribute.key for attribute in Resource.FromString(resource).attributes}
        if keys.isdisjoint(key for key, _ in self._encoded):
            return self._all
        return b"".join(encoded for key, encoded in self._encoded if key not in keys)
