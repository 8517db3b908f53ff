"""Random traces, and random questions about them, of every operator."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.language import tree
from make import Plain, make_event, make_link, make_request, make_span

MS = 1_000_000
KEYS = ("a", "b", "http.method", "deep key")
ARRAYS_KEY = "b"
WORDS = ("", "GET", "POST", "get it", "주문", 'q"\\')
WHOLE = (0, 1, 2, 7, 500, -3, 2**40, 2**63 - 1)
FRACTIONS = (0.5, 2.0, -1.5, 500.0, 1e18)
SIGNS = ("=", "!=", "<", "<=", ">", ">=")
TRACE_STATES = (
    "",
    "",
    "",
    "ot=th:0",
    "ot=th:8",
    "a=b,ot=th:c",
    "ot=rv:ffffffffffffff;th:fd70a3d70a3d71",
)
"""Spans that stand for 1, 1, 2, 4 and 100."""
PATTERNS = ("G.*", "(?i)get.*", ".*", "", "POST|GET", "주.", ".+t")


def plain(rng: random.Random, *, deep: bool = True) -> Plain:
    """Return a value of any type."""
    choices: list[Plain] = [
        rng.choice(WORDS),
        rng.choice(WORDS),
        rng.choice(WHOLE),
        rng.choice(WHOLE),
        rng.choice(FRACTIONS),
        rng.choice([True, False]),
    ]
    if deep:
        choices.append([plain(rng, deep=False) for _ in range(rng.randrange(3))])
        choices.append([rng.choice(WORDS) for _ in range(rng.randrange(1, 3))])
        others: list[Plain] = [b"\x01", None, {"k": 1}]
        choices.append(rng.choice(others))
    return rng.choice(choices)


def pairs(rng: random.Random) -> list[tuple[str, Plain]]:
    """Return some attributes; one key has arrays, for a question that meets one is asked twice."""
    keys = rng.sample(KEYS, rng.randrange(len(KEYS)))
    return [(key, plain(rng, deep=key == ARRAYS_KEY)) for key in keys]


def random_traces(rng: random.Random, traces: int) -> list[ExportTraceServiceRequest]:
    """Return traces of a few spans each; some parents are missing, some traces have two roots."""
    requests = []
    states = random.Random(12)
    for trace in range(1, traces + 1):
        count = rng.choice([1, 2, 3, 5, 8, 12])
        spans = []
        for number in range(1, count + 1):
            parent = rng.choice([0, 77] + list(range(1, number)) * 4) if number > 1 else 0
            spans.append(
                make_span(
                    trace,
                    number,
                    parent,
                    name=rng.choice(["GET /", "query", "주문", "send"]),
                    kind=rng.randrange(6),
                    offset_nano=rng.randrange(3_000) * MS,
                    duration_nano=rng.choice([1, 5 * MS, 80 * MS, 2_000 * MS]),
                    attrs=pairs(rng),
                    events=[
                        make_event(
                            rng.choice(["exception", "retry"]), offset_nano=index, attrs=pairs(rng)
                        )
                        for index in range(rng.choice([0, 0, 1, 2]))
                    ],
                    links=[make_link(rng.randrange(1, 5), rng.randrange(1, 5), attrs=pairs(rng))]
                    * rng.choice([0, 0, 1]),
                    status=rng.choice([0, 0, 1, 2]),
                    message=rng.choice(["", "boom"]),
                    trace_state=states.choice(TRACE_STATES),
                )
            )
        rng.shuffle(spans)
        while spans:
            cut = rng.randrange(1, len(spans) + 1)
            requests.append(
                make_request(
                    *spans[:cut],
                    service=rng.choice(["shop", "cart", "pay"]),
                    resource=[
                        (key, plain(rng)) for key in rng.sample(["a", "zone"], rng.randrange(3))
                    ],
                    scope=rng.choice(["", "lib"]),
                    scope_version=rng.choice(["", "1.0"]),
                    scope_attrs=pairs(rng),
                )
            )
            spans = spans[cut:]
    return requests


class Asker:
    """Makes random questions."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def question(self) -> tree.Query:
        """Return a question."""
        rng = self.rng
        stages: list[tree.Stage] = [self.spanset(rng.choice([0, 0, 1, 1, 2]))]
        while rng.random() < 0.4:
            made: list[Callable[[], tree.Stage]] = [
                *(self.scalar_filter, self.group, self.filter, self.select)
            ]
            stages.append(rng.choice(made)())
            if isinstance(stages[-1], tree.Group):
                if rng.random() < 0.7:
                    stages.append(self.scalar_filter())
                if rng.random() < 0.5:
                    stages.append(tree.Coalesce())
        return tree.Query(tree.Pipeline(tuple(stages)))

    def spanset(self, depth: int) -> tree.Spanset:
        """Return a spanset of some depth."""
        rng = self.rng
        if depth == 0:
            return self.filter()
        left, right = self.spanset(depth - 1), self.spanset(rng.randrange(depth))
        if rng.random() < 0.35:
            return tree.Combine(cast("Any", rng.choice(["&&", "||"])), left, right)
        relation = rng.choice([">", ">>", "<", "<<", "~"])
        mode = rng.choice(["plain", "plain", "not", "union"])
        return tree.Relate(cast("Any", relation), cast("Any", mode), left, right)

    def filter(self) -> tree.Filter:
        """Return a filter."""
        if self.rng.random() < 0.1:
            return tree.Filter()
        return tree.Filter(self.condition(self.rng.choice([0, 0, 1, 2])))

    def condition(self, depth: int) -> tree.Expression:
        """Return a condition of some depth."""
        rng = self.rng
        if depth == 0:
            return self.comparison()
        if rng.random() < 0.25:
            return tree.Unary("!", self.condition(depth - 1))
        sign = rng.choice(["&&", "||"])
        operands: list[tree.Expression] = []
        for _ in range(2):
            one = self.condition(depth - 1)
            same = isinstance(one, tree.Logic) and one.operator == sign
            operands.extend(one.operands if isinstance(one, tree.Logic) and same else [one])
        return tree.Logic(cast("Any", sign), tuple(operands))

    def attribute(self) -> tree.Attribute:
        """Return an attribute of any scope."""
        rng = self.rng
        scope = rng.choice(["", "", "span", "span", "resource", "event", "link", "instrumentation"])
        key = rng.choice(["a", "zone"] if scope == "resource" else KEYS)
        if scope in {"", "span", "resource"} and rng.random() < 0.15:
            return tree.Attribute(key, cast("Any", scope), of_parent=True)
        return tree.Attribute(key, cast("Any", scope))

    def comparison(self) -> tree.Expression:
        """Return one comparison."""
        rng = self.rng
        make = rng.choice(
            [
                *([self.of_attribute] * 6),
                *([self.of_intrinsic] * 5),
                self.of_trace,
                self.of_attributes,
                self.of_arithmetic,
                self.of_existence,
            ]
        )
        return make()

    def of_attribute(self) -> tree.Expression:
        """Compare an attribute with a value."""
        rng, node = self.rng, self.attribute()
        match rng.randrange(7):
            case 0 | 1:
                literal = tree.Literal(rng.choice(WORDS), "string")
            case 2:
                literal = tree.Literal(rng.choice(WHOLE), "int")
            case 3:
                literal = tree.Literal(rng.choice(FRACTIONS), "float")
            case 4:
                literal = tree.Literal(rng.choice([True, False]), "bool")
                return tree.Binary(rng.choice(SIGNS[:2]), node, literal)
            case 5:
                pattern = tree.Literal(rng.choice(PATTERNS), "string")
                return tree.Binary(rng.choice(["=~", "!~"]), node, pattern)
            case _:
                return node
        if rng.random() < 0.15:
            return tree.Binary(rng.choice(SIGNS), literal, node)
        return tree.Binary(rng.choice(SIGNS), node, literal)

    def of_intrinsic(self) -> tree.Expression:
        """Compare an intrinsic of a span, event, link or scope with a value."""
        rng = self.rng
        name = rng.choice([
            "span:duration", "span:name", "span:kind", "span:status", "span:statusMessage",
            "span:id", "span:parentID", "trace:id", "event:name", "event:timeSinceStart",
            "link:traceID", "link:spanID", "instrumentation:name", "instrumentation:version",
        ])  # fmt: skip
        node = tree.Intrinsic(name)
        match tree.INTRINSIC_TYPES[name]:
            case "duration":
                nano = rng.choice([1, 5 * MS, 79 * MS, 1_000 * MS])
                return tree.Binary(rng.choice(SIGNS), node, tree.Literal(nano, "duration"))
            case "kind":
                word = rng.choice(["server", "client", "internal", "unspecified"])
                return tree.Binary(rng.choice(SIGNS[:2]), node, tree.Literal(word, "kind"))
            case "status":
                word = rng.choice(["ok", "error", "unset"])
                return tree.Binary(rng.choice(SIGNS[:2]), node, tree.Literal(word, "status"))
            case _:
                texts = [
                    *("query", "GET /", "exception", "lib", "1.0", "boom"),
                    *("", f"{3:016x}", f"{0xABCD:016x}{4:016x}"),
                ]
                if rng.random() < 0.3:
                    pattern = tree.Literal(rng.choice([".*e.*", "b.+", ".*3", "lib|"]), "string")
                    return tree.Binary(rng.choice(["=~", "!~"]), node, pattern)
                return tree.Binary(
                    rng.choice(SIGNS), node, tree.Literal(rng.choice(texts), "string")
                )

    def of_trace(self) -> tree.Expression:
        """Compare what only the whole trace knows with a value."""
        rng = self.rng
        name = rng.choice([
            "trace:rootName", "trace:rootService", "trace:duration", "span:childCount",
            "span:nestedSetParent", "span:nestedSetLeft", "span:nestedSetRight",
        ])  # fmt: skip
        node = tree.Intrinsic(name)
        match tree.INTRINSIC_TYPES[name]:
            case "string":
                text = rng.choice(["shop", "cart", "GET /", "query"])
                return tree.Binary(rng.choice(SIGNS), node, tree.Literal(text, "string"))
            case "duration":
                nano = rng.choice([80, 1_000, 2_500]) * MS
                return tree.Binary(rng.choice(SIGNS), node, tree.Literal(nano, "duration"))
            case _:
                number = tree.Literal(rng.choice([-1, 0, 1, 2, 3]), "int")
                return tree.Binary(rng.choice(SIGNS), node, number)

    def of_attributes(self) -> tree.Expression:
        """Compare two attributes of the span."""
        rng = self.rng
        sides = [
            tree.Attribute(rng.choice(KEYS), cast("Any", rng.choice(["", "span", "resource"])))
            for _ in range(2)
        ]
        return tree.Binary(rng.choice(SIGNS), sides[0], sides[1])

    def of_arithmetic(self) -> tree.Expression:
        """Compare a calculation with a number."""
        rng = self.rng
        own = cast("Any", rng.choice(["", "span", "event"]))
        sides: list[tree.Expression] = [
            tree.Attribute(rng.choice(KEYS), own), tree.Intrinsic("span:duration")
        ]  # fmt: skip
        left = rng.choice(sides)
        for _ in range(rng.randrange(1, 3)):
            number = rng.choice(
                [tree.Literal(2, "int"), tree.Literal(0.5, "float"), tree.Literal(0, "int")]
            )
            other = tree.Attribute(rng.choice(KEYS), "span") if rng.random() < 0.3 else number
            left = tree.Binary(rng.choice("+-*/%^"), left, other)
        if rng.random() < 0.2:
            left = tree.Unary("-", left)
        limit = tree.Literal(rng.choice([0, 1, 250, 10**6]), "int")
        return tree.Binary(rng.choice(SIGNS), left, limit)

    def of_existence(self) -> tree.Expression:
        """Ask whether something is there."""
        return tree.Exists(self.attribute(), negated=self.rng.random() < 0.5)

    def scalar_filter(self) -> tree.ScalarFilter:
        """Return a condition on numbers of a spanset."""
        rng = self.rng
        left: tree.Scalar = self.aggregate()
        if rng.random() < 0.2:
            left = tree.ScalarBinary(rng.choice("+-*/"), left, self.aggregate())
        limit = rng.choice(
            [
                tree.Literal(rng.choice([0, 1, 2, 3]), "int"),
                tree.Literal(rng.choice([0, 5, 100]) * MS, "duration"),
                tree.Literal(1.5, "float"),
            ]
        )
        return tree.ScalarFilter(cast("Any", rng.choice(SIGNS)), left, limit)

    def aggregate(self) -> tree.Aggregate:
        """Return a number of a spanset."""
        rng = self.rng
        name = rng.choice(["count", "avg", "max", "min", "sum"])
        if name == "count":
            return tree.Aggregate("count")
        operands: list[tree.Expression] = [
            tree.Intrinsic("span:duration"), tree.Attribute(rng.choice(KEYS), "span")
        ]  # fmt: skip
        operand = rng.choice(operands)
        return tree.Aggregate(name, operand)

    def group(self) -> tree.Group:
        """Cut by something."""
        fields: list[tree.Expression] = [
            tree.Attribute("service.name", "resource"),
            tree.Intrinsic("span:name"),
            tree.Intrinsic("span:status"),
            tree.Attribute(self.rng.choice(KEYS), "span"),
            tree.Intrinsic("trace:rootName"),
        ]
        return tree.Group(self.rng.choice(fields))

    def select(self) -> tree.Select:
        """Show something."""
        return tree.Select((tree.Attribute("a", "span"), tree.Intrinsic("span:nestedSetLeft")))
