"""The layouts that Hilum knows, one module each: `LAYOUT` in it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from services.core.errors import invalid
from services.core.spelling import meant
from services.ingest.sources.files import matching
from services.ingest.sources.layout import Layout

MODULES = {
    "brax": "brax",
    "chexpert": "chexpert",
    "chexpert-plus": "chexpert_plus",
    "emory-cxr": "emory_cxr",
    "emory-datathon": "emory_datathon",
    "mimic-cxr": "mimic_cxr",
    "mimic-cxr-jpg": "mimic_cxr_jpg",
    "nih-cxr14": "nih_cxr14",
    "open-i": "open_i",
    "padchest": "padchest",
    "rsna-pneumonia": "rsna_pneumonia",
    "vindr-cxr": "vindr_cxr",
}


def names() -> list[str]:
    """Of all layouts, in alphabetical order."""
    return sorted(MODULES)


@cache
def named(name: str) -> Layout:
    """Raises INVALID_ARGUMENT naming the layouts there are."""
    if name not in MODULES:
        there = ("auto", "files", "dicom", "ct", *names())
        raise invalid(f"there is no such layout{meant(name, there) or ';'} there are: {', '.join(there)}")
    layout: Layout = import_module(f"services.ingest.sources.layouts.{MODULES[name]}").LAYOUT
    return layout


def recognised(source: Path) -> Layout | None:
    """The layout whose marks are all found below `source`: the one with the most of them; None when there is none."""
    fitting = [layout for layout in map(named, names()) if all(any(matching(source, mark)) for mark in layout.marks)]
    return max(fitting, key=lambda layout: len(layout.marks), default=None)
