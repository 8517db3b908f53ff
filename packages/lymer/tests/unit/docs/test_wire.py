"""The interface's types of our answers are made from the OpenAPI document that we serve."""

from __future__ import annotations

import importlib.util
from pathlib import Path

TOOL = Path(__file__).resolve().parents[5] / "tools" / "gen_ui_api.py"


def test_the_types_were_made_from_the_present_document() -> None:
    """`tools/ui.sh` makes them anew and compares every line; here the document is enough."""
    spec = importlib.util.spec_from_file_location("gen_ui_api", TOOL)
    assert spec
    assert spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    assert f"Document: {tool.digest()} " in tool.TARGET.read_text(encoding="utf-8"), (
        "run .venv/bin/python tools/gen_ui_api.py"
    )
