"""`ctl acme rollover`: ask for another key for the account of an ACME issuer.

The controller does it (`reconcile.acme_rollover`): it alone has the account's key at hand.
"""

from __future__ import annotations

from datetime import datetime

from certwright.engine.store import Store
from certwright.errors import InvalidError
from certwright.resources import known, meta
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import Key
from certwright.resources.times import format_time
from certwright.roles.ctl.objects import fetch
from certwright.roles.ctl.renewal import MANAGER

__all__ = ["ask_for_rollover"]


async def ask_for_rollover(store: Store, key: Key, now: datetime) -> str:
    """Ask; return a line for the user.

    Raises:
        CertwrightError: There is no such issuer, or it has no account.
    """
    found = await fetch(store, key)
    if Issuer(found).type != "acme":
        raise InvalidError(f"{key} is no ACME issuer: it has no account")
    annotations = {**meta.annotations(found), known.ROLLOVER_ACCOUNT_KEY: format_time(now)}
    metadata = {**found["metadata"], "annotations": annotations}
    await store.update({**found, "metadata": metadata}, manager=MANAGER)
    return f"Asked for another key for the ACME account of {key}; its events say when it is done"
