"""Figures of an alignment, for the eye and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.analytics import figure
from services.analytics.align import evaluate
from services.analytics.align.asked import AlignAsked
from services.analytics.align.evaluate import TO_IMAGE, TO_REPORT, Answers
from services.analytics.estimate import Estimate
from services.analytics.figure import Line
from services.analytics.page import Page

Figures = Mapping[tuple[str, str, int], Mapping[str, Mapping[str, Estimate]]]
WAYS = (TO_REPORT, TO_IMAGE)
ABOUT = (
    "A map between an encoder's films and a text space is learned from pairs of a film and its report, and asked on "
    "patients it has never seen: does a film find its own report among all of theirs, and a report its film? "
    "Adversarial maps see no pair. Intervals are by patients, over all splits."
)
_SHOWN = ("recall@1", "recall@5", "recall@10", "median_rank", "shared_findings_map")
_HEADS = ("recall@1", "recall@5", "recall@10", "median rank", "mAP, shared finding")


def figures(answers: Mapping[tuple[str, str, int], list[dict[str, Answers]]], seed: int) -> Figures:
    """(section, method, pairs) → direction → figure → estimate."""
    return {
        key: {way: evaluate.summed([split[way] for split in found], seed) for way in WAYS}
        for key, found in answers.items()
    }


def as_json(
    found: Figures, sizes: Mapping[tuple[str, str, int], int], best: str, text_space: str,
    gallery: Mapping[str, tuple[int, int]],
) -> dict[str, Any]:  # fmt: skip
    """Plain JSON, the rows in the order they were measured."""
    rows = [
        {"section": section, "method": method, "pairs": sizes[section, method, size], "all": size == 0,
         "figures": {way: {name: e.as_json() for name, e in told.items()} for way, told in by_way.items()}}
        for (section, method, size), by_way in found.items()
    ]  # fmt: skip
    chosen = next(row for row in rows if row["method"] == best and row["all"])
    return {
        "text_space": text_space, "best": chosen, "rows": rows,
        "searched_among": {name: {"films": films, "reports": n} for name, (films, n) in gallery.items()},
    }  # fmt: skip


def columns(metrics: Mapping[str, Any]) -> dict[str, list[Any]]:
    """figures.parquet: one row per figure."""
    names = ("model", "section", "method", "pairs", "direction", "figure", "value", "low", "high")
    rows = [
        (model, row["section"], row["method"], row["pairs"], way, name, *estimate.values())
        for model, told in metrics.items()
        for row in told["rows"]
        for way, by_name in row["figures"].items()
        for name, estimate in by_name.items()
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def page(asked: AlignAsked, metrics: Mapping[str, Any], text_space: str) -> Page:
    """Tables and plots of every model."""
    made = Page("Words for image encoders", f"{ABOUT} The text space is that of {text_space}.")
    first = asked.sections[0]
    for model, told in metrics.items():
        rows, best = told["rows"], told["best"]
        among = told["searched_among"][first]
        for way in WAYS:
            made.heading(
                f"{model}: {way}, section {first}",
                f"Among {among['reports']:,} reports and {among['films']:,} films of held-out patients (first split).",
            )
            made.table(
                ("method", "pairs", *_HEADS),
                [(row["method"], _size(row), *_cells(row, way)) for row in rows if row["section"] == first],
            )
            made.plot(_curve([row for row in rows if row["section"] == first], way), "By pairs learned from.")
        if len(asked.sections) > 1:
            made.heading(f"{model}: by section of the report", f"{best['method']}, by pairs learned from.")
            made.table(
                ("section", "direction", *_HEADS),
                [(row["section"], way, *_cells(row, way))
                 for row in rows if row["method"] == best["method"] and row["all"] for way in WAYS],
            )  # fmt: skip
            for way in WAYS:
                chosen = [row for row in rows if row["method"] == best["method"]]
                made.plot(_curve(chosen, way, by="section"), way)
        made.text(
            f"Kept: {best['method']} on {first} from {best['pairs']:,} pairs of the first split, which is the very map "
            f"measured there; it has not seen that split's held-out patients."
        )
    return made


def _size(row: Mapping[str, Any]) -> str:
    return f"{row['pairs']:,}" if row["pairs"] else "none"


def _cells(row: Mapping[str, Any], way: str) -> list[Estimate]:
    return [_estimate(row["figures"][way][name]) for name in _SHOWN]


def _estimate(told: Mapping[str, float | None]) -> Estimate:
    return Estimate(
        *(float("nan") if told[name] is None else float(told[name] or 0) for name in ("value", "low", "high"))
    )


def _curve(rows: list[Any], way: str, by: str = "method") -> Any:
    """recall@10 against pairs; what uses none is a line across."""
    longest = max((row["pairs"] for row in rows), default=0) or 1
    shortest = min((row["pairs"] for row in rows if row["pairs"]), default=1)
    lines = []
    for name in dict.fromkeys(row[by] for row in rows):
        told = [(row["pairs"], _estimate(row["figures"][way]["recall@10"])) for row in rows if row[by] == name]
        across = not any(pairs for pairs, _ in told)
        if across:
            told = [(end, told[0][1]) for end in (shortest, longest)]
        xs, found = zip(*told, strict=True)
        ends = [[getattr(e, end) for e in found] for end in ("value", "low", "high")]
        lines.append(Line(name, xs, ends[0], ends[1], ends[2], dots=not across, dashed=across))
    return figure.lines(lines, "pairs", "recall@10", log_x=longest > shortest, unit=True)
