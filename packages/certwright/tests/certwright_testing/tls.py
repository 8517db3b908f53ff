"""TLS in memory: a server and a client of the files of a Secret, each asking for the other's."""

from __future__ import annotations

import ssl
from pathlib import Path

__all__ = ["contexts", "shake_hands"]


def contexts(shown: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server and a client are that read this folder now, demanding certificates."""
    made = []
    for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH):
        context = ssl.create_default_context(purpose, cafile=shown / "ca.crt")
        context.load_cert_chain(shown / "tls.crt", shown / "tls.key")
        context.verify_mode = ssl.CERT_REQUIRED
        made.append(context)
    return made[0], made[1]


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Do one handshake in memory, both sides verified.

    Raises:
        ssl.SSLError: One side does not trust the other.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue
