"""Kill -9 between two parts of a segment: what was acknowledged is stored, once."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Final

import httpx
import pytest

from crash.stored_spans import open_stored_spans
from e2e.lymer_process import Lymer, poll
from e2e.otlp import PROTOBUF
from fakes.heavy_requests import HEAVY
from make import make_request, make_span, trace_hex

_KILLS: Final = 4
_SCALE: Final = 200_000
"""Its 800,000 empty spans are stored in nine parts, or so."""
_CALL: Final = (make_span(9, 1, kind=3), make_span(9, 2, parent=1, kind=2))


def _send(lymer: Lymer, body: bytes) -> None:
    response = lymer.http.post(
        lymer.otlp_http_url, content=body, headers={"Content-Type": PROTOBUF}
    )
    assert response.status_code == 200, response.text


def _has_neighbours(lymer: Lymer) -> bool:
    try:
        found = lymer.http.get(f"{lymer.query_url}/api/traces/{trace_hex(9)}")
    except httpx.HTTPError:
        return False  # it is starting
    return found.status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_between_parts_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """Neither a giant's spans nor its neighbours', and no call is counted twice or forgotten."""
    chance = random.Random()
    body, giant_spans = HEAVY["empty spans"](_SCALE)
    lymer = Lymer(tmp_path, {"LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.5"})
    try:
        lymer.start()
        _send(lymer, make_request(_CALL[0], service="shop").SerializeToString())
        _send(lymer, body)
        _send(lymer, make_request(_CALL[1], service="stock").SerializeToString())
        between = 0
        for _ in range(_KILLS):
            # The small ones are stored first: the giant's parts are what is going on now.
            for _ in poll(60):
                if _has_neighbours(lymer):
                    break
            time.sleep(chance.uniform(0, 1.5))
            lymer.kill()
            between += any((lymer.data_dir / "journal").iterdir())
            lymer.launch()
        for _ in poll(90):
            if lymer.answers_ready():
                break
        assert lymer.stop() == 0, lymer.log_tail()
    finally:
        lymer.close()

    assert between, "no kill met the giant"
    assert list((lymer.data_dir / "journal").iterdir()) == []
    assert not (lymer.data_dir / "quarantine").exists()
    with open_stored_spans(lymer.data_dir) as stored:
        assert stored.count() == giant_spans + len(_CALL)
        assert stored.dependencies_rolled_up() == ["shop\tstock\t1"]
        assert stored.red_rolled_up() == stored.red_recounted()
        assert stored.operations_missing() == []
