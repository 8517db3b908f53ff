"""Every number of the pages with limits is the code's, and every name on them exists.

A number is tied to the code by a name in its row or paragraph, or by a line of `TIED`. What cannot
be is in `EXCUSED`, with the reason. Both are looked for by their words: a line that is no longer on
its page fails too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from fakes.document_numbers import code_numbers, quantities
from lymer import ports
from lymer.config.catalog import GROUPS

_DOCS: Final = Path(__file__).parents[5] / "docs"
_PAGES: Final = ("limits", "operations", "compatibility")
_PORTS: Final = {getattr(ports, name) for name in ports.__all__}
_STATUSES: Final = {200, 202, 400, 401, 404, 405, 408, 413, 415, 500, 503}
"""Answers of HTTP; the tests of the doors look at them."""

TIED: Final = {
    ("operations", "Scrape every 10 minutes"): "storage.clickhouse.span_counts.LOOK_BACK_SECONDS",
    ("operations", "running requests get 5 s"): "roles.listening.REQUEST_GRACE_SECONDS",
    ("operations", "loaded for up to 30 s"): "roles.storing._DRAIN_SECONDS_MAX",
    ("operations", "When the folder holds 256 MiB"): "pipeline.quarantine.QUARANTINE_BYTES_MAX",
    ("compatibility", "largest message | same | 4 MiB"): "receivers.otlp_grpc.message_bytes_max",
    ("compatibility", "up to 65,000 bytes"): "receivers.jaeger_udp._DATAGRAM_BYTES_MAX",
    ("compatibility", "beyond 2^53 − 1"): "wire.jaeger_json.SAFE_INTEGER_MAX",
    ("compatibility", "than 16 and"): "storage.sanitizers.TRACE_ID_BYTES",
    ("compatibility", "8 bytes"): "storage.sanitizers.SPAN_ID_BYTES",
    ("compatibility", "arrive more than 300 s apart"): (
        "storage.clickhouse.rollup.LOOKBACK_MICROSECONDS"
    ),
    ("compatibility", "kept 30 days"): "storage.clickhouse.schema_migration.ROLLUP_SECONDS",
    ("compatibility", "chunks of 10 spans"): "api.query_grpc._SPANS_PER_CHUNK",
}
"""(page, words with the number) → the place in the code."""

EXCUSED: Final = {
    ("limits", "| 64 structs |"): "the thrift library's, in C; tests/unit/wire/test_thrift.py",
    ("limits", "| 60 s; 30 s over gRPC"): "60 s is asyncio's default",
    ("limits", "Deeper than about 46"): "protobuf's limit of 100 messages, in pairs",
    ("limits", "At least 64 MiB may wait"): "two segments of the default size",
    ("limits", "| 1 ns to 2^63 − 1 ns, about 292 years |"): "the range of the column",
    ("limits", "| 63 bits, about 292 years |"): "of a sum, as of the column",
    ("limits", "| 3.11 and newer |"): "pip refuses older ones",
    ("limits", "glibc 2.28"): "the name of the engine's wheel",
    ("limits", "made anew at 2/3"): "a share",
    ("limits", "1.5 s of a trickle"): "twice the age, journal.segments.TRICKLE_PATIENCE",
    ("operations", "exit code 0"): "tests/e2e/test_lifecycle.py",
    ("operations", "| 0 stopped as asked, 1 could not start or go on, 2 command line"): "as above",
    ("operations", "Plan with 55 bytes a span"): "measured; docs/benchmarks.md",
    ("operations", "1,000 spans a second for 7 days are about 33 GB"): "computed from it",
    ("operations", "stay below 1.2 GiB under full load and at about 300 MB"): "measured",
    ("operations", "eight readers of traces of 300,000 spans at once were seen to need 0.7 GiB"): (
        "measured"
    ),
    ("operations", "Always 1;"): "what Prometheus calls an info metric",
    ("compatibility", "32 bits"): "the width of a type",
    ("compatibility", "RFC 8996"): "a number of a document",
    ("compatibility", "| v1, 4xx of a server |"): "a class of statuses",
    ("compatibility", "shorter than 64 bits"): "the width of a type",
    ("compatibility", "64-bit integers"): "the width of a type",
}
"""(page, words with the number) → why it is not compared."""

_VERSION: Final = re.compile(r"(?:Jaeger|Lymer|contrib|TLS|In|after) v?\d+\.\d+(?: and \d\.\d+)?")
_PLACE: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+")
_CODE: Final = {name for name in GROUPS if "." not in name} | {
    folder.stem
    for package in ("lymer", "certwright")
    for folder in Path(str(import_module(package).__file__)).parent.iterdir()
}


@dataclass(frozen=True, slots=True)
class _Block:
    """A row of a table, or a paragraph."""

    page: str
    text: str

    def names(self) -> Iterator[str]:
        """Yield the places in the code that it names; one word belongs to the module before it."""
        module = ""
        for word in re.findall(r"`([^`]+)`", self.text):
            if word.strip("_").isupper() and module and "_" in word:
                yield f"{module}.{word}"
            elif re.fullmatch(r"--[a-z0-9-]+", word) and self.page != "compatibility":
                yield word  # there they are Jaeger's
            elif _PLACE.fullmatch(word) and word.split(".")[0] in _CODE and word[-5:] != ".json":
                module = word.rpartition(".")[0]
                yield word

    def __str__(self) -> str:
        return f"{self.page}: {self.text[:50]}"


def _blocks() -> Iterator[_Block]:
    for page in _PAGES:
        text = (_DOCS / f"{page}.md").read_text("utf-8")
        for paragraph in text.split("\n\n"):
            rows = paragraph.split("\n") if paragraph.lstrip().startswith("|") else [paragraph]
            yield from (_Block(page, row.replace("\n", " ")) for row in rows if row.strip())


_BLOCKS: Final = list(_blocks())


def _is_code(value: float, numbers: set[float]) -> bool:
    return any(abs(value - number) <= 1e-9 * max(abs(value), abs(number)) for number in numbers)


def _unknown_names(block: _Block) -> list[str]:
    return [name for name in block.names() if code_numbers(name) is None]


def _untied_numbers(block: _Block) -> list[str]:
    text = _VERSION.sub("", block.text)
    for page, words in [*TIED, *EXCUSED]:
        if page == block.page:
            text = text.replace(words, "")
    known = {number for name in block.names() for number in code_numbers(name) or ()}
    return [
        quantity.text
        for quantity in quantities(text)
        if not _is_code(quantity.value, known)
        and not (quantity.value == quantity.bare and quantity.bare in _STATUSES | _PORTS)
    ]


@pytest.mark.parametrize("page", _PAGES)
def test_every_name_is_in_the_code(page: str) -> None:
    """As a setting, a flag, a module or a constant of it."""
    unknown = {str(block): _unknown_names(block) for block in _BLOCKS if block.page == page}

    assert {} == {block: names for block, names in unknown.items() if names}


@pytest.mark.parametrize("page", _PAGES)
def test_every_number_is_that_of_the_code(page: str) -> None:
    """In whatever unit it is written."""
    untied = {str(block): _untied_numbers(block) for block in _BLOCKS if block.page == page}

    assert {} == {block: numbers for block, numbers in untied.items() if numbers}


def test_a_wrong_number_and_a_wrong_name_are_found() -> None:
    """Or the tests above would prove nothing."""
    right = _Block("limits", "| backlog | 2 GiB, 30 s | `journal.backlog_bytes_max`, 503 |")
    wrong = _Block("limits", "| backlog | 3 GiB | `journal.backlog_max`, `journal.disk.X_MAX` |")

    assert ["30 s"] == _untied_numbers(right)
    assert ["3 GiB"] == _untied_numbers(wrong)
    assert ["journal.backlog_max", "journal.disk.X_MAX"] == _unknown_names(wrong)


@pytest.mark.parametrize(("page", "words"), TIED)
def test_words_with_a_number_have_that_of_the_code(page: str, words: str) -> None:
    """And are on their page."""
    known = code_numbers(TIED[page, words])
    assert known, f"{TIED[page, words]} is not in the code"
    numbers = quantities(words)

    assert any(words in block.text for block in _BLOCKS if block.page == page)
    assert numbers
    assert all(_is_code(number.value, set(known)) for number in numbers)


@pytest.mark.parametrize(("page", "words"), EXCUSED)
def test_an_excuse_is_still_needed(page: str, words: str) -> None:
    """Its words are on their page."""
    assert any(words in block.text for block in _BLOCKS if block.page == page)


def test_ports_in_addresses_are_ours() -> None:
    """Such as in `GET :13133/status`."""
    found = {int(port) for block in _BLOCKS for port in re.findall(r":(\d{4,5})\b", block.text)}
    assert found
    assert found <= _PORTS


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4 MiB, before", [4 * 2**20]),
        ("0.1 to 5 s", [0.1, 5]),
        ("1–30 s, others 5 to 10 min", [1, 30, 300, 600]),
        ("2^31 − 1 bytes", [2**31 - 1]),
        ("2,000 more; 100", [2000, 100]),
        ("`a.b` ([ADR 013](adr/013-x.md)), v2 and 1.5 h", [5400]),
    ],
)
def test_numbers_are_read_with_their_units(text: str, values: list[float]) -> None:
    """In bytes and seconds; a range has one unit; names and links have no numbers."""
    assert values == pytest.approx([quantity.value for quantity in quantities(text)])
