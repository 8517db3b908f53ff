"""`lymer mcp`: the Model Context Protocol over stdio, passed on to a running Lymer."""

from __future__ import annotations

import sys
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import click
import orjson

from lymer import ports

__all__ = ["mcp"]

_TIMEOUT_SECONDS: Final = 120.0
_INTERNAL_ERROR: Final = -32603


@click.command(
    "mcp", epilog="Example, for an assistant's configuration: lymer mcp --url http://tracing:16686"
)
@click.option(
    "--url",
    default=f"http://localhost:{ports.QUERY_HTTP}",
    show_default=True,
    envvar="LYMER_URL",
    help="Address of the UI and API, with its base path.",
)
@click.option("--tenant", metavar="NAME", help="Whose spans (header x-tenant).")
def mcp(*, url: str, tenant: str | None) -> int:
    """Let an assistant ask a running Lymer: one JSON-RPC message a line, on stdin and stdout."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    if tenant:
        headers["x-tenant"] = tenant
    for line in sys.stdin.buffer:
        if line.strip():
            answered = _passed_on(f"{url.rstrip('/')}/api/ai/mcp/", line, headers)
            if answered:
                sys.stdout.buffer.write(answered.strip() + b"\n")
                sys.stdout.buffer.flush()
    return 0


def _passed_on(url: str, line: bytes, headers: dict[str, str]) -> bytes:
    """Return the answer; a failure is an answer to whoever asked."""
    try:
        with urlopen(Request(url, line, headers), timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the operator's own address
            body: bytes = answer.read()
            return body
    except HTTPError as error:
        problem = f"{url} answers {error.code}: {error.read(500).decode(errors='replace').strip()}"
    except (URLError, OSError, ValueError) as error:
        problem = f"nobody answers at {url}: {getattr(error, 'reason', error)}"
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        message = {}
    if not isinstance(message, dict) or "id" not in message:
        return b""
    return orjson.dumps(
        {
            "jsonrpc": "2.0",
            "id": message["id"],
            "error": {"code": _INTERNAL_ERROR, "message": problem},
        }
    )
