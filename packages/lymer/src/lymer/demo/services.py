"""The five services of the shop: what each one does with a request."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Link, SpanKind, Tracer, get_current_span

from lymer.demo.orders_queue import Message, OrdersQueue
from lymer.demo.stock import PRODUCTS, Stock
from lymer.demo.web import HttpPeer, Request, Response, Route, ShopError, serve_http

__all__ = ["SERVICES", "Running", "Surroundings"]

_QUEUE: Final = "orders"
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service is given."""

    tracer: Tracer
    """Makes its spans."""
    folder: Path
    """Where the database and the queue are."""
    draw: random.Random
    """Its luck."""
    addresses: Callable[[], dict[str, str]]
    """Waits until all services listen; service → HOST:PORT."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is ready."""

    port: int
    """Port it listens on, 0 if it listens on none."""
    serve: Callable[[], None]
    """Works until `stop` is called."""
    stop: Callable[[], None]
    """Ends `serve`, from another thread."""


def _run_http(tracer: Tracer, routes: tuple[Route, ...]) -> Running:
    server = serve_http(tracer, routes)
    return Running(server.server_address[1], server.serve_forever, server.shutdown)


def frontend(given: Surroundings) -> Running:
    """Serve pages: the shop window, a product, the order form."""
    peers: dict[str, HttpPeer] = {}

    def peer(name: str) -> HttpPeer:
        if name not in peers:
            peers[name] = HttpPeer(given.tracer, given.addresses()[name])
        return peers[name]

    def render(page: str) -> None:
        with given.tracer.start_as_current_span("render page", attributes={"shop.page": page}):
            time.sleep(given.draw.uniform(0.001, 0.008))

    def window(_: Request) -> Response:
        stock = peer("inventory").call("GET", "/stock", "/stock")
        render("window")
        return Response(stock)

    def product(request: Request) -> Response:
        name = request.params["product"]
        get_current_span().set_attribute("shop.product", name)
        stock = peer("inventory").call("GET", f"/stock/{name}", "/stock/{product}")
        render("product")
        return Response(stock)

    def order(request: Request) -> Response:
        placed = peer("checkout").call("POST", "/orders", "/orders", request.body)
        render("thanks")
        return Response(placed, 201)

    return _run_http(
        given.tracer,
        (
            Route("GET", "/", window),
            Route("GET", "/products/{product}", product),
            Route("POST", "/orders", order),
        ),
    )


def checkout(given: Surroundings) -> Running:
    """Turn a cart into an order: reserve, charge, tell shipping."""
    from lymer.demo.payments import PaymentPeer

    numbers = count(1)
    queue = OrdersQueue(given.folder / "queue.sqlite")
    payments: list[PaymentPeer] = []

    def price(product: str, units: int) -> int:
        with given.tracer.start_as_current_span("price cart") as span:
            time.sleep(given.draw.uniform(0.001, 0.004))
            cents = PRODUCTS.get(product, 0) * units
            span.set_attributes(
                {
                    "shop.cart.products": [product] * units,
                    "shop.cart.cents": cents,
                    "shop.cart.discounted": units > 2,
                }
            )
            if units > 2:
                span.add_event("discount applied", {"shop.discount.ratio": 0.05})
                cents = cents * 95 // 100
        return cents

    def announce(order: str, product: str) -> None:
        with given.tracer.start_as_current_span(
            f"send {_QUEUE}", kind=SpanKind.PRODUCER, attributes=_describe_message("send")
        ) as span:
            headers: dict[str, str] = {}
            inject(headers)
            number = queue.send(headers, {"shop.order.id": order, "shop.product": product})
            span.set_attribute("messaging.message.id", str(number))

    def place(request: Request) -> Response:
        product, units = str(request.body["product"]), int(request.body["units"])
        order = f"{next(numbers):06d}"
        get_current_span().set_attributes({"shop.order.id": order, "shop.product": product})
        if not payments:
            payments.append(PaymentPeer(given.tracer, given.addresses()["payment"]))
        cents = price(product, units)
        inventory = HttpPeer(given.tracer, given.addresses()["inventory"])
        inventory.call(
            "POST", f"/stock/{product}/reservations", "/stock/{product}/reservations",
            {"units": units},
        )  # fmt: skip
        payment = payments[0].charge(order, cents, str(request.body["card"]))
        announce(order, product)
        return Response({"order": order, "payment": payment}, 201)

    return _run_http(given.tracer, (Route("POST", "/orders", place),))


def inventory(given: Surroundings) -> Running:
    """Know what is on the shelf."""
    stock = Stock(given.tracer, given.folder / "inventory.sqlite", given.draw)

    def listing(_: Request) -> Response:
        return Response({"stock": stock.list_units()})

    def one(request: Request) -> Response:
        units = stock.get_units(request.params["product"])
        if units is None:
            raise ShopError(404, "no such product")
        return Response({"units": units})

    def reserve(request: Request) -> Response:
        if not stock.reserve(request.params["product"], int(request.body["units"])):
            raise ShopError(409, "not enough on the shelf")
        return Response({}, 201)

    return _run_http(
        given.tracer,
        (
            Route("GET", "/stock", listing),
            Route("GET", "/stock/{product}", one),
            Route("POST", "/stock/{product}/reservations", reserve),
        ),
    )


def payment(given: Surroundings) -> Running:
    """Charge cards."""
    from lymer.demo.payments import serve_payments

    server, port = serve_payments(given.tracer, given.draw)
    return Running(
        port,
        serve=lambda: (server.wait_for_termination(), None)[1],
        stop=lambda: (server.stop(1.0), None)[1],
    )


def shipping(given: Surroundings) -> Running:
    """Take orders from the queue, some at a time.

    The batch is a trace of its own that links to every sender; each order is then worked on in
    its customer's trace, with a link back to the batch. Source: opentelemetry.io, "Semantic
    conventions for messaging spans", batch receiving.
    """
    queue = OrdersQueue(given.folder / "queue.sqlite")
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(_POLL_SECONDS):
            messages = queue.receive(10)
            if messages:
                ship_batch(messages)

    def ship_batch(messages: list[Message]) -> None:
        senders = [get_current_span(extract(each.headers)).get_span_context() for each in messages]
        attributes = _describe_message("receive")
        with given.tracer.start_as_current_span(
            f"receive {_QUEUE}",
            kind=SpanKind.CONSUMER,
            attributes=attributes | {"messaging.batch.message_count": len(messages)},
            links=[Link(sender) for sender in senders],
        ) as batch:
            for message in messages:
                ship(message, Link(batch.get_span_context(), {"shop.link": "batch"}))

    def ship(message: Message, batch: Link) -> None:
        attributes = _describe_message("process")
        with given.tracer.start_as_current_span(
            f"process {_QUEUE}",
            context=extract(message.headers),
            kind=SpanKind.CONSUMER,
            attributes=attributes | message.body | {"messaging.message.id": str(message.id)},
            links=[batch],
        ):
            with given.tracer.start_as_current_span("pack parcel"):
                time.sleep(given.draw.uniform(0.01, 0.06))
            with given.tracer.start_as_current_span("print label") as label:
                time.sleep(given.draw.uniform(0.005, 0.02))
                label.set_attribute("shop.parcel.grams", given.draw.randrange(200, 3000))

    return Running(0, work, stopping.set)


def _describe_message(operation: str) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "messaging.system": "sqlite",
        "messaging.destination.name": _QUEUE,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
    }
    group = {} if operation == "send" else {"messaging.consumer.group.name": "shipping"}
    return attributes | group


SERVICES: Final[dict[str, Callable[[Surroundings], Running]]] = {
    "frontend": frontend,
    "checkout": checkout,
    "inventory": inventory,
    "payment": payment,
    "shipping": shipping,
}
"""Every service by its name."""
