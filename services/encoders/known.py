"""The encoders that Hilum knows how to fetch and use: one file each under ``catalog/``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.spelling import meant

CATALOG = Path(__file__).parent / "catalog"


@dataclass(frozen=True, slots=True)
class Source:
    """Files of a hub repository.

    files: patterns of what is needed and no more.  extra: files of other repositories, ``{repo, file, to}``.
    manual: for what no hub serves: what to do by hand; such a model is only ever added from a folder.
    """

    repo: str = ""
    revision: str = "main"
    files: tuple[str, ...] = ()
    extra: tuple[Mapping[str, str], ...] = ()
    manual: str = ""


@dataclass(frozen=True, slots=True)
class Licence:
    """What the publisher allows. use: ``any``, ``research`` or ``non-commercial``.  access: how to be let in."""

    name: str
    url: str
    use: str = "research"
    gated: bool = False
    access: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """One model of the catalogue. variants: name → options for the family; ``default`` is always there.

    package: the optional extra of Hilum that this model needs.  vector: its shape, for people.
    """

    name: str
    family: str
    summary: str
    text: bool
    doc: str
    source: Source
    licence: Licence
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"default": {}})
    package: str = ""
    vector: str = ""

    def options(self, variant: str = "default") -> Mapping[str, Any]:
        """Raises INVALID_ARGUMENT naming the variants there are."""
        if variant not in self.variants:
            raise invalid(f"{self.name} has no such variant; there are: {', '.join(self.variants)}")
        return self.variants[variant]


def known() -> dict[str, Known]:
    """Name → entry, in alphabetical order."""
    return {entry.name: entry for entry in sorted(map(_read, CATALOG.glob("*.toml")), key=lambda entry: entry.name)}


def named(name: str) -> Known:
    """Raises UNKNOWN_MODEL naming what the catalogue has."""
    entries = known()
    if name not in entries:
        hint = meant(name, entries) or ";"
        raise HilumError(ErrorCode.UNKNOWN_MODEL, f"the catalogue has no such model{hint} it has: {', '.join(entries)}")
    return entries[name]


def index() -> str:
    """The catalogue as the table of ``docs/models/README.md``."""
    rows = ["| Model | Vector | Searches | Licence | Access |", "| --- | --- | --- | --- | --- |"]
    for entry in known().values():
        searches = "films by words, similar cases" if entry.text else "similar cases"
        access = "by hand" if not entry.source.repo else "gated" if entry.licence.gated else "open"
        licence = f"[{entry.licence.name}]({entry.licence.url}) ({entry.licence.use})"
        rows.append(f"| [{entry.name}]({Path(entry.doc).name}) | {entry.vector} | {searches} | {licence} | {access} |")
    return "\n".join(rows)


def _read(path: Path) -> Known:
    entry = tomllib.loads(path.read_text(encoding="utf-8"))
    source, licence = entry.pop("source"), entry.pop("licence")
    return Known(
        **{**entry, "variants": {"default": {}} | entry.get("variants", {})},
        source=Source(**{k: tuple(v) if isinstance(v, list) else v for k, v in source.items()}),
        licence=Licence(**licence),
    )
