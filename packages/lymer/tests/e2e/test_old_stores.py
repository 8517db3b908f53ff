"""A folder that an earlier release left behind answers as that release did.

How the folders in `old-stores` were made is in make_old_stores.py: spans by every door and of every
kind, tail decisions, tenants, and a kill -9 with segments that are not loaded. One is added for
each release that writes anything differently, by that release; none is ever made anew.
"""

from __future__ import annotations

import json
import lzma
import re
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest

from e2e.lymer_process import Lymer, poll
from e2e.old_stores import (
    ARCHIVES,
    OPEN_SETTINGS,
    Answers,
    ask,
    ask_overview,
    ask_red,
    tail_settings,
)

_SINGLE: Final = [""]
_TENANTS: Final = ["acme", "mega corp"]
_STORES: Final = [
    ("72d6ae8-single", _SINGLE, {}),
    ("72d6ae8-tenants", _TENANTS, {"LYMER__TENANCY__ENABLED": "true"}),
]
_NAMED: Final = {
    "attributes": [{"key": "service.name", "value": {"stringValue": "missing-service-name"}}]
}
_SETTLED_SECONDS_MAX: Final = 40.0
_THRESHOLD: Final = re.compile("ot=th:9{13}8;rv:[0-9a-f]{14}$")  # four of ten are kept


def _as_decided_since(wanted: Answers) -> Answers:
    """Return what an old release said, with what is meant to be otherwise since.

    - A span that was delivered twice counts as one call (docs/adr/007): there is one in the journal
      that the old release left. What it had counted stays counted.
    - A resource without a service says in OTLP, too, what its service is called here.
    """
    twice = ("shop", "stock")
    links = [
        {**link, "callCount": link["callCount"] - ((link["parent"], link["child"]) == twice)}
        for link in wanted["dependencies"]
    ]
    traces = {
        trace: {**forms, "otlp": [{**one, "resource": one["resource"] or _NAMED} for one in otlp]}
        for trace, forms in wanted["traces"].items()
        for otlp in [forms["otlp"]]
    }
    return {**wanted, "dependencies": links, "traces": traces}


def _without_thresholds(answer: Any) -> Any:
    """Return an answer without what is written since on spans that chance keeps (docs/adr/018)."""
    if isinstance(answer, list):
        return [
            _without_thresholds(one)
            for one in answer
            if not (
                isinstance(one, dict)
                and one.get("key") == "w3c.tracestate"
                and _THRESHOLD.match(one["value"])
            )
        ]
    if isinstance(answer, dict):
        return {
            key: _without_thresholds(one)
            for key, one in answer.items()
            if not (key == "traceState" and _THRESHOLD.match(one))
        }
    return answer


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.parametrize(("name", "tenants", "settings"), _STORES)
def test_an_old_store_answers_as_it_did(
    tmp_path: Path, name: str, tenants: list[str], settings: dict[str, str]
) -> None:
    """Span for span: services, operations, searches, traces, dependencies, rates and tenants."""
    with tarfile.open(ARCHIVES / f"{name}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    expected: Answers = json.loads(lzma.decompress((ARCHIVES / f"{name}.json.xz").read_bytes()))
    assert list((tmp_path / "data" / "journal").rglob("*.otlp")), "nothing is left to load"
    lymer = Lymer(tmp_path, {**OPEN_SETTINGS, **tail_settings(tmp_path), **settings})
    try:
        lymer.start()
        for tenant in tenants:
            wanted = _as_decided_since(expected["asked"][tenant])
            # What was not loaded when it was killed is loaded, decided on and counted first.
            for _ in poll(_SETTLED_SECONDS_MAX):
                if ask_overview(lymer, tenant).items() <= wanted.items():
                    break
            answers = ask(lymer, tenant)
            answers["traces"] = _without_thresholds(answers["traces"])
            for question in wanted:
                assert answers[question] == wanted[question], (tenant, question)
        assert lymer.stop() == 0, lymer.log_tail()
        counted = ask_red(lymer.data_dir, tenants)
        for one in (each for rows in counted["red"].values() for each in rows):
            assert one.pop("is_estimated") is False, "no release before knew samples"
        assert counted == expected["counted"]
    finally:
        lymer.close()
