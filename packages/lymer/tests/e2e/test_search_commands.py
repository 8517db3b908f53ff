"""The terminal's questions: what `generate` sent is found, listed and printed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll


def _run(lymer: Lymer, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", *arguments],
        env={**lymer_environment(), "LYMER_URL": lymer.query_url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def filled(shared_lymer: Lymer) -> Lymer:
    """Return a Lymer with traces, half of which failed."""
    endpoint = f"--endpoint=http://127.0.0.1:{shared_lymer.ports['otlp_http']}"
    _run(shared_lymer, "generate", "--traces=40", "--errors=0.5", "--seed=77", endpoint)
    for _ in poll(20):
        if json.loads(_run(shared_lymer, "search", "{ status = error }", "--json").stdout)[
            "traces"
        ]:
            break
    return shared_lymer


def test_a_question_finds_traces_and_one_is_printed(filled: Lymer) -> None:
    """Every span is a line, children below their parents; failed ones say so."""
    said = _run(filled, "search", "{ status = error }", "--limit", "3").stdout.splitlines()
    assert said[0].split() == ["trace", "start", "duration", "matched", "spans", "root"]
    assert len(said) == 4
    trace_id = said[1].split()[0]
    tree = _run(filled, "trace", trace_id).stdout.splitlines()
    whole = json.loads(_run(filled, "trace", trace_id, "--json").stdout)["data"][0]
    assert len(tree) == len(whole["spans"])
    assert tree[0].startswith("    0 ns")
    assert any(line.endswith("  error") for line in tree)
    assert any(line.count("  ") > tree[0].count("  ") for line in tree)


def test_services_keys_and_values_are_listed(filled: Lymer) -> None:
    """As tables and as JSON."""
    assert "gateway" in _run(filled, "services").stdout
    listed = json.loads(_run(filled, "services", "--json").stdout)["services"]
    assert {"service", "operations", "spans", "errors", "selfNano"} <= set(listed[0])
    assert "span.http.request.method" in _run(filled, "complete").stdout
    values = _run(filled, "complete", "span.http.request.method").stdout.split()
    assert {"GET", "POST"} & set(values)
    assert json.loads(_run(filled, "complete", "--json").stdout)["fields"]


def test_nothing_and_nonsense(filled: Lymer) -> None:
    """Nothing found is no failure; what cannot be read is one."""
    assert _run(filled, "search", '{ name = "nobody" }').stdout == "No trace matches.\n"
    assert "line 1, column 3" in _run(filled, "search", "{ foo", code=1).stderr
    assert "trace not found" in _run(filled, "trace", "f" * 32, code=1).stderr
    assert "--help" in _run(filled, "search", "--limit", "0", code=2).stderr
