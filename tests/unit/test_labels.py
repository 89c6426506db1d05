"""Labels have four states, and a blank is never an absence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.labels import CHEXPERT, NIH, Label, LabelState, label_key, label_state, merge, settle

PRESENT, ABSENT, UNCERTAIN, UNKNOWN = LabelState
LABELS = st.lists(
    st.builds(Label, st.sampled_from(["edema", "mass"]), st.sampled_from(LabelState), st.sampled_from(["a", "b"]))
)


@pytest.mark.parametrize(
    "blank", [None, "", " ", "nan", math.nan, np.float32("nan"), "NaN", "None", "null", "NA", "n/a", "<NA>", "unknown"]
)
def test_blanks_are_unknown_and_never_absent(blank: object) -> None:
    assert label_state(blank) is UNKNOWN


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        (1, PRESENT), (1.0, PRESENT), ("1.0", PRESENT), ("Present", PRESENT), (True, PRESENT), (np.int64(1), PRESENT),
        (0, ABSENT), (0.0, ABSENT), ("absent", ABSENT), (False, ABSENT), (np.float64(0.0), ABSENT),
        (-1, UNCERTAIN), (-1.0, UNCERTAIN), (" uncertain ", UNCERTAIN), (-2, UNKNOWN),
    ],
)  # fmt: skip
def test_cells_of_the_usual_tables_are_read(cell: object, state: LabelState) -> None:
    assert label_state(cell) is state


@pytest.mark.parametrize("cell", ["maybe", "2", 0.5, "-", "Doe^Jane", "0 1"])
def test_what_is_no_state_is_not_guessed(cell: object) -> None:
    assert label_state(cell) is None


def test_one_key_for_each_finding() -> None:
    assert label_key("Pleural Effusion") == label_key("pleural_effusion") == label_key("Effusion") == "pleural_effusion"
    assert label_key(" Enlarged  Cardiomediastinum ") == "enlarged_cardiomediastinum"
    keys = [label_key(name) for name in (*CHEXPERT, *NIH)]
    assert all(label_key(key) == key for key in keys)
    assert len(set(keys)) == len(CHEXPERT) + len(NIH) - 1  # NIH's effusion is CheXpert's


def test_sources_that_agree_keep_their_state_and_others_are_uncertain() -> None:
    said = [Label("edema", PRESENT, "a"), Label("edema", PRESENT, "b"), Label("mass", PRESENT, "a")]
    assert merge([*said, Label("mass", ABSENT, "b")]) == {"edema": PRESENT, "mass": UNCERTAIN}
    assert merge([*said, Label("edema", UNKNOWN, "c")])["edema"] is PRESENT
    assert merge([Label("edema", UNKNOWN)]) == {}


@given(LABELS)
def test_merging_does_not_depend_on_order(labels: list[Label]) -> None:
    assert merge(labels) == merge(labels[::-1])


@given(LABELS)
def test_settling_keeps_what_merging_says_and_leaves_one_statement_per_source(labels: list[Label]) -> None:
    settled = settle(labels)
    assert merge(settled) == merge(labels)
    assert len({(label.name, label.source) for label in settled}) == len(settled)
    assert all(label.state is not UNKNOWN for label in settled)
