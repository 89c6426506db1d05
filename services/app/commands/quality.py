"""``hilum quality``: how far each model's answers can be trusted on this archive."""

from __future__ import annotations

from dataclasses import asdict

from services.app import local, output
from services.app.commands import Data, Json


def quality(data: Data = None, json: Json = False) -> None:
    """Recall of each model's index, sampled from questions as they come and held against exact search; what is known of
    hubs, and of what scores mean."""
    with output.errors(), local.client(data) as client:
        found = client.quality()
    if json:
        output.emit([asdict(one) for one in found])
        return
    rows = [
        (
            one.model, _share(one.recall, one.questions), _share(one.filtered_recall, one.filtered_questions),
            "" if one.least_recall is None else f"{one.least_recall:.1f}",
            f"{one.hubs_measured:,} films" if one.hubs_measured else "not measured: hilum analyze hubs",
            ", ".join(one.calibrated) or "not calibrated: hilum analyze calibrate",
        )
        for one in found
    ]  # fmt: skip
    output.table("", ("model", "recall@10", "with a filter", "least", "hubs", "scores mean something for"), rows)


def _share(recall: float | None, questions: int) -> str:
    return "not sampled yet" if recall is None else f"{recall:.4f} of {questions:,} questions"
