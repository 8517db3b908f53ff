"""Traced gRPC between checkout and payment, on generic handlers with JSON messages.

Source: opentelemetry.io, "Semantic conventions for gRPC" 1.40.
"""

from __future__ import annotations

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

import grpc
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from lymer.demo.web import Fields, ShopError

__all__ = ["PaymentPeer", "serve_payments"]

_METHOD: Final = "shop.Payment/Charge"
_TIMEOUT_SECONDS: Final = 5.0
_ATTEMPTS: Final = 2
_FATES: Final = ("declined", "no answer", *["fine"] * 14)
"""What becomes of a charge. Fates are dealt like cards and shuffled when all are dealt, so that
whoever watches has not long to wait for an error, and never sees a row of them."""


class CardDeclinedError(Exception):
    """The bank said no."""


class CardNetworkError(Exception):
    """The bank said nothing."""


class _Bank:
    """Deals fates; safe from any thread."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._lock = threading.Lock()
        self._deck: list[str] = []

    def next_fate(self) -> str:
        with self._lock:
            if not self._deck:
                self._deck = self._draw.sample(_FATES, len(_FATES))
            return self._deck.pop()


class PaymentPeer:
    """The payment service, as checkout calls it."""

    def __init__(self, tracer: Tracer, address: str) -> None:
        """Open a channel to `address`, HOST:PORT."""
        self._tracer = tracer
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._charge = grpc.insecure_channel(address).unary_unary(f"/{_METHOD}", bytes, bytes)

    def charge(self, order: str, cents: int, card: str) -> str:
        """Charge the card and return the payment's id; tries once more if nobody answers.

        Raises:
            ShopError: 402 if the card is declined, 503 if the network is away.
        """
        body = json.dumps({"order": order, "cents": cents, "card": card}).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            code, answer = self._call(body, attempt)
            if code is grpc.StatusCode.OK:
                return str(answer["payment"])
            if code is not grpc.StatusCode.UNAVAILABLE:
                raise ShopError(402, "card declined")
        raise ShopError(503, "the card network does not answer")

    def _call(self, body: bytes, attempt: int) -> tuple[grpc.StatusCode, Fields]:
        with self._tracer.start_as_current_span(
            _METHOD,
            kind=SpanKind.CLIENT,
            attributes={
                "rpc.system.name": "grpc",
                "rpc.method": _METHOD,
                "server.address": self._host,
                "server.port": self._port,
                "shop.payment.attempt": attempt,
            },
        ) as span:
            headers: dict[str, str] = {}
            inject(headers)
            try:
                content = self._charge(
                    body, timeout=_TIMEOUT_SECONDS, metadata=tuple(headers.items())
                )
            except grpc.RpcError as error:
                call = cast("grpc.Call", error)
                code = call.code()
                span.set_attribute("rpc.response.status_code", code.name)
                span.set_attribute("error.type", code.name)
                span.set_status(Status(StatusCode.ERROR, call.details()))
                return code, {}
            span.set_attribute("rpc.response.status_code", "OK")
        return grpc.StatusCode.OK, json.loads(content)


def serve_payments(tracer: Tracer, draw: random.Random) -> tuple[grpc.Server, int]:
    """Start the payment service on a free port of the loopback and return both."""
    bank = _Bank(draw)

    def charge(request: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = {key: value for key, value in context.invocation_metadata()}  # noqa: C416 - pairs
        with tracer.start_as_current_span(
            _METHOD,
            context=extract(cast("dict[str, Any]", metadata)),
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": _METHOD},
        ) as span:
            order: Fields = json.loads(request)
            code = grpc.StatusCode.OK
            try:
                _authorize(tracer, draw, bank.next_fate(), order)
            except CardDeclinedError as error:
                code = grpc.StatusCode.FAILED_PRECONDITION
                context.set_details(str(error))
            except CardNetworkError as error:
                code = grpc.StatusCode.UNAVAILABLE
                context.set_details(str(error))
                span.set_status(Status(StatusCode.ERROR, str(error)))
                span.set_attribute("error.type", code.name)
            context.set_code(code)
            span.set_attribute("rpc.response.status_code", code.name)
        return json.dumps({"payment": f"pay-{order['order']}"}).encode()

    handler = grpc.unary_unary_rpc_method_handler(charge, bytes, bytes)
    service, method = _METHOD.split("/")
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _authorize(tracer: Tracer, draw: random.Random, fate: str, order: Fields) -> None:
    with tracer.start_as_current_span(
        "score fraud", attributes={"shop.order.cents": int(order["cents"])}
    ) as span:
        time.sleep(draw.uniform(0.002, 0.02))
        span.set_attribute("shop.fraud.score", round(draw.random(), 3))
    # An exception that leaves the block is recorded as an event, and the span becomes an error.
    with tracer.start_as_current_span(
        "authorize card", attributes={"shop.card.type": str(order["card"])}
    ):
        time.sleep(draw.lognormvariate(-3.5, 0.6))
        if fate == "declined":
            raise CardDeclinedError(f"the {order['card']} card was declined: insufficient funds")
        if fate == "no answer":
            raise CardNetworkError("no answer from the card network")
