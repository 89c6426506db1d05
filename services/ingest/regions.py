"""Where known devices write on their films: those places are made black before anything else sees them.

A rule names a device by parts of Manufacturer and ManufacturerModelName, the film by its Rows, and rectangles in pixels
of the stored film as (left, top, width, height). There is one, the only one for CR and DX in the RSNA Clinical Trial
Processor's library of burned-in annotation (DicomPixelAnonymizer.script, section CR/DR); the many others there are of
ultrasound and CT. A film of an unlisted device passes as it is, so this is no promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from services.core.types import Film


@dataclass(frozen=True, slots=True)
class Rule:
    """One device at one size of film, and the rectangles (left, top, width, height) that it writes in."""

    manufacturer: str
    model: str
    rows: int
    places: tuple[tuple[int, int, int, int], ...]


RULES = (Rule("CANON", "CXDI", 2592, ((0, 0, 2208, 80), (0, 2512, 2208, 80))),)


def blanked(film: Film, elements: Dataset) -> Film:
    """The film with the places black that its device is known to write in; the film itself when there are none."""
    places = [place for rule in RULES if _fits(rule, elements) for place in rule.places]
    if not places:
        return film
    display, full = film.display.copy(), film.full.copy()
    for left, top, width, height in places:
        for pixels in (display, full):
            pixels[top : top + height, left : left + width] = np.uint8(0)
    return Film(display, full)


def _fits(rule: Rule, elements: Dataset) -> bool:
    manufacturer, model = (str(elements.get(k) or "").upper() for k in ("Manufacturer", "ManufacturerModelName"))
    return rule.manufacturer in manufacturer and rule.model in model and elements.get("Rows") == rule.rows
