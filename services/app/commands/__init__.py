"""One module per command."""

from typing import Annotated

import typer

Data = Annotated[
    str | None, typer.Option("--data", help="Data folder (default: HILUM_DATA, else ~/.local/share/hilum).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Models = Annotated[
    str, typer.Option("--models", "--model", help="Model names, comma-separated (default: all that can).")
]
Where = Annotated[str, typer.Option("--where", help="Filter, e.g. 'view = \"PA\" AND labels.edema = present'.")]


def names(text: str) -> list[str]:
    """``"a, b"`` → ``["a", "b"]``."""
    return [name.strip() for name in text.split(",") if name.strip()]
