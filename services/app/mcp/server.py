"""The server: tools over a client, told apart from every way to write.

build(ReadingClient(endpoint)).run("stdio")
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from hilum import HilumError
from services.app.mcp.answers import NOTE
from services.app.mcp.reading import ReadingClient
from services.app.mcp.tools import Tools
from services.app.version import VERSION
from services.core.logs import get_logger

log = get_logger("mcp")
_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_NAMES = ("search", "why_not", "facets", "image", "models", "list_runs", "run", "cohorts")
_INSTRUCTIONS = (
    "An archive of chest X-rays with embeddings. Start with facets and models to learn what is there, then search. "
    "Cite image_id, model and filter with what you report, and say when nothing comparable was found. " + NOTE
)


def build(client: ReadingClient, pictures: bool = True) -> MCPServer[Any]:
    """A server whose tools only read. pictures: let assistants see thumbnails."""
    server: MCPServer[Any] = MCPServer("hilum", version=VERSION, instructions=_INSTRUCTIONS, log_level="CRITICAL")
    tools = Tools(client, pictures)
    for name in _NAMES:
        structured = name != "image"  # which is a record beside a picture
        server.add_tool(_safe(getattr(tools, name)), name=name, annotations=_READS, structured_output=structured)
    return server


def _safe(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Our own errors say what to do; of any other an assistant hears nothing but that it was one."""

    @functools.wraps(tool)
    def run(**given: Any) -> Any:
        try:
            return tool(**given)
        except HilumError as error:
            raise ToolError(str(error)) from None
        except Exception as error:
            log.exception("mcp.failed", error, method=tool.__name__)
            raise ToolError("something failed on our side; the operator's log has more") from None

    return run
