"""What `certwright ctl --dir` asks of the process that has the folder: a file for each wish."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Final

from certwright import clock
from certwright.adapters.atomic_files import write_private
from certwright.engine.store import Store
from certwright.errors import CertwrightError, NotFoundError, StoreError
from certwright.resources.kinds import CERTIFICATE, Key
from certwright.roles.ctl.renewal import RenewalWish, renew
from certwright.roles.standalone.layout import Layout
from certwright.telemetry.logs import EventLog

__all__ = ["grant_wishes", "leave_renewal_wish"]

_log: Final = EventLog(__name__)


def leave_renewal_wish(layout: Layout, key: Key) -> None:
    """Ask for a new certificate.

    Raises:
        StoreError: The wish cannot be written.
    """
    name = f"{secrets.token_hex(8)}.json"
    wish = {"renew": {"namespace": key.namespace, "name": key.name}}
    write_private(layout.wishes / name, json.dumps(wish).encode())


async def grant_wishes(store: Store, layout: Layout) -> None:
    """Carry out what was asked for; a wish that makes no sense is dropped with a warning.

    Raises:
        StoreError: The store did not do it; the wish stays.
    """
    for path in sorted(layout.wishes.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            key = _decode(path)
            wish = RenewalWish(key.namespace, [key.name])
            async for line in renew(store, wish, clock.now()):
                _log.info(line)
        except (ValueError, KeyError, TypeError, NotFoundError) as error:
            _log.warning("cannot grant a wish", file=path.name, reason=str(error))
        except CertwrightError as error:
            raise StoreError(str(error)) from error
        path.unlink(missing_ok=True)


def _decode(path: Path) -> Key:
    wanted = json.loads(path.read_bytes())["renew"]
    return CERTIFICATE.key(str(wanted["namespace"]), str(wanted["name"]))
