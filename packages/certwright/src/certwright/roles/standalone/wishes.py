"""What `certwright ctl --dir` asks of the process that has the folder: a file for each wish."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Final, Literal, TypeAlias

from certwright import clock
from certwright.adapters.atomic_files import write_private
from certwright.engine.store import Store
from certwright.errors import CertwrightError, NotFoundError, StoreError
from certwright.resources.kinds import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Key
from certwright.roles.ctl.renewal import RenewalWish, renew, retry
from certwright.roles.ctl.rollover import ask_for_rollover
from certwright.roles.standalone.layout import Layout
from certwright.telemetry.logs import EventLog

__all__ = ["Wish", "grant_wishes", "leave_wish"]

_log: Final = EventLog(__name__)
Wish: TypeAlias = Literal["renew", "retry", "rollover"]
_KINDS: Final = {
    "renew": (CERTIFICATE,),
    "retry": (CERTIFICATE,),
    "rollover": (ISSUER, CLUSTER_ISSUER),
}


def leave_wish(layout: Layout, wish: Wish, key: Key) -> None:
    """Ask for a new certificate or a new try of a Certificate, or a new key of an ACME issuer.

    Raises:
        StoreError: The wish cannot be written.
    """
    about = {"kind": key.kind.name, "namespace": key.namespace, "name": key.name}
    text = json.dumps({wish: about})
    write_private(layout.wishes / f"{secrets.token_hex(8)}.json", text.encode())


async def grant_wishes(store: Store, layout: Layout) -> None:
    """Carry out what was asked for; a wish that makes no sense is dropped with a warning.

    Raises:
        StoreError: The store did not do it; the wish stays.
    """
    for path in sorted(layout.wishes.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            wish, key = _decode(path)
            if wish == "rollover":
                _log.info(await ask_for_rollover(store, key, clock.now()))
            else:
                chosen = RenewalWish(key.namespace, [key.name])
                lines = (
                    renew(store, chosen, clock.now()) if wish == "renew" else retry(store, chosen)
                )
                async for line in lines:
                    _log.info(line)
        except (ValueError, KeyError, TypeError, NotFoundError) as error:
            _log.warning("cannot grant a wish", file=path.name, reason=str(error))
        except CertwrightError as error:
            raise StoreError(str(error)) from error
        path.unlink(missing_ok=True)


def _decode(path: Path) -> tuple[str, Key]:
    [(wish, wanted)] = json.loads(path.read_bytes()).items()
    kinds = {kind.name: kind for kind in _KINDS[wish]}
    kind = kinds[str(wanted.get("kind") or CERTIFICATE.name)]
    return wish, kind.key(str(wanted["namespace"]), str(wanted["name"]))
