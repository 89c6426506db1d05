"""The options of a search, which several commands take.

@asking
def search(asked: Asked, data: Data = None) -> None: ...    # has --text, --id, --where and all the others
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import numpy as np
import typer
from typer.core import TyperCommand

from hilum import Asked, File, Stored, Words, queries
from hilum.queries import By
from hilum.things import Thing
from services.app import output
from services.app.commands import names
from services.core.errors import invalid

WHAT = "What to look for (one of these)"
AMONG = "Among which films"
ORDER = "In what order"
SHOWN = "How they are shown"

_FILM_FILES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg")


def _option(help: str, panel: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar)


def _options(
    text: Annotated[str | None, _option("Words, e.g. 'large left pleural effusion'.", WHAT)] = None,
    image: Annotated[str | None, _option("A film as a file: DICOM, PNG or JPEG.", WHAT)] = None,
    id: Annotated[str | None, _option("A stored film.", WHAT, "--id")] = None,
    vector: Annotated[str | None, _option("A vector of the one model in --model, as a NumPy file.", WHAT,
                                          metavar="FILE.npy")] = None,
    study: Annotated[str | None, _option("All films of a study.", WHAT, metavar="DATASET/STUDY")] = None,
    report: Annotated[str | None, _option("The words of a stored report.", WHAT, metavar="DATASET/STUDY")] = None,
    region: Annotated[str | None, _option("With --id or --image, the part that counts, in fractions from the top left.",
                                          WHAT, metavar="X,Y,WIDTH,HEIGHT")] = None,
    like: Annotated[list[str] | None, _option("Like this: the id of a stored film, a file, or words; may be given "
                                              "again, and beside one of the others, which it moves.", WHAT,
                                              metavar="THING")] = None,
    unlike: Annotated[list[str] | None, _option("And unlike this; may be given again.", WHAT, metavar="THING")] = None,
    mix: Annotated[list[str] | None, _option("Several things, e.g. '1:FILE' and '-0.5:chest tube'; may be given again.",
                                             WHAT, metavar="WEIGHT:THING")] = None,
    models: Annotated[str, _option("Model names, comma-separated (default: the first that can).", ORDER, "--models",
                                   "--model")] = "",
    where: Annotated[str, _option("Filter, e.g. 'view = \"PA\" AND labels.edema = present'.", AMONG)] = "",
    exclude: Annotated[str | None, _option("Whose films do not count beside the query's own: patient (default), study "
                                           "or none.", AMONG)] = None,
    at_least: Annotated[float | None, _option("Leave out films of lower calibrated probability.", AMONG)] = None,
    mode: Annotated[str | None, _option("nearest (default), typical, atypical, lookalike or disagree.", ORDER)] = None,
    finding: Annotated[str | None, _option("What a mode is about, e.g. pleural_effusion.", ORDER)] = None,
    reading: Annotated[str | None, _option("Of words: understood (default: negation, side, severity, doubt) or plain.",
                                           ORDER)] = None,
    fusion: Annotated[str | None, _option("Of several models: rrf (default), dbsf or weighted.", ORDER)] = None,
    weights: Annotated[str | None, _option("Say of models in the fusion: 'rad-dino=2,biomedclip=0.5'.", ORDER)] = None,
    hubs: Annotated[str | None, _option("Films that are near everything: keep (default), csls or scaling.",
                                        ORDER)] = None,
    diversity: Annotated[float | None, _option("0 (the nearest) to 1 (the most different among the near).",
                                               ORDER)] = None,
    exact: Annotated[bool, _option("Compare with every film instead of the index.", ORDER, "--exact")] = False,
    limit: Annotated[int | None, _option("How many films, or groups (default: 10).", SHOWN)] = None,
    group_by: Annotated[str | None, _option("Together by patient or study.", SHOWN)] = None,
    group_size: Annotated[int | None, _option("Films of a group (default: 3).", SHOWN)] = None,
    per_patient: Annotated[int | None, _option("At most so many films of one patient.", SHOWN)] = None,
    keep_duplicates: Annotated[bool, _option("Show copies of a film singly.", SHOWN, "--keep-duplicates")] = False,
    priors: Annotated[bool, _option("Also the patient's own films, in time order.", SHOWN, "--priors")] = False,
) -> None: ...  # fmt: skip


def changing(command: Callable[..., None]) -> Callable[..., None]:
    """The same without what to look for: the options that change a search."""
    return asking(command, what=False)


def asking(command: Callable[..., None], what: bool = True) -> Callable[..., None]:
    """Give a command the options of a search in place of its parameter `asked`."""
    every = inspect.signature(_options, eval_str=True).parameters
    options = {name: option for name, option in every.items() if what or name not in By.__annotations__}
    own = inspect.signature(command, eval_str=True).parameters

    @functools.wraps(command)
    def run(**given: Any) -> None:
        with output.errors():
            asked = _read({name: given.pop(name) for name in options})
            if what:
                queries.search(**asked)  # raises before anything is started
        command(asked=asked, **given)

    others = [parameter for name, parameter in own.items() if name != "asked"]
    kinds = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*options.values(), *others)]
    run.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in kinds}
    return run


class Panelled(TyperCommand):
    """A command whose help shows its options by what they are for."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            if record := parameter.get_help_record(ctx):
                panels.setdefault(panel, []).append(record)
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl(records)


def thing(text: str) -> Thing:
    """What a person means: the id of a stored film, a file, or words."""
    try:
        return Stored(str(UUID(text)))
    except ValueError:
        pass
    if os.sep in text or text.lower().endswith(_FILM_FILES) or Path(text).is_file():
        return File(text)
    return Words(text)


def _read(said: dict[str, Any]) -> Asked:
    """Options as typed to the arguments of a search; what was not typed is left out. Raises INVALID_ARGUMENT."""
    asked = {name: value for name, value in said.items() if value not in (None, "", [], False)}
    reads: dict[str, Callable[[Any], Any]] = {
        "models": names, "study": _study, "report": _study, "region": _region, "weights": _weights, "mix": _each(_part),
        "like": _each(thing), "unlike": _each(thing), "vector": _vector,
    }  # fmt: skip
    return {name: reads[name](value) if name in reads else value for name, value in asked.items()}  # type: ignore[return-value]


def _each(read: Callable[[str], Any]) -> Callable[[list[str]], list[Any]]:
    return lambda texts: [read(text) for text in texts]


def _vector(path: str) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        raise invalid("cannot read the vector: save it with numpy.save, as numbers") from None


def _study(text: str) -> tuple[str, str]:
    dataset, slash, study = text.partition("/")
    if not slash:
        raise invalid("a study, or its report, is named by its dataset and its id: DATASET/STUDY")
    return dataset, study


def _region(text: str) -> tuple[float, ...]:
    try:
        x, y, width, height = map(float, text.split(","))
    except ValueError:
        raise invalid("a region is four fractions: --region X,Y,WIDTH,HEIGHT") from None
    return x, y, width, height


def _weights(text: str) -> dict[str, float]:
    try:
        return {model: float(weight) for model, weight in (pair.split("=") for pair in names(text))}
    except ValueError:
        raise invalid("weights name models: --weights 'rad-dino=2,biomedclip=0.5'") from None


def _part(text: str) -> tuple[Thing, float]:
    weight, _, rest = text.partition(":")
    try:
        return thing(rest.strip()), float(weight)
    except ValueError:
        raise invalid("a part of a mix has its weight before it: --mix '0.5:pneumothorax'") from None
