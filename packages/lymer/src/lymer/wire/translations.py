"""Every format a span may come in, by its name, and what makes OTLP of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from lymer.wire.jaeger_proto import request_from_post_spans
from lymer.wire.jaeger_thrift import request_from_batch
from lymer.wire.otlp_cost import check_cost
from lymer.wire.otlp_json import request_from_json
from lymer.wire.otlp_proto import CheckedRequest, check_request
from lymer.wire.zipkin_proto import request_from_zipkin_proto
from lymer.wire.zipkin_thrift import request_from_zipkin_thrift
from lymer.wire.zipkin_v1 import request_from_zipkin_v1_json
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json

__all__ = ["Format", "FormatName", "translate"]

FormatName: TypeAlias = Literal[
    "otlp-proto", "otlp-json", "jaeger-proto", "jaeger-thrift",
    "zipkin-json", "zipkin-proto", "zipkin-v1-json", "zipkin-v1-thrift",
]  # fmt: skip


class Format(NamedTuple):
    """How a body is written, and what its headers say beside it."""

    name: FormatName
    debug: bool = False
    """Whether all spans are debug spans, for Zipkin's protobuf."""
    now_unix_nano: int = 0
    """Start of spans that say nothing about it, for Zipkin's v1."""


_TRANSLATIONS: Final[dict[FormatName, Callable[[bytes, Format], CheckedRequest]]] = {
    "otlp-proto": lambda body, _: check_request(body),
    "otlp-json": lambda body, _: request_from_json(body),
    "jaeger-proto": lambda body, _: request_from_post_spans(body),
    "jaeger-thrift": lambda body, _: request_from_batch(body),
    "zipkin-json": lambda body, _: request_from_zipkin_v2_json(body),
    "zipkin-proto": lambda body, how: request_from_zipkin_proto(body, debug=how.debug),
    "zipkin-v1-json": lambda body, how: request_from_zipkin_v1_json(body, how.now_unix_nano),
    "zipkin-v1-thrift": lambda body, how: request_from_zipkin_thrift(body, how.now_unix_nano),
}


def translate(body: bytes, how: Format) -> CheckedRequest:
    """Return what `body`, decompressed, says in OTLP.

    Raises:
        UndecodableError: It is not what `how` says.
        TooLargeError: It is over a limit.
    """
    request = _TRANSLATIONS[how.name](body, how)
    check_cost(request.body, request.span_count)
    return request
