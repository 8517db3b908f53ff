"""A segment file, read message by message."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.errors import UndecodableError

__all__ = ["decode_segment"]


def decode_segment(content: bytes) -> list[ExportTraceServiceRequest]:
    """Decode all requests of a segment; the field that closes each is unknown here and ignored.

    Raises:
        UndecodableError: A length runs over the end, or a request is not protobuf.
    """
    return [_decode_request(message, offset) for offset, message in _messages(content)]


def _decode_request(message: bytes, offset: int = 0) -> ExportTraceServiceRequest:
    """Decode one request; `offset` says in an error where it stood, bytes.

    Raises:
        UndecodableError: It is not protobuf.
    """
    try:
        return ExportTraceServiceRequest.FromString(message)
    except DecodeError as error:
        raise UndecodableError(f"cannot decode request at byte {offset}: {error}") from error


def _messages(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield where each message starts, and its bytes."""
    position = 0
    while position < len(content):
        start = position
        length = shift = 0
        while True:
            if position >= len(content) or shift > 63:
                raise UndecodableError(f"cannot read length at byte {start}: it does not end")
            byte = content[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if position + length > len(content):
            missing = position + length - len(content)
            raise UndecodableError(f"cannot read request at byte {start}: {missing} bytes missing")
        yield start, content[position : position + length]
        position += length
