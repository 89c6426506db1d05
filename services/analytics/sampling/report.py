"""The page of a sample: its strata, the weak ones by name, and how like the archive it is."""

from __future__ import annotations

from collections.abc import Sequence

from services.analytics import figure
from services.analytics.estimate import Estimate
from services.analytics.page import Cell, Page
from services.analytics.sampling.asked import EQUAL, SamplingAsked
from services.analytics.sampling.draw import Drawn, Stratum
from services.analytics.sampling.represent import Likeness

FEW = 30  # patients of a stratum below which little can be said of it
_STRATA, _PLOTTED = 60, 30


def weak(strata: Sequence[Stratum]) -> list[tuple[Stratum, str]]:
    """Strata of which little can be said, with the reason."""
    found = []
    for one in strata:
        if one.drawn < one.wanted:
            found.append((one, f"{one.wanted} wanted, {one.drawn} drawn: its patients have no more films to give"))
        elif one.patients < FEW:
            found.append((one, f"{one.patients} patients, fewer than {FEW}"))
    return found


def put(page: Page, asked: SamplingAsked, drawn: Drawn, likeness: Sequence[Likeness], total: int, held: int) -> None:
    """All sections. total: films of the archive that match; held: those that every model holds, drawn from."""
    films = len(drawn.rows)
    page.heading("The draw")
    rules = [
        f"{films:,} films drawn of {held:,} that every model holds, of {total:,} that match.",
        f"Allocation: {'quotas, within them ' if asked.quotas else ''}{asked.allocation}.",
        f"At most {asked.per_patient} films of a patient."
        if asked.per_patient
        else "Any number of films of a patient.",
    ]
    if asked.name:
        rules.append(f'Its films are cohort = "{asked.name}", in every filter and every analysis.')
    page.text(" ".join(rules))
    if asked.allocation == EQUAL or asked.quotas:
        page.text(
            "Strata were not drawn by their share of the archive: shares and means over this sample are not the "
            "archive's, unless films are weighed (column weight of drawn.parquet)."
        )
    _strata(page, drawn.strata)
    _likeness(page, likeness)


def _strata(page: Page, strata: Sequence[Stratum]) -> None:
    page.heading("Strata", "Weight: films of the archive that each drawn film stands for.")
    rows: list[list[Cell]] = [
        [one.name, one.archive, one.wanted, one.drawn, one.patients, one.weight]
        for one in sorted(strata, key=lambda s: -s.archive)[:_STRATA]
    ]
    page.table(("stratum", "to draw from", "wanted", "drawn", "patients", "weight"), rows)
    if len(strata) > _STRATA:
        page.text(f"The {_STRATA} largest of {len(strata):,}; all are in strata.parquet.")
    found = weak(strata)
    page.heading("Weak strata", f"Short of what was wanted, or of fewer than {FEW} patients: claim little of these.")
    if not found:
        page.text("None.")
        return
    page.table(("stratum", "drawn", "why"), [(one.name, one.drawn, why) for one, why in found[:_STRATA]])
    if len(found) > _STRATA:
        page.text(f"{_STRATA} of {len(found):,}.")


def _likeness(page: Page, likeness: Sequence[Likeness]) -> None:
    page.heading(
        "How like the archive",
        "Jensen-Shannon distance of each variable's shares, sample against all films that match, unknown being a "
        "value: 0 is the same, 1 nothing in common. By chance: the mean of plain random draws of as many films. A "
        "variable differs where its distance is above 95 of 100 such draws.",
    )
    rows: list[list[Cell]] = []
    for one in sorted(likeness, key=lambda found: -found.distance.value):
        much, little = one.most(1), one.most(-1)
        rows.append([
            one.variable.name, len(one.variable.values), one.distance, one.chance, "differs" if one.differs else "",
            f"{much[0]}: {much[1]:.3f} → {much[2]:.3f}", f"{little[0]}: {little[1]:.3f} → {little[2]:.3f}",
        ])  # fmt: skip
    page.table(
        ("variable", "values", "distance", "by chance", "", "most too many, archive → sample", "most too few"), rows
    )
    plotted = [
        (one.variable.name, {"sample": one.distance, "a plain random draw": Estimate(one.chance, 0, one.chance_high)})
        for one in sorted(likeness, key=lambda found: -found.distance.value)[:_PLOTTED]
    ]  # fmt: skip
    if plotted:
        page.plot(figure.intervals(plotted, "Jensen-Shannon distance from the archive", at=0.0), "95 % by patient.")
    differing = [one.variable.name for one in likeness if one.differs]
    page.text(
        f"Unlike the archive beyond chance: {', '.join(differing)}." if differing
        else "No variable is unlike the archive beyond chance."
    )  # fmt: skip
