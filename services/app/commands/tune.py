"""``hilum models tune``: which way through each network is fastest on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from services.app import local, output
from services.app.commands import Data, Json
from services.core.errors import HilumError


def tune(
    names: Annotated[list[str] | None, typer.Argument(help="Default: every encoder here.")] = None,
    paths: Annotated[
        str, typer.Option(help="Ways to try, comma-separated (default: those that suit the device).")
    ] = "",
    films: Annotated[int, typer.Option(min=2, help="How many phantom films to compare vectors on.")] = 8,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure each encoder's faster paths against plain float32 and use the fastest whose vectors are the same (cosine
    of 0.999 or more on every film). Minutes per encoder; run it while the machine does nothing else."""
    from services.encoders.registry import Registry
    from services.encoders.runtime import set_threads

    with output.errors():
        settings = local.settings(data)
        set_threads(settings.threads)
        told: dict[str, Any] = {}
        for name in names or Registry.open(settings).names():
            try:
                told[name] = _tuned(name, settings, [p for p in paths.split(",") if p], films)
            except HilumError as error:
                if names:
                    raise
                output.err.print(f"{name}: {error.client_message}", markup=False)
        if json:
            output.emit(told)
        else:
            for name, found in told.items():
                rows = [_row(m, found["chosen"]) for m in found["measured"]]
                output.table(f"{name} on {found['device']}", ("path", "films/s", "gain", "cosine", ""), rows)
            output.out.print("A Hilum that runs takes these paths when it is started again.")


def _tuned(name: str, settings: Any, paths: list[str], films: int) -> dict[str, Any]:
    from services.app.models import shelf
    from services.core.errors import ErrorCode
    from services.encoders import tuning
    from services.encoders.device import choose
    from services.encoders.network import TorchEncoder
    from services.encoders.paths import EAGER, candidates

    model = shelf(settings).models.get(name)
    if model is None:
        raise HilumError(ErrorCode.UNKNOWN_MODEL, "no such encoder is installed; see `hilum models list`")
    encoder, device = model.load(), choose(settings.device)
    if not isinstance(encoder, TorchEncoder):
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{name} runs elsewhere; there is nothing to tune here")
    wanted = [path for path in paths or candidates(device) if path != EAGER]  # that one is always measured
    prepared = [encoder.preprocess(film) for film in _phantoms(films)]
    measured = list[tuning.Measured]()
    with output.progress(f"tune {name}") as bar:
        for found in tuning.measure(model.load, device, wanted, prepared):  # type: ignore[arg-type]
            measured.append(found)
            bar(len(measured), len(wanted) + 1, note=found.path)
    chosen, where = tuning.choose(measured), tuning.here(encoder.spec, device)
    tuning.keep(settings.tuned, name, where, chosen)
    return {
        "device": where["device"], "chosen": chosen.path, "here": where,
        "measured": [{**asdict(m), "usable": m.usable} for m in measured],
    }  # fmt: skip


def _row(m: dict[str, Any], chosen: str) -> tuple[object, ...]:
    if m["why_not"]:
        return m["path"], None, None, None, m["why_not"]
    said = "chosen" if m["path"] == chosen else "" if m["usable"] else "other vectors"
    return m["path"], round(m["films_per_second"], 2), round(m["gain"], 2), f"{m['cosine']:.6f}", said


def _phantoms(count: int) -> list[Any]:
    import numpy as np

    from services.core.types import Film
    from services.phantom.film import display, render
    from services.phantom.population import population

    shown = [display(render(film)) for study in population(count, seed=7) for film in study.films]
    return [Film(pixels, pixels.astype(np.uint16) * 257) for pixels in shown]
