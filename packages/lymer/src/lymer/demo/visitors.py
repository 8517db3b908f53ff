"""The shop's visitors: a few requests per second, some of which become orders."""

from __future__ import annotations

import http.client
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lymer.clock import monotonic_seconds
from lymer.demo.stock import PRODUCTS

__all__ = ["Visitors"]

_WAITING_MAX: Final = 32
"""Visits in flight; more are skipped, so that a slow machine is not buried."""
_TIMEOUT_SECONDS: Final = 15.0
_BROWSERS: Final = ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone)", "curl/8.9")
_CARDS: Final = ("visa", "mastercard", "amex")


class Visitors:
    """Sends visits to the frontend until it is stopped."""

    def __init__(self, address: str, visits_per_second: float, draw: random.Random) -> None:
        """Visit the frontend at `address`, HOST:PORT."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._rate = visits_per_second
        self._draw = draw
        self._lock = threading.Lock()
        self._in_flight = 0
        self.visits = 0
        """Visits answered so far."""
        self.orders = 0
        """Orders among them that went through."""

    def run(self, stop: threading.Event, duration_seconds: float | None) -> None:
        """Send visits until `stop` is set or the time is over; the first one is an order."""
        end = None if duration_seconds is None else monotonic_seconds() + duration_seconds
        with ThreadPoolExecutor(_WAITING_MAX, thread_name_prefix="visitor") as pool:
            self._send(pool, ordering=True)
            while end is None or monotonic_seconds() < end:
                if stop.wait(min(5.0, self._draw.expovariate(self._rate))):
                    break
                self._send(pool, ordering=self._draw.random() < 0.35)

    def _send(self, pool: ThreadPoolExecutor, *, ordering: bool) -> None:
        with self._lock:
            if self._in_flight >= _WAITING_MAX:
                return
            self._in_flight += 1
        product = self._draw.choice(tuple(PRODUCTS))
        agent = self._draw.choice(_BROWSERS)
        if ordering:
            units, card = self._draw.randint(1, 4), self._draw.choice(_CARDS)
            body = json.dumps({"product": product, "units": units, "card": card})
            pool.submit(self._visit, "POST", "/orders", agent, body)
        else:
            page = self._draw.choices(
                ("/", f"/products/{product}", "/products/umbrella"), (10, 10, 1)
            )[0]
            pool.submit(self._visit, "GET", page, agent, None)

    def _visit(self, method: str, path: str, agent: str, body: str | None) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            headers = {"User-Agent": agent, "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.read()
            with self._lock:
                self.visits += 1
                self.orders += response.status == 201
        except (OSError, http.client.HTTPException):
            pass  # the shop is being closed, or overloaded: a visitor shrugs
        finally:
            connection.close()
            with self._lock:
                self._in_flight -= 1
