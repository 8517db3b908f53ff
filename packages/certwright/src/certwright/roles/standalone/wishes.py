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
from certwright.resources.kinds import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Key
from certwright.roles.ctl.renewal import RenewalWish, renew
from certwright.roles.ctl.rollover import ask_for_rollover
from certwright.roles.standalone.layout import Layout
from certwright.telemetry.logs import EventLog

__all__ = ["grant_wishes", "leave_renewal_wish", "leave_rollover_wish"]

_log: Final = EventLog(__name__)


def leave_renewal_wish(layout: Layout, key: Key) -> None:
    """Ask for a new certificate.

    Raises:
        StoreError: The wish cannot be written.
    """
    name = f"{secrets.token_hex(8)}.json"
    wish = {"renew": {"namespace": key.namespace, "name": key.name}}
    write_private(layout.wishes / name, json.dumps(wish).encode())


def leave_rollover_wish(layout: Layout, key: Key) -> None:
    """Ask for another key for the account of an ACME issuer.

    Raises:
        StoreError: The wish cannot be written.
    """
    name = f"{secrets.token_hex(8)}.json"
    wish = {"rollover": {"kind": key.kind.name, "namespace": key.namespace, "name": key.name}}
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
            if key.kind == CERTIFICATE:
                wish = RenewalWish(key.namespace, [key.name])
                async for line in renew(store, wish, clock.now()):
                    _log.info(line)
            else:
                _log.info(await ask_for_rollover(store, key, clock.now()))
        except (ValueError, KeyError, TypeError, NotFoundError) as error:
            _log.warning("cannot grant a wish", file=path.name, reason=str(error))
        except CertwrightError as error:
            raise StoreError(str(error)) from error
        path.unlink(missing_ok=True)


def _decode(path: Path) -> Key:
    found = json.loads(path.read_bytes())
    wanted = found.get("renew") or found["rollover"]
    kinds = {CLUSTER_ISSUER.name: CLUSTER_ISSUER, ISSUER.name: ISSUER}
    kind = CERTIFICATE if "renew" in found else kinds[str(wanted["kind"])]
    return kind.key(str(wanted["namespace"]), str(wanted["name"]))
