"""``hilum explain``: where in a stored film a model sees words or another film."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json


def explain(
    id: Annotated[str, typer.Argument(help="A stored film.")],
    text: Annotated[str | None, typer.Option(help="Words, e.g. 'left pleural effusion'.")] = None,
    other: Annotated[str | None, typer.Option("--with", help="Another stored film.")] = None,
    model: Annotated[str, typer.Option(help="A model (default: the first that can answer).")] = "",
    method: Annotated[str, typer.Option(help="hiding, gradient or patches (default: what suits the model).")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the film with its map as a PNG.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show where in a film a model sees words or another film. A map is no explanation of a disease."""
    if (text is None) == (other is None):
        output.fail("give exactly one of --text or --with", output.USAGE)
    with output.errors(), local.client(data) as client:
        found = client.explain(id, text=text, other=other, model=model, method=method)
        written = []
        for place, one in zip(_places(out, len(found.maps)), found.maps, strict=False):
            one.save(place)
            written.append(str(place))
    if json:
        output.emit({**found.to_dict(), "files": written})
        return
    for name, one in zip(("film", "other film"), found.maps, strict=False):
        output.table(name, (), [[_shade(value) for value in row] for row in one.values.tolist()])
    for path in written:
        output.err.print(f"written: {path}", markup=False)
    for note in found.notes:
        output.err.print(f"note: {note}", markup=False)
    used = f"{found.model['name']} {found.model['fingerprint'][:8]} · {found.method}"
    output.err.print(f"{used} · similarity {found.similarity:.3f} · research use only")


def _places(out: Path | None, count: int) -> list[Path]:
    """`out`, and beside it the other film's: ``map.png``, ``map-other.png``."""
    return [] if out is None else [out, out.with_stem(f"{out.stem}-other")][:count]


def _shade(strength: float) -> str:
    """A tenth in one digit, a dot for nothing."""
    return str(min(9, int(strength * 10))) if strength >= 0.1 else "·"
