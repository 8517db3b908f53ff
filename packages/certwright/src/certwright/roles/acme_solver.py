"""The acmesolver: one answer to one challenge, over HTTP.

Source: reference cert-manager.md 6.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from certwright.adapters.acme.http01 import solver_application
from certwright.errors import StartupError
from certwright.roles.leadership import until_told_to_stop
from certwright.telemetry.logs import EventLog

__all__ = ["run_solver"]

STOP_SECONDS_MAX: Final = 5.0

_log = EventLog("certwright.acmesolver")


def run_solver(port: int, domain: str, token: str, key: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StartupError: The port cannot be had.
    """

    async def work() -> None:
        application = solver_application(domain, token, key)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_SECONDS_MAX)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, None, port).start()
            except OSError as error:
                raise StartupError(
                    f"cannot listen on port {port}: {error.strerror or error}; choose another "
                    "--listen-port"
                ) from error
            _log.info("starting listener", expected_domain=domain, port=port)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    asyncio.run(until_told_to_stop(work))
