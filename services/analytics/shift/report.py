"""The report on shift: axes, sets of films, clusters, shortcuts, and an axis taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from services.analytics import figure
from services.analytics.agreement import Agreement
from services.analytics.estimate import Estimate
from services.analytics.page import Page
from services.analytics.shift.asked import ShiftAsked
from services.analytics.shift.axes import TITLES, Axis
from services.analytics.shift.removal import Cost
from services.analytics.shift.shortcuts import STRONG, SURE

if TYPE_CHECKING:
    from services.analytics.shift.work import Found

ABOUT = (
    "What else than findings do vectors tell? AUROC: of a logistic regression that never saw the patient, each value "
    "against the rest, the mean over values; 0.5 is chance. Intervals draw patients again. That an axis is read says "
    "that it is in the vectors, not that any use of them leans on it; and that it is not read says so of straight "
    "lines on these films alone. Where sets of films differ, it may be by their patients or findings as "
    "well as their machines."
)
SHOWN = 12  # pairs of a finding and an axis, of each model


def write(page: Page, asked: ShiftAsked, known: Sequence[Axis], found: Sequence[Found]) -> None:
    """Put everything on the page."""
    _axes(page, known, found)
    _pairs(page, found)
    _mixed(page, found)
    _shortcuts(page, found)
    for one in found:
        _removal(page, one)
    if all(one.removal is None for one in found):
        page.text("No axis was taken out: none was asked for, or none of the place or machine is surely read.")


def _axes(page: Page, known: Sequence[Axis], found: Sequence[Found]) -> None:
    page.heading(
        "What can be read",
        "From neighbours: the share of pairs of near films of different patients with the same value, less that of all "
        "pairs. p: of an AUROC so high by chance, learned from one half of the patients (one film of each) and tested "
        "on the other, by permutation, Holm's among all axes.",
    )
    if not known:
        page.text("No axis has two values of enough patients.")
        return
    page.table(
        ("axis", "model", "values", "films", "AUROC", "neighbours over chance", "p"),
        [
            (read.axis.title, one.model, len(read.axis.values), len(read.axis.rows), read.reading.estimate,
             _lift(read.near), _p(read.p))
            for number in range(len(known)) for one in found for read in [one.read[number]]
        ],
    )  # fmt: skip
    page.plot(
        figure.intervals(
            [(axis.title, {one.model: one.read[n].reading.estimate for one in found}) for n, axis in enumerate(known)],
            "AUROC from vectors",
            at=0.5,
        )
    )
    for axis in known:
        rare = f"; {axis.rare} films of rarer values left out" if axis.rare else ""
        page.text(f"{axis.title}: {', '.join(axis.values)}{rare}.")


def _pairs(page: Page, found: Sequence[Found]) -> None:
    page.heading(
        "Set against set",
        "Two-sample tests on one film of each patient, at most 2,000. Classifier: AUROC on the half it did not learn "
        "from (Lopez-Paz & Oquab 2017). MMD²: unbiased, radial kernel, median distance (Gretton et al. 2012). Each p "
        "by permutation, not corrected for how many pairs there are.",
    )
    rows = [
        (f"{pair.one} | {pair.other}", one.model, *pair.films, pair.tested.value, _p(pair.tested.p),
         f"{pair.mmd.value:.2g}", _p(pair.mmd.p))
        for one in found for pair in one.pairs
    ]  # fmt: skip
    if rows:
        page.table(("sets", "model", "films", "films of the other", "AUROC", "p", "MMD²", "p of MMD"), rows)
    else:
        page.text("There is one dataset only, and no two filters were named.")


def _mixed(page: Page, found: Sequence[Found]) -> None:
    for name in dict.fromkeys(name for one in found for name in one.mixed):
        page.heading(
            f"Do clusters mix {TITLES.get(name, name)}s?",
            "Entropy of its values in each Leiden cluster over that of all films: 1 is mixed as the whole is, above 1 "
            "more evenly, 0 one value alone. Expected: with values dealt anew among the films, one of each patient; p: "
            "of so little.",
        )
        for one in found:
            axis = next(read.axis for read in one.read if read.axis.name == name)
            page.table(
                ("cluster", "films", "entropy", "expected", "lowest 2.5 %", "p", "commonest", "its share"),
                [
                    (str(m.cluster), m.films, m.entropy, m.expected, m.low, _p(m.p), axis.values[m.most], m.share)
                    for m in one.mixed[name]
                ],
                title=one.model,
            )


def _shortcuts(page: Page, found: Sequence[Found]) -> None:
    page.heading(
        "Shortcuts",
        f"A finding is named when it goes together with an axis (Cramér's V ≥ {STRONG}, p < {SURE} by Holm, one film "
        "of each patient), vectors tell the axis, and the axis alone tells the finding: its probe may then be "
        "reading the axis. Within: AUROC of the probe among films of one value only, which the axis cannot help; "
        "where it holds, the finding is read as well. An association can be real: the sick are filmed in bed.",
    )
    for one in found:
        named = [s for s in one.shortcuts if s.warned]
        shown = one.shortcuts[: max(len(named), SHOWN)]
        page.text(
            f"{one.model}: "
            + ("; ".join(f"{_plain(s.finding)} by {TITLES.get(s.axis, s.axis)}" for s in named) or "none")
        )
        page.table(
            ("finding", "axis", "films", "V", "p", "finding from vectors", "within the axis", "finding from the axis",
             "axis from vectors", "warning"),
            [
                (_plain(s.finding), TITLES.get(s.axis, s.axis), s.films, s.v, _p(s.p), s.probe.estimate, s.within,
                 s.alone.estimate, s.read.estimate, "shortcut" if s.warned else "")
                for s in shown
            ],
            title=one.model,
        )  # fmt: skip
        if len(shown) < len(one.shortcuts):
            page.text(f"{len(one.shortcuts) - len(shown)} further pairs go together less.")


def _removal(page: Page, one: Found) -> None:
    taken = one.removal
    if taken is None:
        return
    title = TITLES.get(taken.name, taken.name)
    page.heading(
        f"{title} taken out of {one.model}",
        "By LEACE (Belrose et al. 2023): of all linear changes after which no straight line tells the axis on the "
        f"films it was learned from, the smallest. Measured on {taken.films:,} films whose {title} is known. Probes: "
        "learned without the films they are tested on, the eraser too. nDCG@10 and neighbours: the eraser is learned "
        "from all films. What a curved boundary tells stays. Changes are paired: after − before over the same "
        "patients.",
    )
    columns = ("", "films", "before", "after", "change")
    page.table(columns, [_row(taken.axis, title)], title="AUROC of the axis")
    page.table(
        ("", "before", "after"),
        [(f"{title}: neighbours over chance", _lift(taken.near), _lift(taken.near_after))],
        title="Neighbours",
    )
    if taken.probes:
        page.table(columns, [_row(c, _plain(c.name)) for c in taken.probes], title="AUROC of findings")
        page.table(columns, [_row(c, _plain(c.name)) for c in taken.answers], title="nDCG@10 of findings")
        page.plot(
            figure.intervals(
                [
                    (_plain(p.name), {"probe AUROC": p.change, "nDCG@10": a.change})
                    for p, a in zip(taken.probes, taken.answers, strict=True)
                ],
                f"change by taking {title} out",
                at=0.0,
            )
        )


def as_json(one: Found) -> dict[str, Any]:
    """The model's figures."""
    return {
        "axes": {
            r.axis.name: {
                "values": r.axis.values, "films": len(r.axis.rows), "auroc": r.reading.estimate.as_json(), "p": r.p,
                "p_uncorrected": r.tested.p, "neighbours": r.near.as_json() if r.near else None,
            }
            for r in one.read
        },
        "pairs": [
            {"one": p.one, "other": p.other, "films": list(p.films), "auroc": p.tested.value, "p": p.tested.p,
             "mmd2": p.mmd.value, "p_mmd": p.mmd.p}
            for p in one.pairs
        ],
        "mixing": {name: [vars(m) for m in ms] for name, ms in one.mixed.items()},
        "shortcuts": [
            {"finding": s.finding, "axis": s.axis, "films": s.films, "v": s.v, "p": s.p,
             "auroc": s.probe.estimate.as_json(), "within": s.within if np.isfinite(s.within) else None,
             "from_axis": s.alone.estimate.as_json(), "warned": s.warned}
            for s in one.shortcuts
        ],
        "removal": None if one.removal is None else {
            "axis": one.removal.name, "auroc": _json(one.removal.axis),
            "neighbours_lift": [n.lift if n else None for n in (one.removal.near, one.removal.near_after)],
            "auroc_of": {c.name: _json(c) for c in one.removal.probes},
            "ndcg_of": {c.name: _json(c) for c in one.removal.answers},
        },
    }  # fmt: skip


def table(found: Sequence[Found]) -> dict[str, Any]:
    """axes.parquet: one row for each model and axis."""
    rows = [(one.model, read) for one in found for read in one.read]
    return {
        "model": [model for model, _ in rows],
        "axis": [r.axis.name for _, r in rows],
        "films": [len(r.axis.rows) for _, r in rows],
        "auroc": [r.reading.value for _, r in rows],
        "auroc_low": [r.reading.estimate.low for _, r in rows],
        "auroc_high": [r.reading.estimate.high for _, r in rows],
        "purity_over_chance": [r.near.lift if r.near else None for _, r in rows],
        "p": [r.p for _, r in rows],
    }


def _json(cost: Cost) -> dict[str, Any]:
    return {name: getattr(cost, name).as_json() for name in ("before", "after", "change")}


def _row(cost: Cost, name: str) -> tuple[str, int, Estimate, Estimate, Estimate]:
    return name, cost.films, cost.before, cost.after, cost.change


def _lift(found: Agreement | None) -> Estimate | None:
    return Estimate(found.lift, found.lift_low, found.lift_high) if found else None


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _plain(name: str) -> str:
    return name.replace("_", " ")
