"""The grammar: one text for the parser library, read as it stands.

It is wider than the language: an operand between braces is an expression, outside of them a
spanset, a number or a series, and which of these an operator may join is decided as the tree is
built, where an error can say what it expected. Precedence is the original's, lowest first: pipe;
`&&` and `||` alike; comparison and structure alike; `+ -`; `!`; `* / %`; `^` from right to left.

Source: Grafana Tempo, `pkg/traceql/expr.y` and `lexer.go`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["GRAMMAR", "KEYWORDS"]

GRAMMAR: Final = r"""
start: pipeline hints*

pipeline: stage ("|" stage)*
stage: outer
     | BY "(" field ")"            -> group
     | COALESCE "(" ")"            -> coalesce
     | SELECT "(" fields ")"       -> select

?outer: outer LOGIC relation       -> outer_logic
      | relation
?relation: relation (COMPARISON|STRUCTURE|ANGLE|NOT_MATCH) sum -> outer_relation
         | sum
?sum: sum SIGN product             -> outer_arithmetic
    | product
?product: product FACTOR operand   -> outer_arithmetic
        | operand
?operand: OPEN field? CLOSE        -> filter
        | PAREN pipeline ")"       -> parenthesized
        | SIGN operand             -> outer_negative
        | number
        | AGGREGATE "(" field? ")" -> aggregate
        | metric
        | TOP "(" INTEGER ")"      -> top

metric: METRIC "(" (field ("," signed)*)? ")" (BY "(" fields ")")?
      | COMPARE "(" OPEN field? CLOSE ("," INTEGER)* ")" -> compare
signed: SIGN? (INTEGER | FLOAT)

hints: WITH "(" hint ("," hint)* ")"
hint: NAME "=" literal

fields: field ("," field)*

?field: field LOGIC comparison     -> logic
      | comparison
?comparison: comparison (COMPARISON|ANGLE|NOT_MATCH|MATCH) addition -> compare_fields
           | addition
?addition: addition SIGN (term|prefixed) -> arithmetic
         | term
         | prefixed
?term: term FACTOR power           -> arithmetic
     | term FACTOR prefixed        -> arithmetic
     | power
?power: value POWER power          -> arithmetic
      | value POWER prefixed       -> arithmetic
      | value
prefixed: SIGN term                -> negative
        | SIGN prefixed            -> negative
        | BANG term                -> negation
        | BANG prefixed            -> negation
?value: "(" field ")"
      | literal
      | ATTRIBUTE                  -> attribute
      | INTRINSIC                  -> intrinsic
      | NIL                        -> nil

?number: INTEGER                   -> integer
       | FLOAT                     -> fraction
       | DURATION                  -> duration
?literal: number
        | STRING                   -> string
        | RAW_STRING               -> raw_string
        | BOOLEAN                  -> boolean
        | STATUS                   -> status
        | KIND                     -> kind
        | LARGEST                  -> largest

OPEN: "{"
CLOSE: "}"
PAREN: "("
LOGIC: "&&" | "||"
COMPARISON: "!=" | "<=" | ">=" | "="
ANGLE: "<" | ">"
STRUCTURE.2: "&>>" | "&<<" | "&>" | "&<" | "&~" | "!>>" | "!<<" | "!>" | "!<" | ">>" | "<<" | "~"
NOT_MATCH.3: "!~"
MATCH.3: "=~"
SIGN: "+" | "-"
FACTOR: "*" | "/" | "%"
POWER: "^"
BANG: "!"

BY: /by\b/
COALESCE: /coalesce\b/
SELECT: /select\b/
WITH: /with\b/
AGGREGATE: /(?:count|avg|max|min|sum)\b/
METRIC: /(?:rate|(?:count|min|max|avg|sum|quantile|histogram)_over_time)\b/
COMPARE: /compare\b/
TOP: /(?:topk|bottomk)\b/
NIL: /nil\b/
BOOLEAN: /(?:true|false)\b/
STATUS: /(?:ok|error|unset)\b/
KIND: /(?:unspecified|internal|server|client|producer|consumer)\b/
LARGEST: /(?:minInt|maxInt)\b/
INTRINSIC: /(?:trace|span|event|link|instrumentation):\s*\w+/
         | /(?:duration|name|statusMessage|status|kind|parent)\b/
         | /(?:rootName|rootServiceName|traceDuration|childCount|nestedSet(?:Left|Right|Parent))\b/
NAME: /[A-Za-z_]\w*/

ATTRIBUTE.4: _SCOPE (_QUOTED_NAME | _PLAIN_NAME)+
_SCOPE: /(?:parent\.(?:resource\.|span\.)?|(?:resource|span|event|link|instrumentation)\.|\.(?!\d))/
_QUOTED_NAME: /"(?:[^"\\]|\\["\\])*"/
_PLAIN_NAME: /[^\s{}()=~!<>&|^,"]/
STRING: /"(?:[^"\\\n]|\\.)*"/
RAW_STRING: /`[^`]*`/
DURATION.3: /\d[\d.]*(?:ns|us|µs|μs|ms|s|m|h|d|w|y)(?:[\d.]+(?:ns|us|µs|μs|ms|s|m|h|d|w|y))*/
FLOAT.2: /(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+/
INTEGER: /\d+/

%import common.WS
COMMENT: /\/\/[^\n]*|\/\*(?s:.*?)\*\//
%ignore WS
%ignore COMMENT
"""

KEYWORDS: Final = (
    *("by", "coalesce", "select", "with", "count", "avg", "max", "min", "sum", "rate"),
    *("count_over_time", "min_over_time", "max_over_time", "avg_over_time", "sum_over_time"),
    *("quantile_over_time", "histogram_over_time", "compare", "topk", "bottomk"),
    *("duration", "name", "status", "statusMessage", "kind", "rootName", "rootServiceName"),
    *(
        "traceDuration",
        "childCount",
        "true",
        "false",
        "nil",
        "ok",
        "error",
        "unset",
        "unspecified",
        "internal",
    ),
    *("server", "client", "producer", "consumer"),
)
"""What a mistyped word may have meant."""
