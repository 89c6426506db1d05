"""``hilum mcp``: the archive for assistants, over stdio."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data


def mcp(
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Let assistants see the films' small pictures.")
    ] = True,
    data: Data = None,
) -> None:
    """Serve search, counts, films, maps and cohorts to assistants (Model Context Protocol, stdio); they can only read.

    What an assistant reads goes to whoever runs its model: connect none to films that may not leave.
    """
    try:
        from services.app.mcp.reading import ReadingClient
        from services.app.mcp.server import build
    except ImportError:
        output.fail("the MCP SDK is not installed: pip install 'hilum[mcp]'")
    with output.errors(), local.client(data) as client, ReadingClient(client.endpoint) as reading:
        build(reading, pictures).run("stdio")
