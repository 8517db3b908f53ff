"""Access tokens of clouds: asked for when needed, kept until shortly before their end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final
from urllib.parse import urlencode

from certwright import clock
from certwright.adapters.dns.change import Change, ProviderError

__all__ = ["ask_for_token", "kept_token"]

MARGIN_SECONDS: Final = 120.0
"""A token that ends sooner is asked for anew."""
TOKENS_MAX: Final = 256
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}

_tokens: OrderedDict[Hashable, tuple[str, float]] = OrderedDict()


async def kept_token(who: Hashable, ask: Callable[[], Awaitable[tuple[str, float]]]) -> str:
    """Return a token that is good for a while yet.

    Args:
        who: Whose it is.
        ask: Returns a new one and its life in seconds.
    """
    found = _tokens.get(who)
    if found is not None and found[1] - clock.monotonic_seconds() > MARGIN_SECONDS:
        return found[0]
    token, seconds = await ask()
    _tokens[who] = (token, clock.monotonic_seconds() + seconds)
    if len(_tokens) > TOKENS_MAX:
        _tokens.popitem(last=False)
    return token


async def ask_for_token(
    change: Change,
    url: str,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[str, float]:
    """Return a token and its life, by a form (POST) or without one (GET).

    Raises:
        CertwrightError: There is none. What the server says is not shown: it may repeat secrets.
    """
    answer = await change.call(
        "GET" if form is None else "POST",
        url,
        headers={**(_FORM if form is not None else {}), **(headers or {})},
        form=None if form is None else urlencode(form).encode(),
    )
    if answer.status >= 300:
        raise ProviderError(
            f"{change.solver.type}: failed to get an access token: the server answered "
            f"{answer.status}"
        )
    found: Any = change.decoded(answer, "token")
    token = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token:
        raise ProviderError(f"{change.solver.type}: the answer holds no access token")
    try:
        seconds = float(found.get("expires_in") or 0)
    except (TypeError, ValueError):
        seconds = 0.0
    return token, seconds
