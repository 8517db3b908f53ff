"""What tools ask any gRPC server for: is it well, and what does it serve.

Source: grpc/doc/health-checking.md, `grpc/health/v1/health.proto`; grpc/doc/server-reflection.md,
`grpc/reflection/v1/reflection.proto`, whose v1alpha has the same numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from lymer.transport.grpc_calls import Call, CallEndedError, CallServer, Code
from lymer.wire import described_services
from lymer.wire.content_encoding import decode_content
from lymer.wire.proto_fields import field_bytes, iter_fields

__all__ = ["add_health", "add_reflection"]

_HEALTH: Final = "grpc.health.v1.Health"
_REFLECTION: Final = ("grpc.reflection.v1.ServerReflection",
                      "grpc.reflection.v1alpha.ServerReflection")  # fmt: skip
_QUESTION_BYTES_MAX: Final = 64 * 1024
_SERVING: Final = b"\x08\x01"
_NAME: Final = 0x0A
_NOT_FOUND: Final = 5
_LIST, _BY_FILE, _BY_SYMBOL = 0x3A, 0x1A, 0x22
_HOST: Final = 0x0A
_KNOWN: Final = (trace_service_pb2.DESCRIPTOR.name, *described_services.FILES)
"""Files of the services of every port; who adds another brings its description."""
_ONLY_WELL: Final = {"jaeger.api_v2.QueryService": "jaeger.api_v2.metrics.MetricsQueryService"}
"""Service → another that Jaeger calls well beside it, though it is gone since 2.3.

Source: Jaeger v2.20, `jaegerquery/internal/server.go`, `registerGRPCHandlers`.
"""


def add_health(server: CallServer) -> None:
    """Let `server` answer `Check`, `List` and `Watch`: whoever gets an answer is served."""

    def well() -> list[str]:
        served = server.services
        return ["", *served, *(_ONLY_WELL[one] for one in served if one in _ONLY_WELL)]

    def check(message: bytes, call: Call) -> None:
        service = _text_of(decode_content(call.compression, message, _QUESTION_BYTES_MAX), _NAME)
        if service not in well():
            raise CallEndedError(_NOT_FOUND, f"unknown service {service[:200]}")

    async def answer(message: bytes, call: Call) -> bytes:
        check(message, call)
        return _SERVING

    async def answer_list(_message: bytes, _call: Call) -> bytes:
        return b"".join(
            field_bytes(0x0A, field_bytes(0x0A, name.encode()), field_bytes(0x12, _SERVING))
            for name in well()
        )

    async def watch(message: bytes, call: Call) -> AsyncIterator[bytes]:
        try:
            check(message, call)
        except CallEndedError:
            yield b"\x08\x03"  # SERVICE_UNKNOWN, and the stream stays open
        else:
            yield _SERVING
        await asyncio.Event().wait()

    server.add(_HEALTH, "Check", answer)
    server.add(_HEALTH, "List", answer_list)
    server.add(_HEALTH, "Watch", watch)


def add_reflection(server: CallServer) -> None:
    """Let `server` say what it serves, and describe those services that it can describe."""

    def answer(question: bytes) -> bytes:
        fields = list(iter_fields(question, 0, len(question)))
        host = b"".join(question[a:b] for _, a, b, tag in fields if tag == _HOST)
        asked = [(tag, question[a:b]) for _, a, b, tag in fields if tag != _HOST]
        tag, content = asked[-1] if asked else (0, b"")
        return field_bytes(0x0A, host) + field_bytes(0x12, question) + _answered(
            server, tag, content
        )  # fmt: skip

    for service in _REFLECTION:
        server.add_talk(service, "ServerReflectionInfo", answer)


def _answered(server: CallServer, tag: int, content: bytes) -> bytes:
    pool = descriptor_pool.Default()
    name = content.decode(errors="replace")
    try:
        if tag == _LIST:
            names = [field_bytes(0x0A, field_bytes(0x0A, one.encode())) for one in server.services]
            return field_bytes(0x32, *names)
        if tag == _BY_FILE:
            return _files(pool.FindFileByName(name).name)
        if tag == _BY_SYMBOL:
            return _files(pool.FindFileContainingSymbol(name).name)
    except KeyError:
        return _error(_NOT_FOUND, f"not described here: {name[:200]}")
    return _error(Code.UNIMPLEMENTED, "this question is not answered")


def _files(name: str) -> bytes:
    """Return the description of a file and of all it imports."""
    pool = descriptor_pool.Default()
    pending, seen, parts = [name], set(), []
    while pending:
        one = pending.pop()
        if one in seen:
            continue
        seen.add(one)
        file = descriptor_pb2.FileDescriptorProto()
        pool.FindFileByName(one).CopyToProto(file)
        parts.append(field_bytes(0x0A, file.SerializeToString()))
        pending += file.dependency
    return field_bytes(0x22, *parts)


def _error(code: int, text: str) -> bytes:
    return field_bytes(0x3A, b"\x08" + bytes([code]), field_bytes(0x12, text.encode()))


def _text_of(message: bytes, tag: int) -> str:
    found = ""
    try:
        for _, begin, end, number in iter_fields(message, 0, len(message)):
            if number == tag:
                found = message[begin:end].decode(errors="replace")
    except (ValueError, DecodeError) as error:
        raise CallEndedError(Code.INVALID_ARGUMENT, str(error)) from error
    return found
