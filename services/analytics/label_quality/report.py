"""The report on labels: how far each finding's are doubted, the films to read again, sources, and the experiment."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.analytics import figure, thumbnails
from services.analytics.bench import Bench
from services.analytics.figure import Line
from services.analytics.label_quality import flip, sources
from services.analytics.label_quality.asked import LabelQualityAsked
from services.analytics.page import Page

if TYPE_CHECKING:
    from services.analytics.label_quality.work import Doubted

STATED = ("absent", "present")
ABOUT = (
    "Confident learning (Northcutt et al. 2021, by cleanlab): a logistic regression on vectors says of every film, "
    "from other patients' films alone, how probable the stated label is. A label is suspected when it is contradicted "
    "as surely as films of the other class are usually known. A suspected label is a film to read again, not an error "
    "found: a finding too small for the model, or one read from elsewhere (a lateral film, a CT, the history), is "
    "suspected wrongly. Labels that most patients of a kind have wrong are learned as right, and not suspected. "
    "Uncertain labels, and films on which sources contradict each other, are not judged; silence is not absence."
)


def page(
    bench: Bench[LabelQualityAsked],
    found: Sequence[Doubted],
    suspects: Mapping[str, NDArray[np.int64]],
    by: Mapping[str, Mapping[str, NDArray[np.int8]]],
    flipped: Mapping[str, Sequence[flip.At]],
) -> Page:
    """The whole report."""
    made = Page("Label quality", ABOUT)
    made.heading(
        "How far labels are doubted",
        "AUROC: out of fold, with its interval by patient. Wrong: estimated share of films stated so that are not; of "
        "models whose AUROC is surely above 0.6 alone, as the doubts of others say nothing of labels. A model that is "
        "often wrong overstates it.",
    )
    made.table(
        ("finding", "model", "films", "stated present", "AUROC", "suspected", "present wrong", "absent wrong"),
        [
            (_plain(one.finding), one.model, len(one.rows), int(one.stated.sum()), one.reading.estimate,
             int(one.doubts.suspected.sum()),
             *(one.doubts.wrong(state) if one.able else None for state in (1, 0)))
            for one in sorted(found, key=lambda one: one.finding)
        ],
    )  # fmt: skip
    _sources(made, bench, suspects, {one.finding for one in found if one.able}, by)
    for model, ats in flipped.items():
        _experiment(made, model, bench.asked, ats)
    for finding in suspects:
        able = [one for one in found if one.finding == finding and one.able]
        if able:
            _list(made, bench, able, suspects[finding], by[finding])
        else:
            made.heading(f"To read again: {_plain(finding)}")
            made.text("No list: no model knows this finding (AUROC surely above 0.6), so its doubts say nothing.")
    return made


def who(by: Mapping[str, NDArray[np.int8]], row: int) -> str:
    """The sources that speak of a film."""
    return ", ".join(source for source, codes in by.items() if codes[row] != sources.SILENT)


def _list(
    made: Page,
    bench: Bench[LabelQualityAsked],
    found: Sequence[Doubted],
    suspects: NDArray[np.int64],
    by: Mapping[str, NDArray[np.int8]],
) -> None:
    """Films to read again: those that most models suspect, then the least probable of those contradicted at all."""
    given = np.full((len(found), len(bench.films)), np.nan)
    agree, stated = np.full_like(given, np.nan), np.zeros(len(bench.films), dtype=int)
    for number, one in enumerate(found):
        given[number, one.rows], agree[number, one.rows] = one.doubts.given, one.agree
        stated[one.rows] = one.stated
    given_all = given.mean(axis=0)
    doubtful = np.flatnonzero((suspects > 0) | (given_all < 0.5))
    order = doubtful[np.lexsort((given_all[doubtful], -suspects[doubtful]))][: bench.asked.shown]
    name = _plain(found[0].finding)
    made.heading(f"To read again: {name}", "" if len(order) else "No label is contradicted.")
    if not len(order):
        return
    one_of = f" of {len(found)}" if len(found) > 1 else ""
    made.table(
        ("film", "stated", "by", *(f"P(stated), {one.model}" for one in found),
         *(f"neighbours agree, {one.model}" for one in found), f"models that suspect it{one_of}"),
        [
            (bench.films.ids[row], STATED[stated[row]], who(by, row), *map(float, given[:, row]),
             *map(float, agree[:, row]), int(suspects[row]))
            for row in order
        ],
    )  # fmt: skip
    pictures = thumbnails.thumbnails(bench.facts, bench.blobs, [bench.films.ids[row] for row in order], bench.progress)
    made.pictures([
        (f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}",
         f"{name} {STATED[stated[row]]}, P {np.nanmean(given[:, row]):.2f}")
        for picture, row in zip(pictures, order, strict=True)
        if picture
    ])  # fmt: skip


def _sources(
    made: Page,
    bench: Bench[LabelQualityAsked],
    suspects: Mapping[str, NDArray[np.int64]],
    able: Collection[str],
    by: Mapping[str, Mapping[str, NDArray[np.int8]]],
) -> None:
    rows = []
    for finding in sorted(able):
        doubted = suspects[finding]
        judged = np.isin(bench.films.labels[finding], (0, 1))
        for source, codes in by[finding].items():
            here = judged & np.isin(codes, (0, 1))
            if here.any():
                rows.append((_plain(finding), source, int(here.sum()), float((doubted[here] > 0).mean())))
    made.heading(
        "Whose labels", "Share of each source's labels that at least one model that knows the finding suspects."
    )
    made.table(("finding", "source", "films", "suspected"), rows)
    parted = [
        one
        for finding in suspects
        for one in sources.partings(finding, dict(by[finding]), bench.films.patients, bench.asked.seed)
    ]
    if parted:
        made.table(
            ("finding", "source", "other source", "films of both", "contradict each other", "κ"),
            [(_plain(p.finding), p.one, p.other, p.films, p.apart, p.kappa) for p in parted],
            title="Where sources contradict each other",
        )
    else:
        made.text("No two sources speak of the same films, so nothing is known of how they agree.")


def _experiment(made: Page, model: str, asked: LabelQualityAsked, ats: Sequence[flip.At]) -> None:
    made.heading(
        f"If {_plain(asked.flip)} were mislabelled: {model}",
        f"At each rate all films of so many patients get the opposite label, {asked.repeats} times over; intervals are "
        "Student's over these repeats, and say nothing of other patients. What is stated is taken for the truth, so "
        "labels already wrong are counted as right. The probe learns from wrong labels and is tested on the true ones. "
        "Vectors, and so clusters and answers, stay as they are: purity, AMI and nDCG by the labels are what one would "
        "measure; the rarer a finding, the more wrong labels add to what is relevant, which raises nDCG by chance. "
        "precision@n: of the n least probable labels, n as many as are wrong, the share that is; recall and "
        "precision: of the labels that are suspected.",
    )
    rates = [at.rate for at in ats]
    for shown, caption in (
        ((flip.PROBE, flip.RIGHT, flip.MEASURED, flip.TRUE), "What wrong labels do to a probe and to retrieval."),
        ((flip.PURITY, flip.ADJUSTED), "What they do to clusters."),
        ((flip.AT, flip.RECALL, flip.PRECISION), "How many of them are found."),
    ):
        found = [at for at in ats if at.found[shown[0]].known]
        made.table(
            ("mislabelled", "films", *shown),
            [(f"{at.rate:.0%}", round(at.films), *(at.found[m] for m in shown)) for at in found],
            title=f"{model}: {caption[0].lower()}{caption[1:-1]}",
        )
        lines = [
            Line(m, rates, [at.found[m].value for at in ats], [at.found[m].low for at in ats],
                 [at.found[m].high for at in ats], dots=True, dashed=m == flip.TRUE)
            for m in shown
        ]  # fmt: skip
        made.plot(figure.lines(lines, "share of patients mislabelled", "measure", unit=True), caption)


def _plain(name: str) -> str:
    return name.replace("_", " ")
