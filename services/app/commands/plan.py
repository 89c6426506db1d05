"""``hilum plan``: what an archive of so many films would take, before there is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json, names
from services.core.config import Settings
from services.core.errors import HilumError, invalid

if TYPE_CHECKING:
    from services.app import sizing


def plan(
    images: Annotated[int, typer.Option(min=1, help="How many films.")],
    models: Annotated[
        str, typer.Option(help="Model names, comma-separated; NAME:NUMBERS for one that Hilum does not know.")
    ] = "hilum-cxr-clip,hilum-cxr-dino",
    labels: Annotated[float, typer.Option(min=0, help="Findings stated of a film, on average.")] = 6,
    findings: Annotated[int, typer.Option(min=0, help="How many different findings.")] = 14,
    quantisation: Annotated[str, typer.Option(help="int8, as the embedded engine does, or none.")] = "int8",
    facts: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "sqlite",
    device: Annotated[str, typer.Option(help="Where encoders run: cpu or gpu.")] = "cpu",
    cores: Annotated[int, typer.Option(min=1, help="Cores of the machine.")] = 2,
    gpus: Annotated[int, typer.Option(min=1, help="GPUs, each of the rate given.")] = 1,
    images_per_second: Annotated[
        str, typer.Option(help="Your own rates of one GPU, or of all cores: NAME=RATE, comma-separated.")
    ] = "",
    price_hour: Annotated[float | None, typer.Option(min=0, help="Price of a machine's hour.")] = None,
    price_gib_month: Annotated[float | None, typer.Option(min=0, help="Price of a GiB of disk for a month.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Size disk, memory, hours and cost, from formulas checked against measurements (benchmarks/README.md)."""
    from services.app import sizing

    with output.errors():
        choices = {quantisation: ("int8", "none"), facts: ("sqlite", "postgresql"), device: ("cpu", "gpu")}
        for word, known in choices.items():
            if word not in known:
                raise invalid(f"{word} is none of {', '.join(known)}")
        vectors = [_vectors(name, local.settings(data)) for name in names(models)]
        rates = _rates(images_per_second)
        if unasked := rates.keys() - {model.name for model in vectors}:
            raise invalid(f"--images-per-second names models that the plan does not have: {', '.join(sorted(unasked))}")
        parts = sizing.disk(images, vectors, labels, findings, quantisation, facts)
        several = sum(model.bytes(images) for model in vectors if model.tokens > 1)
        least, most = sizing.memory(parts, len(vectors), findings, several)
        hours = {model.name: _hours(images, model.name, rates, device, cores, gpus) for model in vectors}
        around = sizing.around_hours(images, cores)
        known_hours = [found for found in hours.values() if found is not None]
        encoding = sum(known_hours) if len(known_hours) == len(hours) else None
        whole = sizing.together(encoding, around, device) if encoding is not None else None
        told = {
            "images": images,
            "models": {m.name: {"numbers": m.dim, "vectors": m.tokens, "hours": hours[m.name]} for m in vectors},
            "disk": {**parts, "together": sum(parts.values())},
            "atlas_of_one_analysis": sizing.atlas(images, len(vectors)),
            "engine_memory": {"least": least, "everything": most},
            "hours": {"around": around, "together": whole},
            "cost": {
                "hours": whole * price_hour if whole is not None and price_hour is not None else None,
                "disk_a_month": sum(parts.values()) / 2**30 * price_gib_month if price_gib_month is not None else None,
            },
        }
        output.emit(told) if json else _show(told, device)


def _vectors(name: str, settings: Settings) -> sizing.Vectors:
    """NAME:NUMBERS, an encoder at hand, or one of the catalogue."""
    from services.app import sizing
    from services.encoders.known import named
    from services.encoders.registry import Registry

    if stated := re.fullmatch(r"([a-z0-9][a-z0-9-]{0,62}):(\d{1,5})(?:x(\d{1,3}))?", name):
        return sizing.Vectors(stated[1], int(stated[2]), int(stated[3] or 1))
    try:
        if spec := Registry.open(settings).offer(name).spec:
            return sizing.Vectors(name, spec.dim, spec.tokens)
    except HilumError:
        pass
    shape = re.match(r"(?:(\d+) × )?(\d+)", named(name).vector)
    if shape is None:
        raise invalid(f"the size of {name}'s vectors is not known; say it as {name}:NUMBERS")
    return sizing.Vectors(name, int(shape[2]), int(shape[1] or 1))


def _rates(text: str) -> dict[str, float]:
    found = {}
    for pair in names(text):
        name, _, rate = pair.partition("=")
        if not re.fullmatch(r"\d+(\.\d+)?", rate) or float(rate) <= 0:
            raise invalid("--images-per-second is NAME=RATE, as in rad-dino=120")
        found[name] = float(rate)
    return found


def _hours(images: int, name: str, rates: dict[str, float], device: str, cores: int, gpus: int) -> float | None:
    """None where nobody has measured: no rate is guessed."""
    from services.app import sizing

    if name in rates:
        return sizing.encode_hours(images, rates[name] * (gpus if device == "gpu" else 1))
    measured = sizing.RATES.get(name) if device == "cpu" else None
    return sizing.encode_hours(images, measured * cores) if measured else None


def _show(told: dict, device: str) -> None:  # type: ignore[type-arg]
    gib = [(name, f"{size / 2**30:,.2f}") for name, size in told["disk"].items()]
    output.table(f"{told['images']:,} films on disk, GiB", ("part", "GiB"), gib)
    memory = told["engine_memory"]
    output.out.print(
        f"\nengine memory: {memory['least'] / 2**30:,.2f} GiB to search from memory, "
        f"{memory['everything'] / 2**30:,.2f} GiB with everything cached; "
        f"the atlases of one analysis: {told['atlas_of_one_analysis'] / 2**30:,.2f} GiB\n"
    )
    rows = [(name, m["numbers"], m["vectors"], _duration(m["hours"])) for name, m in told["models"].items()]
    output.table("Encoding", ("model", "numbers", "vectors", f"hours on {device}"), rows)
    output.out.print(
        f"reading, decoding, writing: {_duration(told['hours']['around'])} (films of 512 pixels; larger take longer)"
        f"\ntogether, one model after the other: {_duration(told['hours']['together'])}"
    )
    for what, price in told["cost"].items():
        if price is not None:
            output.out.print(f"cost, {what.replace('_', ' ')}: {price:,.2f}")


def _duration(hours: float | None) -> str:
    return "not measured; give --images-per-second" if hours is None else f"{hours:,.2f} h"
