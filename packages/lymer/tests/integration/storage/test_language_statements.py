"""What the engine is asked when somebody asks in the search language."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes.language_oracle.questions import Asker, random_traces
from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.parsing import QUESTION_CHARACTERS_MAX, parse
from lymer.language.printing import text as printed
from lymer.storage.clickhouse.engine import Parameter, Settings
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.spansets import minute_values
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.search_contract import FieldQuestion, SeriesQuestion, SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT
from make import START, Plain, make_request, make_span, write_segment_file

END = START + 10**11
MARK = "zq7x"
HOSTILE = f"{MARK}'); DROP TABLE spans; -- \\ {{p0:String}} {{db}} {{mark}}"


class Recording(ChdbEngine):
    """An engine that remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, memory_bytes_max=900 * 2**20)
        self.asked: list[str] = []

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """Remember the statement, and run it."""
        self.asked.append(statement)
        return super().select(database, statement, width, parameters, settings)


@pytest.fixture(scope="module")
def recorded(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Recording, ClickHouseStore]]:
    """Yield an engine with some traces, and the store that asks it."""
    folder = tmp_path_factory.mktemp("recorded")
    engine = Recording(folder / "engine")
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    store.write_segment(write_segment_file(folder, *random_traces(random.Random(3), 10)))
    yield engine, store
    store.close()


def hostile(text: str) -> str:
    """Put the hostile text into every text and name of a question."""
    for word in ("GET", "POST", "boom", "shop", "query"):
        text = text.replace(f'"{word}"', '"' + HOSTILE.replace("\\", "\\\\") + '"')
    key = '"' + HOSTILE.replace("\\", "\\\\") + '"'
    return text.replace('"deep key"', key)


def test_no_word_of_a_question_stands_in_a_statement(
    recorded: tuple[Recording, ClickHouseStore],
) -> None:
    """Texts, names of attributes, patterns: parameters, in every statement of every kind."""
    engine, store = recorded
    reader = store.for_tenant(DEFAULT_TENANT)
    engine.asked.clear()
    questions = [hostile(printed(Asker(random.Random(seed)).question())) for seed in range(60)]
    questions = [one for one in questions if MARK in one]
    assert len(questions) > 15
    for text in questions:
        try:
            query = parse(text)
            reader.find_spansets(SpansetQuestion(query, START, END, text=text))
        except QuestionError:
            continue
    field = tree.Attribute(HOSTILE, "span")
    shown = f'span."{HOSTILE.replace(chr(92), chr(92) * 2)}"'
    for function in ("rate()", f"avg_over_time({shown})", f"quantile_over_time({shown}, 0.9)"):
        text = f"{{ {shown} != nil }} | {function} by ({shown}, resource.{shown[5:]})"
        reader.get_series(SeriesQuestion(parse(text), START, END, 10**10, text=text))
    text = f'{{ }} | compare({{ name = "{HOSTILE.replace(chr(92), chr(92) * 2)}" }})'
    reader.get_series(SeriesQuestion(parse(text), START, END, 10**10, text=text))
    condition = tree.Binary("=~", field, tree.Literal(HOSTILE.replace(")", ""), "string"))
    reader.get_field_names(FieldQuestion(START, END, condition=condition))
    reader.get_field_values(FieldQuestion(START, END, field, condition))

    assert len(engine.asked) > 40
    assert [one for one in engine.asked if MARK in one] == []


def test_a_rare_value_is_looked_for_with_the_index_alone(
    recorded: tuple[Recording, ClickHouseStore], tmp_path: Path
) -> None:
    """Once its key is known to have no arrays; an array that is stored later is found."""
    engine, store = recorded
    reader = store.for_tenant(DEFAULT_TENANT)
    segment_ids = iter(range(1_795_365_822_000_000, 1_795_365_823_000_000))

    def write(trace: int, value: Plain) -> None:
        request = make_request(make_span(trace, 1, attrs={"key": value}))
        store.write_segment(write_segment_file(tmp_path, request, segment_id=next(segment_ids)))

    def found() -> tuple[int, bool]:
        """Return how many traces were found, and whether arrays were looked for among all."""
        engine.asked.clear()
        text = '{ span.key = "rare" }'
        answer = reader.find_spansets(SpansetQuestion(parse(text), START, END, text=text))
        (first,) = (one for one in engine.asked if "ORDER BY start" in one)
        return len(answer.traces), "startsWith" in first

    write(101, "usual")
    assert [found(), found()] == [(0, True), (0, False)]
    write(102, "rare")
    assert found() == (1, False)
    write(103, ["rare", "and more"])
    assert [found(), found()] == [(2, True), (2, True)]


def test_what_no_value_fulfils_is_not_looked_for(
    recorded: tuple[Recording, ClickHouseStore],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once its attribute's values are known; of what is stored later, only its minute is read."""
    engine, store = recorded
    monkeypatch.setattr(minute_values, "ROWS_MIN", 1)
    reader = store.for_tenant(DEFAULT_TENANT)
    segment_ids = iter(range(1_795_365_824_000_000, 1_795_365_825_000_000))

    def write(trace: int, value: Plain, minute: int, service: str = "shop") -> None:
        span = make_span(trace, 1, attrs={"size": value}, offset_nano=minute * 60 * 10**9)
        request = make_request(span, service=service)
        store.write_segment(write_segment_file(tmp_path, request, segment_id=next(segment_ids)))

    def found(condition: str) -> tuple[int, int, int]:
        """Return the traces that were found, statements that look for them, and their ranges."""
        engine.asked.clear()
        text = f"{{ {condition} }}"
        question = SpansetQuestion(parse(text), START, START + 3_600 * 10**9, text=text)
        answer = reader.find_spansets(question)
        assert answer.is_complete
        looks = [one for one in engine.asked if "ORDER BY start" in one]
        return len(answer.traces), len(looks), looks[-1].count("start BETWEEN") if looks else 0

    for minute in range(8):
        write(200 + minute, minute, minute)
    assert found("span.size > 50") == (0, 1, 1)  # the newest part is looked at before
    assert found("span.size > 60") == (0, 0, 0)
    assert found("span.size > 60 || span.size = 3") == (1, 1, 2)
    assert found('resource.service.name = "cart" && span.size = 3') == (0, 0, 0)
    write(300, 70, 5, service="cart")
    assert found("span.size > 60") == (1, 1, 2)
    assert found('resource.service.name = "shop" && span.size > 60') == (0, 0, 0)
    assert found('resource.service.name = "cart" && span.size > 60') == (1, 1, 2)
    write(301, [80, 90], 6)
    write(302, "x" * 1_000, 20)
    assert found("span.size > 75") == (1, 1, 3)  # an array, and a text too long to be remembered
    assert found("!(span.size > 75)")[0] > 8  # absent is not more than 75


PIECES = (
    *("{", "}", "(", ")", "|", "&&", "||", "!", "=", "!=", "=~", ">", ">>", "<", "~", "&>>", "!>>"),
    *(".a", "span.b", 'resource."c d"', "event:name", "duration", "status", "error", "nil", "true"),
    *(
        "1",
        "2.5",
        "-",
        "*",
        "^",
        "10ms",
        '"text"',
        "`raw`",
        "by",
        "coalesce()",
        "select",
        "count()",
    ),
    *("avg(duration)", "rate()", "quantile_over_time(duration, .9)", "topk(2)", "with", ",", "'"),
    *("\n", "//x", "/*", "주문", "\0", "nestedSetParent", "parent.x", "compare({},1)", "maxInt"),
)


def test_every_text_is_read_or_refused_with_its_place_and_quickly() -> None:
    """Texts of pieces, questions with a piece changed, and the longest text of each piece."""
    rng = random.Random(5)
    texts = [" ".join(rng.choices(PIECES, k=rng.randrange(1, 25))) for _ in range(2_000)]
    for seed in range(1_000):
        good = printed(Asker(random.Random(seed)).question())
        at = rng.randrange(len(good))
        texts.append(good[:at] + rng.choice(["", *PIECES]) + good[at + rng.randrange(3) :])
    texts += [(piece + " ") * (QUESTION_CHARACTERS_MAX // (len(piece) + 1)) for piece in PIECES]
    slowest, read, places = 0.0, 0, 0
    for text in texts:
        began = time.process_time()
        try:
            parse(text)
            read += 1
        except QuestionError as error:
            places += "line " in str(error)
        slowest = max(slowest, time.process_time() - began)

    assert (read + places, read > 50) == (len(texts), True)
    assert slowest < 3, "of processor time; an idle machine takes 0.2 s"
