"""A YAML file and what is wrong with it."""

from __future__ import annotations

import pytest

from lymer.config.document import expand, read_document


def _problems(text: str) -> tuple[str, ...]:
    return read_document(text, "l.yaml", {"PORT": "1", "EMPTY": ""}).problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "query:\n  prot: 1\n",
            'l.yaml:2:3: unknown setting "prot" in "query": did you mean "port"?',
            id="misspelt setting",
        ),
        pytest.param(
            "querry: {}\n",
            'l.yaml:1:1: unknown setting "querry": did you mean "query"?',
            id="misspelt group",
        ),
        pytest.param(
            "health:\n  zzz: 1\n",
            'l.yaml:2:3: unknown setting "zzz" in "health", '
            "known are auth, enabled, host, port, tls",
            id="nothing near",
        ),
        pytest.param(
            "query: {port: 1, port: 2}\n",
            'l.yaml:1:18: "port" stands twice, first in line 1',
            id="twice",
        ),
        pytest.param(
            "query:\n  port: [1]\n",
            'l.yaml:2:9: "query.port" must be a whole number from 0 to 65535, not a list',
            id="list for a number",
        ),
        pytest.param(
            "query: 16686\n",
            'l.yaml:1:8: "query" must be a mapping of host, port, base_path, '
            "ui_config_file, ui_assets_path, "
            "max_clock_skew_adjust_seconds, max_trace_size_spans, tls, auth, grpc",
            id="number for a group",
        ),
        pytest.param("- a\n", None, id="list for the file"),
        pytest.param("? [a]\n: b\n", "l.yaml:1:3: a key must be a name", id="list for a key"),
        pytest.param(
            "query:\n  base_path: on\n",
            'l.yaml:2:14: "query.base_path" must be a path such as /tracing that starts with "/", '
            "or nothing, not the bool on: put it in quotes",
            id="a word YAML takes for a boolean",
        ),
        pytest.param(
            "query:\n  port: ${env:NOPE}\n",
            'l.yaml:2:9: "query.port": environment variable NOPE is not set: set it or write '
            "${env:NOPE:-default}",
            id="variable that is not set",
        ),
        pytest.param("query: {port: 1\n", None, id="not YAML"),
        pytest.param("a: 1\n---\nb: 2\n", None, id="two documents"),
        pytest.param("\x00", None, id="zero byte"),
        pytest.param("query: *nowhere\n", None, id="unknown alias"),
    ],
)
def test_a_problem_names_its_place_and_the_repair(text: str, problem: str | None) -> None:
    """There is one problem, it starts with file and line, and it is the sentence expected."""
    (found,) = _problems(text)

    assert found.startswith("l.yaml")
    assert problem is None or problem == found


def test_deep_nesting_is_refused_and_does_not_overflow_the_parser() -> None:
    """Half a million brackets, which crash the C parser's composer, are one problem."""
    assert _problems("[" * 500_000) == ("l.yaml:1: nesting is deeper than 32 levels",)


def test_aliases_that_multiply_are_one_problem() -> None:
    """A billion laughs is refused at its first key and never expanded."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]

    problems = _problems("\n".join(lines))

    assert problems[0].startswith('l.yaml:1:1: unknown setting "a0"')


def test_an_alias_may_share_a_group() -> None:
    """Anchors of YAML work as they do elsewhere."""
    text = "admin: &same\n  host: h\nhealth: *same\n"

    entries = read_document(text, "l.yaml", {}).entries

    assert [(e.path, e.text) for e in entries] == [("admin.host", "h"), ("health.host", "h")]


@pytest.mark.parametrize("text", ["", "# nothing\n", "~\n", "query:\n", "query:\n  port:\n"])
def test_what_has_no_value_leaves_the_defaults(text: str) -> None:
    """An empty file, group or setting is no entry and no problem."""
    document = read_document(text, "l.yaml", {})

    assert document.entries == ()
    assert document.problems == ()


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${env:PORT}", "1"),
        ("${PORT}", "1"),
        ("a${env:PORT}b${env:PORT}c", "a1b1c"),
        ("${env:NOPE:-x:-y}", "x:-y"),
        ("${env:NOPE:-}", ""),
        ("${env:EMPTY:-x}", ""),
        ("$${env:PORT}", "${env:PORT}"),
        ("a$b$", "a$b$"),
    ],
)
def test_variables_are_expanded(text: str, expanded: str) -> None:
    """The default stands in for a variable that is not set; `$$` is a dollar sign."""
    assert expanded == expand(text, {"PORT": "1", "EMPTY": ""})


@pytest.mark.parametrize("text", ["${}", "${env:}", "${env:A-B}", "${file:/etc/passwd}"])
def test_a_malformed_reference_is_refused(text: str) -> None:
    """Only variables can be referred to, by a name that can be one."""
    with pytest.raises(ValueError, match="cannot expand"):
        expand(text, {})
