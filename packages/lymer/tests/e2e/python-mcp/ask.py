"""Ask a Lymer by the protocol's own SDK: `ask.py stdio|http URL PYTHON < calls.json`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


async def _ask(streams: Any, calls: list[list[Any]]) -> dict[str, Any]:
    async with ClientSession(streams[0], streams[1]) as session:
        server = await session.initialize()
        tools = await session.list_tools()
        answers = []
        for name, arguments in calls:
            found = await session.call_tool(name, arguments)
            answers.append([found.is_error, found.content[0].text])
        return {
            "server": server.server_info.name,
            "tools": {tool.name: tool.input_schema for tool in tools.tools},
            "answers": answers,
        }


async def _main(transport: str, url: str) -> None:
    calls = json.load(sys.stdin)
    if transport == "stdio":
        command = StdioServerParameters(
            command=sys.argv[3], args=["-m", "lymer", "mcp", "--url", url]
        )
        async with stdio_client(command) as streams:
            json.dump(await _ask(streams, calls), sys.stdout)
    else:
        async with streamable_http_client(f"{url}/api/ai/mcp/") as streams:
            json.dump(await _ask(streams, calls), sys.stdout)


asyncio.run(_main(sys.argv[1], sys.argv[2]))
