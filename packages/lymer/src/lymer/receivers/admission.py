"""Who may come in: a limit on the bytes and requests in flight, pure."""

from __future__ import annotations

from lymer.errors import OverloadedError

__all__ = ["Admission"]


class Admission:
    """Counts what is in flight on one event loop; says no with `OverloadedError`.

    In flight is a request from its first byte until it is durable and answered. The limit on bytes
    keeps memory bounded whatever senders do.
    """

    def __init__(self, *, bytes_in_flight_max: int, requests_in_flight_max: int) -> None:
        """Set the limits."""
        self._bytes_max = bytes_in_flight_max
        self._requests_max = requests_in_flight_max
        self.bytes_in_flight = 0
        self.requests_in_flight = 0

    def enter(self) -> None:
        """Count one more request.

        Raises:
            OverloadedError: Too many are in flight; nothing was counted.
        """
        if self.requests_in_flight >= self._requests_max:
            message = (
                f"cannot accept the request: {self.requests_in_flight} requests are in flight, "
                f"the limit is {self._requests_max}"
            )
            raise OverloadedError(message)
        self.requests_in_flight += 1

    def leave(self) -> None:
        """Forget a request that `enter` counted."""
        self.requests_in_flight -= 1

    def take(self, byte_count: int) -> None:
        """Count bytes of a request.

        Raises:
            OverloadedError: They would go over the limit; nothing was counted.
        """
        if self.bytes_in_flight + byte_count > self._bytes_max:
            message = (
                f"cannot accept the request: {self.bytes_in_flight} bytes are in flight, "
                f"the limit is {self._bytes_max}"
            )
            raise OverloadedError(message)
        self.bytes_in_flight += byte_count

    def give_back(self, byte_count: int) -> None:
        """Forget bytes that `take` counted."""
        self.bytes_in_flight -= byte_count
