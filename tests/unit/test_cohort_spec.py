"""Specifications: read strictly, written canonically, the same in YAML, JSON and the contract; texts bounded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.v1 import cohort_pb2
from services.analytics.cohort.spec import Spec, from_text
from services.core.errors import ErrorCode, HilumError

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
WHOLE = """
name: adults
unit: study
criteria:
  - {name: adults, filter: age >= 18 AND view=PA}
  - {exclude: true, level: study, filter: 'labels."Support Devices" = present'}
  - time: {anchor: labels.pneumonia = present, from_day: -30, to_day: 0}
  - similar: {text: right effusion, top: 100}
caps: [{per: patient, most: 1}]
match: {cases: labels.pneumonia = present, exact: [sex], propensity: [age], within: {age: 5}}
sample: {how: target, targets: [{variable: sex, shares: {F: 0.5, M: 0.5}}]}
split: {fractions: {train: 0.7, test: 0.3}}
table1: {variables: [age, sex], by: group}
seed: 3
"""


def test_one_specification_in_every_form() -> None:
    spec = from_text(WHOLE)
    message = json_format.ParseDict(spec.as_json(), cohort_pb2.CohortSpec())
    told = json_format.MessageToDict(message, preserving_proto_field_name=True)
    wordy = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert Spec.parse(told) == Spec.parse(wordy) == Spec.parse(spec.as_json()) == spec
    assert from_text(json_format.MessageToJson(message, preserving_proto_field_name=True)) == spec
    assert spec.criteria[2].time and spec.criteria[2].time.to_day == 0  # which is not the same as none
    assert spec.criteria[1].filter == "labels.support_devices = present"


def test_scalars_are_those_of_yaml_1_2() -> None:
    assert from_text("match: {cases: age > 3, exact: [sex], ratio: 1:2}").match.cases_to_controls == (1, 2)  # type: ignore[union-attr]
    spec = from_text("title: NO\nsample: {how: target, targets: [{variable: sex, shares: {NO: 5e-1, on: .5}}]}")
    assert spec.title == "NO" and spec.sample and spec.sample.targets[0].shares == {"NO": 0.5, "on": 0.5}


def test_the_hash_is_of_what_decides() -> None:
    spec = from_text(WHOLE)
    assert spec.sha256 == from_text(WHOLE.replace("name: adults\n", "name: others\ntitle: x\n", 1)).sha256
    assert spec.sha256 == from_text(WHOLE.replace("age >= 18 AND view=PA", '(age >= 18)   AND view = "PA"')).sha256
    assert spec.sha256 != from_text(WHOLE.replace("seed: 3", "seed: 4")).sha256
    assert spec.sha256 != from_text(WHOLE.replace("age >= 18", "age > 18")).sha256


@pytest.mark.parametrize("text, words", [
    ("a: &x [1]\nb: *x", "aliases"), ("a: 1\na: 2", "twice"), ('{"a": 1, "a": 2}', "twice"), ("[1]", "mapping"),
    ("x", "mapping"), ("", "mapping"), ("a: b: c", "line 1"), ("[" * 5_000, "12 deep"), ("{'a':" * 5_000, "YAML"),
    ('{"a":' + "[" * 100_000, "YAML"), ("!!python/object/apply:os.system ['true']", "YAML"), ("a: !!js x", "YAML"),
    ("criteria: [{filtr: x}]", "did you mean filter"), ("criteria: [{filter: age >> 3}]", r"\[0\]: at position"),
    ("criteria: [{}]", "one test"), ("criteria: [{filter: age > 3, ids: {image_ids: [x]}}]", "UUID"),
    ("name: ../x", "letters, digits"), ("name: 3", "in quotes"), ("seed: yes", "whole number"), ("seed: -1", "seed"),
    ("title: |\n  a\n  b", "one line"), ("unit: film", "unit is"), ("caps: [{most: 1}]", "needs per"),
    ("criteria: [{time: {from_day: 3, to_day: 1}}]", "after to_day"), ("match: {exact: [sex]}", "needs cases"),
    ("split: {fractions: {a: 0.5, b: 0.4}}", "add up to 1"), ("table1: {variables: [age], by: group}", "not matched"),
    ("criteria: [{similar: {text: x}}]", "top"), ("criteria: [{similar: {text: x, search_id: y, top: 1}}]", "one of"),
    ("sample: {how: random}", "size"), ("criteria: 5", "a list"), ("split: [1]", "a mapping"),
])  # fmt: skip
def test_what_is_no_specification_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(HilumError, match=words) as refused:
        from_text(text)
    assert refused.value.code in (ErrorCode.INVALID_ARGUMENT, ErrorCode.INVALID_FILTER)


def test_texts_and_lists_are_bounded() -> None:
    with pytest.raises(HilumError) as large:
        from_text("a" * (16 * 2**20 + 1))
    assert large.value.code is ErrorCode.PAYLOAD_TOO_LARGE
    ids = ["0" * 32] * 200_001
    for many in ({"ids": {"image_ids": ids}}, {"similar": {"image_ids": ids, "top": 1}}):
        with pytest.raises(HilumError, match="at most"):
            Spec.parse({"criteria": [many]})
    with pytest.raises(HilumError, match="at most"):
        Spec.parse({"criteria": [{"filter": "age > 3"}] * 65})


@settings(max_examples=100, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from([*Spec.__dataclass_fields__, "filter", "time", "similar", "text", "fractions", "x"]), inner,
        max_size=5,
    ), max_leaves=20,
))  # fmt: skip
def test_whatever_comes_is_a_specification_or_a_refusal(told: Any) -> None:
    try:
        found = Spec.parse(told)
    except HilumError as refused:
        assert refused.code in (ErrorCode.INVALID_ARGUMENT, ErrorCode.INVALID_FILTER)
    else:
        assert Spec.parse(found.as_json()) == found


@pytest.mark.parametrize("page", ["cohorts.md", "matching.md"])
def test_what_the_guide_shows_is_read(page: str) -> None:
    indented = [line[4:] for line in (GUIDE / page).read_text().splitlines() if line.startswith("    ")]
    shown = "\n".join(line for line in indented if not line.startswith("hilum "))
    shown = shown.replace("[...]", "[00000000-0000-4000-8000-000000000000]")
    found = from_text(shown)
    assert found.criteria or found.match
    assert re.search("filter|cases", shown)
