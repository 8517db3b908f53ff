"""Every answer of a tool fits its budget, and says what it left out."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from fakes.memory_store import MemoryStore
from lymer.api.mcp.protocol import Tool, tool_answer
from lymer.query.service import Queries
from lymer.tenancy import DEFAULT_TENANT


def _random(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(5 if depth < 4 else 3)
    match kind:
        case 0:
            return rng.randrange(10**6)
        case 1:
            return "ä" * rng.randrange(300)
        case 2:
            return None
        case 3:
            return [_random(rng, depth + 1) for _ in range(rng.randrange(12))]
        case _:
            return {f"k{number}": _random(rng, depth + 1) for number in range(rng.randrange(6))}


@pytest.mark.parametrize("seed", range(40))
def test_any_answer_fits_its_budget(seed: int) -> None:
    """However its lists and texts are nested; an answer that fits is not touched."""
    rng = random.Random(seed)
    whole = {f"top{number}": _random(rng) for number in range(5)}
    tool = Tool("t", "", {}, (), lambda *_: whole)
    query = Queries(MemoryStore()).for_tenant(DEFAULT_TENANT)
    large = tool_answer(tool, {"max_tokens": 100_000}, query, 0)
    assert large["structuredContent"] == whole
    small = tool_answer(tool, {"max_tokens": 200}, query, 0)
    body = orjson.dumps(small["structuredContent"])
    assert len(body) <= 800 or len(orjson.dumps(whole)) <= len(body)
    if len(orjson.dumps(whole)) > 800:
        assert small["structuredContent"]["left_out"]


def test_of_many_entries_the_first_come_whole() -> None:
    """A list is shortened before what is in its entries."""
    whole = {"candidates": [{"rank": rank, "ids": ["x" * 30] * 5} for rank in range(100)]}
    tool = Tool("t", "", {}, (), lambda *_: whole)
    query = Queries(MemoryStore()).for_tenant(DEFAULT_TENANT)
    found = tool_answer(tool, {"max_tokens": 500}, query, 0)["structuredContent"]
    kept = found["candidates"]
    assert kept == whole["candidates"][: len(kept)]
    assert found["left_out"] == {"candidates": 100 - len(kept)}
