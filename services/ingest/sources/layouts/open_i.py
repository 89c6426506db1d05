"""Open-i, the Indiana University collection: 7,470 films of 3,955 reports, one XML each.

Findings are the MeSH headings that readers coded (``Opacity/lung/upper lobe/right`` gives opacity); what is not coded
is unknown. Views stand in no report: they come from the film's header or stay unknown. Demner-Fushman et al. 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from services.ingest.sources.files import matching
from services.ingest.sources.layout import Layout, Listed, Made, Told, stem

_LARGEST = 2**20
_SECTIONS = ("COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION")
_NORMAL = "normal"


def _reports(folder: Path) -> Iterator[dict[str, str | None]]:
    """One row per film: its report's id, the coded findings joined by ``|``, and the sections."""
    for path in sorted(matching(folder, "**/*.xml")):
        if path.stat().st_size > _LARGEST:
            continue
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError:
            continue
        report = root.find("uId")
        if report is None or not (study := report.get("id")):
            continue
        sections = {
            element.get("Label", ""): "".join(element.itertext()).strip() for element in root.iter("AbstractText")
        }
        majors = [(element.text or "").split("/")[0].strip() for element in root.iterfind("MeSH/major")]
        findings = "|".join(dict.fromkeys("No Finding" if m == _NORMAL else m for m in majors if m))
        films = [film.get("id") for film in root.iter("parentImage")] or [None]
        for film in films:
            yield {"film": film, "study": study, "coded": findings, **{n: sections.get(n, "") for n in _SECTIONS}}


LAYOUT = Layout(
    name="open-i",
    title="Open-i (Indiana University)",
    terms="CC BY-NC-ND 4.0",
    films=(".png", ".dcm"),
    marks=("**/ecgen-radiology/*.xml",),
    tables={"reports": Made(_reports, ("film", "study", "coded", *_SECTIONS))},
    joined="reports",
    select={"key": "film", "study_id": "study", "patient_id": "study"},
    key=stem,
    labels=(Listed("nullif(coded, '')", "mesh", level="study"),),
    reports=Told("reports", "study", {name.lower(): name for name in _SECTIONS}
    ),
    constants={"licence": "CC BY-NC-ND 4.0", "attribution": "Indiana University; Open-i, U.S. National Library of "
               "Medicine"},
)  # fmt: skip
