"""How far answers can be trusted on this archive, as it was measured."""

from __future__ import annotations

from dataclasses import dataclass

from hilum.v1 import query_pb2


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """What is known of one model's answers; None is not measured.

    recall: mean share of the exact ten nearest films that the index found, over `questions` without a filter that were
    asked again exactly, drawn from those that people asked; filtered_recall: over `filtered_questions` with one.
    least_recall: the worst of any.  hubs_measured: films whose crowding is known.  calibrated: ``film`` and ``words``,
    whose scores have a meaning.
    """

    model: str
    fingerprint: str
    questions: int
    recall: float | None
    filtered_questions: int
    filtered_recall: float | None
    least_recall: float | None
    hubs_measured: int
    calibrated: tuple[str, ...]

    @classmethod
    def of(cls, told: query_pb2.ModelQuality) -> ModelQuality:
        any_asked = told.questions or told.filtered_questions
        return cls(
            told.model, told.fingerprint, told.questions, told.recall if told.questions else None,
            told.filtered_questions, told.filtered_recall if told.filtered_questions else None,
            told.least_recall if any_asked else None, told.hubs_measured, tuple(told.calibrated),
        )  # fmt: skip
