"""JSON-RPC of the Model Context Protocol: which tools there are, and calls of them. No session.

Source: modelcontextprotocol.io, specification 2025-06-18, "Lifecycle", "Tools", "Transports"
(streamable HTTP: a POST may be answered with plain JSON, and a server without a stream answers GET
with 405).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lymer import __version__
from lymer.errors import LymerError, QuestionError
from lymer.query.service import QueryService

__all__ = ["Tool", "answer", "tool_answer"]

_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Of the protocol, the newest first; what is used of it is the same in all."""
_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600
_METHOD_NOT_FOUND: Final = -32601
_INVALID_PARAMS: Final = -32602
_BYTES_PER_TOKEN: Final = 4
"""About, for JSON in English."""
_TEXT_MIN: Final = 64
"""Shorter texts are not cut."""
TOKENS_DEFAULT: Final = 4_000
TOKENS_MIN: Final = 200
TOKENS_MAX: Final = 100_000
BATCH_MAX: Final = 50
"""Requests in one body."""

_INSTRUCTIONS: Final = (
    "Spans of a distributed system, read-only. Why is it slow or failing? get_root_cause, then "
    "explain_spans, then get_trace_topology and get_span_details of an example. Times are RFC "
    "3339 or relative such as -15m. Every tool takes max_tokens and says what it left out."
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    name: str
    description: str
    properties: dict[str, dict[str, Any]]
    """JSON schema of its arguments; every tool takes `max_tokens` beside them."""
    required: tuple[str, ...]
    run: Callable[[QueryService, dict[str, Any], int], dict[str, Any]]
    """Query, arguments, now in nanoseconds since the epoch → answer."""

    def told(self) -> dict[str, Any]:
        """Return what `tools/list` says of it."""
        budget = {
            "type": "integer",
            "description": f"Length of the answer in tokens, about; default {TOKENS_DEFAULT}.",
        }
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": {**self.properties, "max_tokens": budget},
                "required": list(self.required),
            },
            "annotations": {"readOnlyHint": True, "openWorldHint": False},
        }


def answer(body: bytes, tools: dict[str, Tool], query: QueryService, now: int) -> bytes | None:
    """Return the answer to one message or a batch; None where none is due."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return orjson.dumps(_error(None, _PARSE_ERROR, f"cannot read the message: {error}"))
    if isinstance(message, list):
        if not 0 < len(message) <= BATCH_MAX:
            text = f"a batch has 1 to {BATCH_MAX} messages, not {len(message)}"
            return orjson.dumps(_error(None, _INVALID_REQUEST, text))
        answers = [_one(each, tools, query, now) for each in message]
        due = [each for each in answers if each is not None]
        return orjson.dumps(due) if due else None
    found = _one(message, tools, query, now)
    return None if found is None else orjson.dumps(found)


def _one(
    message: Any, tools: dict[str, Tool], query: QueryService, now: int
) -> dict[str, Any] | None:
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        if isinstance(message, dict) and ("result" in message or "error" in message):
            return None  # an answer to something we never ask
        return _error(None, _INVALID_REQUEST, "this is no JSON-RPC request")
    if "id" not in message:
        return None  # notifications need no answer
    number, method = message["id"], message["method"]
    parameters = message.get("params") or {}
    if not isinstance(parameters, dict):
        return _error(number, _INVALID_PARAMS, "params must be an object")
    match method:
        case "initialize":
            asked = parameters.get("protocolVersion")
            result: dict[str, Any] = {
                "protocolVersion": asked if asked in _VERSIONS else _VERSIONS[0],
                "capabilities": {"tools": {"listChanged": False}},
                "serverInfo": {"name": "lymer", "version": __version__},
                "instructions": _INSTRUCTIONS,
            }
        case "ping":
            result = {}
        case "tools/list":
            result = {"tools": [tool.told() for tool in tools.values()]}
        case "tools/call":
            return _called(number, parameters, tools, query, now)
        case _:
            return _error(number, _METHOD_NOT_FOUND, f"there is no method {method[:64]!r}")
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _called(
    number: Any, parameters: dict[str, Any], tools: dict[str, Tool], query: QueryService, now: int
) -> dict[str, Any]:
    tool = tools.get(str(parameters.get("name")))
    if tool is None:
        text = f"there is no tool {str(parameters.get('name'))[:64]!r}"
        return _error(number, _INVALID_PARAMS, text)
    arguments = parameters.get("arguments") or {}
    if not isinstance(arguments, dict):
        return _error(number, _INVALID_PARAMS, "arguments must be an object")
    return {"jsonrpc": "2.0", "id": number, "result": tool_answer(tool, arguments, query, now)}


def tool_answer(
    tool: Tool, arguments: dict[str, Any], query: QueryService, now: int
) -> dict[str, Any]:
    """Return the result of a call; what the store refuses is an error that the assistant reads."""
    try:
        budget = _budget(arguments)
        _check(tool, arguments)
        found = _within(tool.run(query, arguments, now), budget * _BYTES_PER_TOKEN)
    except LymerError as error:
        text = str(error) or "not found"
        return {"content": [{"type": "text", "text": text}], "isError": True}
    text = orjson.dumps(found).decode()
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": found,
        "isError": False,
    }


def _budget(arguments: dict[str, Any]) -> int:
    value = arguments.get("max_tokens", TOKENS_DEFAULT)
    if not isinstance(value, int) or not TOKENS_MIN <= value <= TOKENS_MAX:
        raise QuestionError(f"max_tokens must be from {TOKENS_MIN} to {TOKENS_MAX}")
    return value


def _check(tool: Tool, arguments: dict[str, Any]) -> None:
    """Refuse what the schema does not have, by name."""
    for name in tool.required:
        if name not in arguments:
            raise QuestionError(f"{tool.name} needs the argument {name}")
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool,
             "array": list, "object": dict}  # fmt: skip
    for name, value in arguments.items():
        if name == "max_tokens":
            continue
        if name not in tool.properties:
            known = ", ".join(tool.properties)
            raise QuestionError(f"{tool.name} has no argument {name[:64]!r}; it has {known}")
        wanted = str(tool.properties[name]["type"])
        is_flag = isinstance(value, bool) and wanted != "boolean"
        if is_flag or not isinstance(value, types[wanted]):  # type: ignore[arg-type]
            raise QuestionError(f"{tool.name}: {name} must be of type {wanted}")


def _within(found: dict[str, Any], bytes_max: int) -> dict[str, Any]:
    """Shorten the longest list or text of an answer until it fits, and say how much was left out.

    Outer lists before what is in their entries: of many candidates the first come whole.
    """
    left_out: dict[str, int] = {}
    found = orjson.loads(orjson.dumps(found))  # what is shortened is ours
    while len(orjson.dumps({**found, "left_out": left_out})) > bytes_max:
        places = list(_shortenable(found, ""))
        if not places and not found:
            break
        if not places:  # many small things: the largest goes as a whole
            name = max(found, key=lambda one: len(orjson.dumps(found[one])))
            del found[name]
            left_out[name] = left_out.get(name, 0) + 1
            continue
        _, inside, key, name = max(places, key=lambda one: one[0])
        value = inside[key]
        keep = len(value) * 3 // 4
        left_out[name] = left_out.get(name, 0) + len(value) - keep
        inside[key] = value[:keep]
    return {**found, "left_out": left_out} if left_out else found


def _shortenable(value: Any, path: str) -> Iterator[tuple[int, Any, Any, str]]:
    """Yield what can be shortened: its bytes, what holds it, its key there, the outermost name."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in entries:
        name = path or str(key)
        if isinstance(one, str) and len(one) > _TEXT_MIN:
            yield len(one.encode()), value, key, name
        elif isinstance(one, list | dict):
            inner = list(_shortenable(one, name))
            if isinstance(one, list) and (len(one) > 1 or (one and not inner)):
                yield len(orjson.dumps(one)), value, key, name
            else:
                yield from inner


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
