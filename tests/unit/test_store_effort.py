"""Which filters may take away the films around a question, and which only leave out a few of them."""

from __future__ import annotations

import pytest

from services.core.filters import parse, to_qdrant
from services.core.store.effort import EF, EF_FILTERED, ef

ID = "8e2163bd-aeee-5f9c-87a8-3f9ec60cc55e"


@pytest.mark.parametrize(
    "text",
    [
        "", f"NOT image_id = {ID}", "NOT patient_id = a", "NOT (dataset = nih AND patient_id = a)",
        f"NOT image_id = {ID} AND NOT (dataset = nih AND (patient_id = a OR patient_id = b))",
        "NOT (dataset = nih AND study_id = s)",
    ],
)  # fmt: skip
def test_leaving_out_a_few_films_costs_nothing(text: str) -> None:
    assert ef(10, to_qdrant(parse(text))) == EF
    assert ef(500, to_qdrant(parse(text))) == 500


@pytest.mark.parametrize(
    "text",
    [
        "view = PA", "NOT view = PA", "patient_id = a", f"image_id = {ID}", "dataset = nih AND NOT patient_id = a",
        "NOT patient_id = a OR view = PA", "NOT (dataset = nih OR patient_id = a)", "NOT labels.edema:*", "age > 3",
        "NOT (view = PA AND NOT patient_id = a)", "view != PA",
    ],
)  # fmt: skip
def test_any_other_filter_is_walked_farther(text: str) -> None:
    assert ef(10, to_qdrant(parse(text))) == EF_FILTERED
