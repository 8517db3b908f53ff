"""Another Lymer as what `lymer migrate` reads: running, or its folder when it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lymer.cli.asking import Asker, ask, open_asker
from lymer.errors import LymerError, StartupError

if TYPE_CHECKING:
    from lymer.files.migrating import Source
    from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["is_lymer", "open_lymer_source"]

_SCHEMES: Final = {"lymer": "http", "lymers": "https"}
_PAGE_TRACES: Final = 1_000
_READ_TRACES: Final = 100
_ALL: Final = {"q": "", "start": "1970-01-01T00:00:00+00:00", "end": str(2**62), "spss": "1"}
_FIRST: Final = "newest"


def is_lymer(source: str) -> bool:
    """Say whether that names a Lymer: its address, or its folder."""
    return urlsplit(source).scheme in _SCHEMES or Path(source).is_dir()


@contextmanager
def open_lymer_source(source: str, tenant: str = "") -> Iterator[Source]:
    """Yield the store of another Lymer.

    Args:
        source: `lymer://HOST:16686` or `lymers://`, the address of its API; or its data folder.
        tenant: Whose spans.

    Raises:
        StartupError: There is no store in the folder, or somebody uses it.
    """
    parts = urlsplit(source)
    if parts.scheme in _SCHEMES:
        url = parts._replace(scheme=_SCHEMES[parts.scheme]).geturl()
        with open_asker(url, tenant or None) as asker:
            yield _Lymer(asker)
        return
    with open_asker(None, tenant or None, Path(source)) as asker:
        yield _Lymer(asker)


class _Lymer:
    """A part is a page of a search for all traces, the newest first; its name is its cursor.

    What comes in meanwhile moves no page that lies behind it, and a page that did move, because
    something expired, is only read once more.
    """

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def parts(self) -> Iterator[str]:
        """See `Source.parts`."""
        part: str | None = _FIRST
        while part:
            yield part
            _, part = self._page(part)

    def read(self, part: str, told: Callable[[str, str], None]) -> Iterator[CheckedRequest]:
        """See `Source.read`."""
        from lymer.wire.otlp_proto import check_request

        ids, _ = self._page(part)
        for first in range(0, len(ids), _READ_TRACES):
            some = ids[first : first + _READ_TRACES]
            traces = self._asker.read("/api/lymer/v1/otlp", [("traceID", one) for one in some])
            try:
                yield check_request(traces)
            except LymerError as error:
                told(f"traces {some[0]} to {some[-1]}", str(error))

    def _page(self, part: str) -> tuple[list[str], str]:
        """Return the ids of its traces, and the next part; none if empty."""
        cursor = "" if part == _FIRST else part
        asked = {**_ALL, "limit": str(_PAGE_TRACES), "cursor": cursor}
        page = ask(self._asker, "/api/search", asked)
        if not page["complete"]:
            raise StartupError(f"{self._asker.name} cannot list its traces: {page['reason']}")
        return [one["traceID"] for one in page["traces"]], page["cursor"]
