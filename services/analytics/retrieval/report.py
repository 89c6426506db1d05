"""An evaluation in tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import figure
from services.analytics.estimate import Estimate
from services.analytics.figure import Line
from services.analytics.page import Page
from services.analytics.resample import means
from services.analytics.retrieval.asked import RetrievalAsked
from services.analytics.retrieval.rankings import RANDOM, Scores

_ABOUT = {
    "findings": "Each film asks; films of its own patient are left out of the answer. A film is relevant when it "
    "shares a finding with the one that asks, and counts for as much as they share. Films of which nothing is stated "
    "on those findings are taken out of the answer before measuring.",
    "view": "Each film asks; films of its own patient are left out of the answer. Relevant are films of the same view.",
    "marks": "The films and the words of saved searches ask; relevant is what people marked so, by grade, as reader "
    "studies keep it. Words are read as they stand, and ask where all the models read words. Films that nobody marked "
    "are taken out of the answer before measuring.",
    "patient": "Each film of a patient with several asks; relevant are the patient's other films, among everybody's.",
}


@dataclass
class Group:
    """Some queries of one question. kind: "" for all, by (one finding or view), of (a subgroup of those who ask).
    inside: (Q,) which of the scores' queries; all when None."""

    kind: str
    name: str
    scores: Scores
    people: NDArray[np.int32]
    inside: NDArray[np.bool_] | None = None
    estimates: dict[str, dict[str, Estimate]] = field(default_factory=dict)  # retriever → measure → figure

    @property
    def retrievers(self) -> list[str]:
        return list(next(iter(self.scores.values.values())))

    @property
    def patients(self) -> NDArray[np.int32]:
        return self.people if self.inside is None else self.people[self.inside]

    def values(self, measure: str, retriever: str) -> NDArray[np.float64]:
        return self._mine(self.scores.values[measure][retriever])

    def chance(self, measure: str) -> float:
        """What a retriever of random films is expected to get."""
        found = self._mine(self.scores.chance[measure])
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    def measure(self, seed: int) -> None:
        """Work out every figure with its interval."""
        measures = list(self.scores.values)
        for retriever in self.retrievers:
            values = np.stack([self.values(measure, retriever) for measure in measures], axis=1)
            self.estimates[retriever] = dict(zip(measures, means(values, self.patients, seed), strict=True))

    def _mine(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values if self.inside is None else values[self.inside]


def headlines(depths: Sequence[int]) -> list[str]:
    """The three measures to look at first: nDCG at the deepest, mAP in between, precision at the top."""
    return [f"nDCG@{depths[-1]}", f"mAP@{depths[len(depths) // 2]}", f"P@{depths[0]}"]


def page(
    asked: RetrievalAsked,
    groups: Sequence[Group],
    tests: Mapping[str, Mapping[str, Any]],
    headline: Sequence[str],
    words: int = 0,
) -> Page:
    """The whole report. words: so many of those who asked."""
    whole, deepest = groups[0], asked.depths[-1]
    page = Page(f"Retrieval by {asked.relevance}", _ABOUT[asked.relevance])
    page.heading(
        "All queries",
        f"{len(whole.patients) - words:,} films of {len(np.unique(whole.patients)) - words:,} patients"
        f"{f' and {words:,} questions in words' if words else ''} asked. mAP@k is over the "
        "relevant films there is room for among k; nDCG counts shared findings, its binary form any of them. The last "
        "row is what a retriever of random films is expected to get.",
    )
    measures = list(dict.fromkeys([*headline, f"nDCG binary@{deepest}", f"mAP@{deepest}", f"recall@{deepest}"]))
    rows = [(name, *(whole.estimates[name][m] for m in measures)) for name in whole.retrievers if name != RANDOM]
    page.table(("retriever", *measures), [*rows, ("by chance", *(whole.chance(m) for m in measures))])
    shown = [(name, {headline[0]: whole.estimates[name][headline[0]]}) for name in whole.retrievers if name != RANDOM]
    page.plot(figure.intervals(shown, headline[0], at=whole.chance(headline[0])), "Dashed: by chance.")
    if len(asked.depths) > 1:
        curves = [_curve(whole, name, asked.depths) for name in whole.retrievers if name != RANDOM and ", " not in name]
        page.plot(figure.lines(curves, "k", "nDCG@k"), "By depth.")
    _tests(page, tests)
    _table(page, f"By {asked.relevance.rstrip('s')}", [g for g in groups if g.kind == "by"], headline)
    _table(page, "By subgroup of the films that ask", [g for g in groups if g.kind == "of"], headline)
    return page


def _curve(whole: Group, name: str, depths: Sequence[int]) -> Line:
    found = [whole.estimates[name][f"nDCG@{k}"] for k in depths]
    return Line(name, depths, [e.value for e in found], [e.low for e in found], [e.high for e in found], dots=True)


def _tests(page: Page, tests: Mapping[str, Mapping[str, Any]]) -> None:
    page.heading(
        "Compared",
        "The difference on the same films with its interval; a t-test of patients' mean differences, and a "
        "randomisation test that swaps the two retrievers patient by patient (10,000 times, so that 0.0001 is the "
        "least there can be). The difference weighs films alike, the tests patients.",
    )
    rows = [
        (f"{name} − {other}", measure, test["difference"], test["t"], _p(test["p_t"]), _p(test["p_permutation"]))
        for name, by in tests.items()
        for other, measures in by.items()
        for measure, test in measures.items()
    ]
    page.table(("retrievers", "measure", "difference", "t", "p (t-test)", "p (randomisation)"), rows)


def _table(page: Page, title: str, groups: Sequence[Group], headline: Sequence[str]) -> None:
    if not groups:
        return
    page.heading(title, "With many rows, some differences are there by chance alone.")
    rows = [
        (
            group.name.replace("_", " "), name, len(group.patients), len(np.unique(group.patients)),
            *(cell for m in headline for cell in (group.estimates[name][m], group.chance(m))),
        )
        for group in groups
        for name in group.retrievers
        if name != RANDOM
    ]  # fmt: skip
    columns = ("", "retriever", "films ask", "patients", *(c for m in headline for c in (m, "by chance")))
    page.table(columns, rows)
    plain = [name for name in groups[0].retrievers if name != RANDOM and ", " not in name]
    shown = [(g.name.replace("_", " "), {name: g.estimates[name][headline[0]] for name in plain}) for g in groups]
    page.plot(figure.intervals(shown, headline[0]))


def columns(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """figures.parquet: every figure, one row each."""
    table: dict[str, list[Any]] = {
        name: []
        for name in ("group", "name", "retriever", "measure", "value", "low", "high", "chance", "films", "patients")
    }
    for group in groups:
        people = len(np.unique(group.patients))
        for retriever, found in group.estimates.items():
            for measure, e in found.items():
                row = (group.kind or "all", group.name, retriever, measure, e.value, e.low, e.high,
                       group.chance(measure), len(group.patients), people)  # fmt: skip
                for name, value in zip(table, row, strict=True):
                    table[name].append(value)
    return table


def plain(value: Any) -> Any:
    """An entry of a test as JSON."""
    return value.as_json() if isinstance(value, Estimate) else value


def _p(value: float | None) -> str | None:
    return None if value is None else f"{value:.1e}" if value < 0.001 else f"{value:.3f}"
