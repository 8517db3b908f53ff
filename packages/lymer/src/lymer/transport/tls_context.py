"""SSL contexts that are replaced while servers and clients hold on to them.

A server is given one context and keeps it. Ours hands each new connection to the newest context,
which was made whole from the newest files: certificate, key, client CA and session tickets change
together, and connections that live keep what they were made with. Nothing is changed inside a
context in use, for that would add a CA and never take one away.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final

__all__ = ["ReplacedContext", "handshake_failure_reason", "observe_handshakes"]

_REASONS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_client_certificate",
    "CERTIFICATE_VERIFY_FAILED": "bad_client_certificate",
    "UNSUPPORTED_PROTOCOL": "version",
    "VERSION_TOO_LOW": "version",
    "VERSION_TOO_HIGH": "version",
    "NO_PROTOCOLS_AVAILABLE": "version",
    "NO_SHARED_CIPHER": "cipher",
    "HTTP_REQUEST": "not_tls",
    "WRONG_VERSION_NUMBER": "not_tls",
    "UNEXPECTED_MESSAGE": "not_tls",
    "TLSV1_ALERT_UNKNOWN_CA": "client_refused",
    "SSLV3_ALERT_BAD_CERTIFICATE": "client_refused",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "client_refused",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "client_refused",
}


class ReplacedContext(ssl.SSLContext):
    """Stands for the newest of several contexts; made by `around`."""

    newest: ssl.SSLContext
    """Where new connections go. Replaced at once and whole, from any thread."""

    @classmethod
    def around(cls, context: ssl.SSLContext) -> ReplacedContext:
        """Return one that hands connections to `context` until another takes its place."""
        outer = cls(context.protocol)
        outer.check_hostname = context.check_hostname  # libraries look at these two
        outer.verify_mode = context.verify_mode
        outer.newest = context
        return outer

    def wrap_bio(self, *arguments: Any, **keywords: Any) -> ssl.SSLObject:
        """Begin a connection of asyncio."""
        return self.newest.wrap_bio(*arguments, **keywords)

    def wrap_socket(self, *arguments: Any, **keywords: Any) -> ssl.SSLSocket:
        """Begin a connection on a socket."""
        return self.newest.wrap_socket(*arguments, **keywords)


def observe_handshakes(context: ssl.SSLContext, on_failure: Callable[[str], None]) -> None:
    """Have `on_failure` called with a reason for each handshake through `context` that fails."""

    class Observed(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                on_failure(handshake_failure_reason(error))
                raise

    context.sslobject_class = Observed


def handshake_failure_reason(error: ssl.SSLError) -> str:
    """Return one of a few words, for a label."""
    return _REASONS.get(error.reason or "", "other")
