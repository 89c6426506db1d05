"""Sections of a cohort's page: matching and balance, the draw to a target, table 1, the split and its audit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.analytics import figure
from services.analytics.cohort.balance import LIMIT, Balance, worst
from services.analytics.cohort.leakage import CAUTIONS, Audit
from services.analytics.cohort.matching import Matched
from services.analytics.cohort.sampling import UNKNOWN, Met
from services.analytics.cohort.splitting import Split
from services.analytics.cohort.table1 import PLURAL, Figures, Table1
from services.analytics.estimate import Estimate
from services.analytics.page import Cell, Page
from services.core.filters.fields import LABELS

_PLOTTED, _SHARES, _STRATA = 40, 60, 80


def table_one(page: Page, table: Table1) -> None:
    """Numbers as mean (SD) and median [quartiles], values as n (% of those known)."""
    page.heading(
        "Table 1",
        "Each variable is counted by what it is of: patients, studies or images. Numbers are mean (SD); median "
        "[quartiles]; values are n (% of those where it is known). Of several films of a patient the age is that at "
        "the first; “contradictory” are those of whom films say several things.",
    )
    rows: list[list[Cell]] = [
        [PLURAL[unit], "", *(f"{size[PLURAL[unit]]:,}" for size in table.sizes)]
        for unit in ("image", "study", "patient")
    ]
    last = None
    for place, line in enumerate(table.lines):
        fresh = line.variable != last
        last = line.variable
        if fresh and line.value:
            rows.append([_spoken(line.variable), PLURAL[line.unit], *("" for _ in table.groups)])
        name = f"\u2003{line.value}" if line.value else _spoken(line.variable)
        unit = "" if line.value else PLURAL[line.unit]
        if line.value or any(cell.known for cell in line.cells):
            rows.append([name, unit, *(_told(cell) for cell in line.cells)])
        elif fresh:
            rows.append([name, unit, *("" for _ in table.groups)])
        if place + 1 == len(table.lines) or table.lines[place + 1].variable != line.variable:
            rows.append(["\u2003missing", "", *(_share(cell.missing, cell.of) for cell in line.cells)])
    page.table(("", "counted in", *table.groups), rows)


def _told(cell: Figures) -> str:
    if cell.count is not None:
        return _share(cell.count, cell.known)
    if cell.mean is None:
        return "–"
    sd = "–" if cell.sd is None else f"{cell.sd:.1f}"
    return f"{cell.mean:.1f} ({sd}); {cell.median:.4g} [{cell.first_quartile:.4g}, {cell.third_quartile:.4g}]"


def _share(count: int, of: int) -> str:
    return f"{count:,} ({100 * count / of:.1f}%)" if of else f"{count:,} (–)"


def matching(page: Page, matched: Matched, cases: int, asked: str, unit: str = "image") -> None:
    """Who is matched and who is not. cases: before matching.  asked: the rules in words."""
    page.heading("Matched controls", asked)
    units = PLURAL[unit]
    found, pairs = len(matched.cases), len(matched.case)
    page.text(
        f"{found:,} of {cases:,} cases have controls: {pairs:,} pairs, {len(matched.controls):,} different controls of "
        f"{len(matched.pool):,} possible ones ({units}). {matched.of_cases_patients:,} could be none as they are of a "
        f"case's patient, {matched.incomplete:,} as something is unknown. The assignment is {matched.how}."
    )
    far = matched.distance
    if pairs and far.max() > 0:
        middle, high = np.quantile(far, (0.5, 0.95)).tolist()
        page.text(f"Distance of a pair: median {middle:.3g}, 95 % below {high:.3g}, at most {far.max():.3g}.")
    rows: list[list[Cell]] = [[why, len(left)] for why, left in matched.unmatched.items()]
    rows += [["has fewer controls than were wanted", len(matched.short)]] if len(matched.short) else []
    if rows:
        page.table(("cases without a control, and why", "cases"), rows)


def balance(page: Page, lines: Sequence[Balance]) -> None:
    """The table, and the plot named after T. E. Love."""
    most = worst(lines)
    verdict = f"every difference is below {LIMIT}" if most < LIMIT else f"the largest difference left is {most:.3f}"
    page.heading(
        "Balance",
        f"Standardised mean differences of cases and controls: after matching {verdict}. Their denominators are those "
        "before matching, so that only means move; controls of one case weigh together as much as the case. Beyond "
        f"{LIMIT} a difference is worth a word. The ratio is of variances, cases over controls.",
    )
    # Of a variable of many values its own difference, not each value's.
    many = {one.variable for one in lines if not one.value and np.isnan(one.cases)}
    shown = [one for one in lines if not one.value or one.variable not in many or one.value == UNKNOWN]
    ordered = sorted(shown, key=lambda one: -abs(np.nan_to_num(one.difference)))[:_PLOTTED]
    dots = [
        (_called(one), {"before": _dot(one.difference), "after matching": _dot(one.difference_matched)})
        for one in ordered
    ]
    page.plot(figure.intervals(dots, "absolute standardised mean difference", at=LIMIT), "Love plot.")
    page.table(
        ("", "cases", "controls", "difference", "ratio", "cases, matched", "controls, matched", "difference", "ratio"),
        [
            [_called(one), one.cases, one.controls, one.difference, one.ratio, one.cases_matched, one.controls_matched,
             one.difference_matched, one.ratio_matched]
            for one in lines
        ],
    )  # fmt: skip


def _called(one: Balance) -> str:
    return f"{_spoken(one.variable)}: {one.value}" if one.value else _spoken(one.variable)


def _spoken(variable: str) -> str:
    """labels.pleural_effusion.nlp: pleural effusion (nlp)."""
    if not variable.startswith(LABELS):
        return variable.replace("_", " ")
    finding, _, source = variable.removeprefix(LABELS).partition(".")
    return finding.replace("_", " ") + (f" ({source})" if source else "")


def _dot(difference: float) -> Estimate:
    far = abs(difference)
    return Estimate(far, far, far)


def target(page: Page, met: Met, unit: str = "image") -> None:
    """Shares wanted, there were, and drawn."""
    units, drawn = PLURAL[unit], len(met.drawn.rows)
    asked = f"{met.asked:,} were asked for; " if met.asked else ""
    page.heading(
        "Drawn to a target",
        f"{drawn:,} {units} drawn; {asked}{met.possible:,} is the most "
        "that can have these shares. Jensen-Shannon distance from the target: 0 is the same, 1 nothing in common.",
    )
    if met.lacking:
        page.text(f"Of {met.lacking:.1%} of the target there is nothing to draw; the rest keeps its proportions.")
    page.table(
        ("target", "distance before", "distance of the sample"), [[one.name, *one.distances] for one in met.reached]
    )
    rows: list[list[Cell]] = [
        [f"{one.name}: {value}", *(float(shares[place]) for shares in (one.target, one.before, one.after))]
        for one in met.reached
        for place, value in enumerate(one.values)
        if one.target[place] or one.before[place]
    ]
    page.table(("", "wanted", "before", "sample"), rows[:_SHARES])
    if len(rows) > _SHARES:
        page.text(f"The first {_SHARES} of {len(rows):,}.")


def split(page: Page, made: Split) -> None:
    """The parts, and every stratum in each."""
    page.heading(
        "Split",
        f"{made.groups:,} groups of films that belong together (the largest has {made.largest:,} films) are dealt out "
        "whole, greedily: the largest first, each to the part that it brings nearest to its shares.",
    )
    films, total = made.films, max(len(made.part), 1)
    rows: list[list[Cell]] = [
        [name, int(films[place]), f"{made.fractions[place]:.1%}", f"{films[place] / total:.2%}"]
        for place, name in enumerate(made.names)
    ]
    page.table(("part", "films", "wanted", "has"), rows)
    if made.strata:
        shares: list[list[Cell]] = [
            [f"{_spoken(one.variable)}: {one.value}", int(one.films.sum()),
             *(_share(int(n), int(all_)) for n, all_ in zip(one.films, films, strict=True))]
            for one in made.strata[:_STRATA]
        ]  # fmt: skip
        page.table(("stratum", "films", *made.names), shares, "Shares of strata in each part")


def audit(page: Page, found: Audit) -> None:
    """What parts share; and those that the datasets came with."""
    page.heading("Leakage audit", f"What two parts have in common. {_verdict(found)}")
    _audit(page, found)
    if found.theirs:
        page.heading(
            "The datasets' own split",
            f"What the parts share that the datasets came with, of these films. {_verdict(found.theirs)}",
        )
        _audit(page, found.theirs)


def _verdict(found: Audit) -> str:
    return f"It leaks: {', '.join(one.kind for one in found.leaks)}." if found.leaks else "Nothing leaks."


def _audit(page: Page, found: Audit) -> None:
    rows: list[list[Cell]] = [
        [one.kind, one.looked, one.groups, one.films,
         "; ".join(f"{a} and {b}: {count:,}" for (a, b), count in one.between.items() if count) or "none",
         "leaks" if one.leaks else CAUTIONS.get(one.kind, "") if one.groups else ""]
        for one in found.shared
    ]  # fmt: skip
    page.table(("shared", "films that say so", "groups in several parts", "films of these", "between", ""), rows)
