"""The filter language: what it says, what it refuses and how, and that no text can harm the reader."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.core.errors import ErrorCode, HilumError
from services.core.filters import (
    And,
    Compare,
    Expr,
    Not,
    Operator,
    Or,
    Present,
    all_of,
    any_of,
    describe,
    equals,
    not_,
    one_of,
    parse,
    present,
    to_qdrant,
    to_sql,
)
from services.core.limits import MAX_FILTER_CHARS, MAX_FILTER_CONDITIONS, MAX_FILTER_DEPTH
from tests.kit.filters import expressions

PA = Compare("view", Operator.EQ, "PA")
OLD = Compare("age", Operator.GE, 40.0)
EDEMA = Compare("labels.edema", Operator.EQ, "present")
NIH = Compare("dataset", Operator.EQ, "nih")


def refusal(text: str) -> str:
    with pytest.raises(HilumError) as refused:
        parse(text)
    assert refused.value.code is ErrorCode.INVALID_FILTER
    return refused.value.client_message


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (
            'view = "PA" AND age >= 40 AND labels.edema = present AND NOT dataset = "nih"',
            And((PA, OLD, EDEMA, Not(NIH))),
        ),
        ("view=PA", PA), ("view = 'pa'", PA), ("view:PA", PA), ("(view = PA)", PA), ("((view:PA))", PA),
        ("-view=PA", Not(PA)), ("NOT view=PA", Not(PA)), ("NOT NOT view=PA", Not(Not(PA))), ("--view=PA", Not(Not(PA))),
        ("NOT (view=PA OR age>=40)", Not(Or((PA, OLD)))),
        ("age>=4e1", OLD), ('age >= "40"', OLD), ("age > -5", Compare("age", Operator.GT, -5.0)),
        ("view:*", Present("view")), ("labels.edema:*", Present("labels.edema")),
        ("labels:edema", Present("labels.edema")), ('labels:"Pleural Effusion"', Present("labels.pleural_effusion")),
        ("labels.edema:present", EDEMA), ("labels.Edema = PRESENT", EDEMA), ("labels . edema = present", EDEMA),
        ('labels."Pleural Effusion" != absent', Compare("labels.pleural_effusion", Operator.NE, "absent")),
        ("labels.effusion = unknown", Compare("labels.pleural_effusion", Operator.EQ, "unknown")),
        ("labels.edema.CheXpert = present", Compare("labels.edema.chexpert", Operator.EQ, "present")),
        ('labels."Pleural Effusion"."a b.c":*', Present("labels.pleural_effusion.a b.c")),
        ("side.sdoh.income >= 3", Compare("side.sdoh.income", Operator.GE, 3.0)),
        ('side.sdoh."Median Income ($)" = "3"', Compare("side.sdoh.median_income", Operator.EQ, "3")),
        ("side.sdoh.seen < 2020-01-31", Compare("side.sdoh.seen", Operator.LT, "2020-01-31")),
        ("side.sdoh.state: GA", Compare("side.sdoh.state", Operator.EQ, "GA")),
        ("cohort = mine", Compare("cohort", Operator.EQ, "mine")), ("NOT report:*", Not(Present("report"))),
        ('cluster = "6d1f/clip/0.5/3"', Compare("cluster", Operator.EQ, "6d1f/clip/0.5/3")),
        ("age_binned = YES", Compare("age_binned", Operator.EQ, "yes")),
        ("study_date < 2020-02-29", Compare("study_date", Operator.LT, "2020-02-29")),
        ("dataset = nih-cxr14", Compare("dataset", Operator.EQ, "nih-cxr14")),
        (r'dataset = "a\"b\\c"', Compare("dataset", Operator.EQ, 'a"b\\c')),
        (r"dataset = 'it\'s'", Compare("dataset", Operator.EQ, "it's")),
        ('dataset = "AND"', Compare("dataset", Operator.EQ, "AND")),
        ("dataset = NOTHING", Compare("dataset", Operator.EQ, "NOTHING")),
        ("dataset = é", Compare("dataset", Operator.EQ, "é")),
        (
            "image_id = 8E2163BDAEEE5F9C87A83F9EC60CC55E",
            Compare("image_id", Operator.EQ, "8e2163bd-aeee-5f9c-87a8-3f9ec60cc55e"),
        ),
    ],
)  # fmt: skip
def test_what_a_filter_says(text: str, meant: Expr) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_nothing_is_everything(text: str) -> None:
    assert parse(text) is None
    assert describe(None) == ""
    assert to_qdrant(None) is None
    assert str(to_sql(None)) == "true"


def test_or_binds_tighter_than_and_as_the_aip_has_it() -> None:
    assert parse("view=PA AND age>=40 OR dataset=nih") == And((PA, Or((OLD, NIH))))
    assert parse("view=PA OR age>=40 AND dataset=nih") == And((Or((PA, OLD)), NIH))
    assert parse("(view=PA AND age>=40) OR dataset=nih") == Or((And((PA, OLD)), NIH))
    assert parse("NOT view=PA OR age>=40") == Or((Not(PA), OLD))


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("vieww = PA", 1, "no such field; did you mean view? fields are dataset"),
        ("View = PA", 1, "did you mean view?"),
        ("label.edema = present", 1, "did you mean labels?"),
        ("a = 1", 1, "dataset, patient_id, study_id, image_id, view, sex, modality, age, study_date, split"),
        ("view = PAA", 8, "one of PA, AP, LATERAL; did you mean PA?"),
        ("sex = female", 7, "one of M, F, O"),
        ("labels.edema = presnt", 16, "did you mean present?"),
        ("labels = edema", 1, "labels.edema = present"),
        ('labels."!" = present', 1, "letters or digits"),
        ("labels. = present", 9, "name of a finding"),
        ('labels.edema."" = present', 1, "a source's name"),
        ("labels.edema.a.b = present", 15, "one of = !="),
        ("side = 3", 1, "side.sdoh.income >= 3"),
        ("side.sdoh = 3", 1, "a side table and its column"),
        ("side.sdoh.state < GA", 19, "a number or a date"),
        ('side.sdoh.state = ""', 19, "NOT side.sdoh.state:*"),
        ("cohort > a", 10, "= or != only"),
        ("report = yes", 10, "searched by words"),
        ("view = PA and age > 3", 11, "written in capitals"),
        ("view = PA age > 3", 11, "expected AND, OR or the end"),
        ("(view = PA", 11, "expected AND, OR, )"),
        ("view = PA)", 10, "expected AND, OR or the end"),
        ("view = ", 8, "expected a value"),
        ("view = AND age > 3", 8, "AND, OR and NOT stand in quotes"),
        ("view PA", 6, "one of = != < <= > >= :"),
        ("view == PA", 7, "expected a value"),
        ('view = "PA', 8, "quote left open"),
        ('dataset = "a\\n"', 11, "quotes and backslashes"),
        ("view < PA", 8, "= or != only"),
        ("view = *", 8, "view:*"),
        ("age > old", 7, "a number"),
        ("age > 1e999", 7, "finite"),
        ("age > nan", 7, "a number"),
        ("age > ٣", 7, "a number"),
        ("study_date > 2020", 14, "2020-01-31"),
        ("study_date > 2021-02-29", 14, "2020-01-31"),
        ('dataset = ""', 11, "NOT dataset:*"),
        ("image_id = 7", 12, "UUID"),
        ("NOT", 4, "a condition"),
        ("view = PA AND", 14, "a condition"),
        ("AND", 1, "a condition"),
        ("PA", 3, "one of = !="),
        ("view = \x00PA", 8, "cannot stand in a filter"),
        ("view = \ud800", 8, "cannot stand in a filter"),
    ],
)  # fmt: skip
def test_refusals_say_where_and_what_to_do(text: str, position: int, said: str) -> None:
    message = refusal(text)
    assert message.startswith(f"at position {position}: ")
    assert said in message


@pytest.mark.parametrize(
    "text",
    [
        "patient_id > ZZCANARY", "patientid = ZZCANARY", "view = ZZCANARY", "age = ZZCANARY", "study_date = ZZCANARY",
        "image_id = ZZCANARY", "ZZCANARY = 1", 'view = "ZZCANARY', "patient_id = p ZZCANARY", "labels.x = ZZCANARY",
        "labels.x > ZZCANARY", "labels = ZZCANARY", "patient_id = ZZCANARY)", "ZZCANARY", "view.ZZCANARY = 1",
    ],
)  # fmt: skip
def test_a_refusal_never_repeats_what_was_typed(text: str) -> None:
    assert "CANARY" not in refusal(text).upper()


@given(expressions())
@settings(max_examples=300)
def test_a_described_filter_reads_back_as_the_same(expr: Expr) -> None:
    assert parse(describe(expr)) == expr


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_any_printable_value_survives_quoting(value: str) -> None:
    expr = equals("patient_id", value)
    assert parse(describe(expr)) == expr


WORDS = ["view", "age", "labels.", "edema", "PA", "40", "AND", "OR", "NOT", "-", "(", ")", "=", "!=", "<", ":", "*", '"', "'", "\\", " ", "\0", "é", "\ud800", "2020-01-01"]  # fmt: skip  # noqa: E501


@given(st.text(st.characters(codec=None)) | st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
@settings(max_examples=500)
@example("view = PA\u2028AND age > 3")
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    try:
        expr = parse(text)
    except HilumError as refused:
        assert refused.code is ErrorCode.INVALID_FILTER
    else:
        to_qdrant(expr)
        str(to_sql(expr).compile())
        assert parse(describe(expr)) == expr


@pytest.mark.parametrize(
    "bomb",
    [
        "(" * 8_000,
        "(" * 3_990 + "view=PA" + ")" * 3_990,
        "-" * 7_990 + "view=PA",
        "NOT " * 1_990 + "view=PA",
        "NOT (" * (MAX_FILTER_DEPTH) + "view=PA" + ")" * (MAX_FILTER_DEPTH),
        " AND ".join(["age=1"] * (MAX_FILTER_CONDITIONS + 1)),
        " OR ".join(["age=1"] * (MAX_FILTER_CONDITIONS + 1)),
        "view = PA" + " " * MAX_FILTER_CHARS,
        '"' * 8_000,
        "labels." * 1_100,
    ],
)
def test_bombs_are_refused(bomb: str) -> None:
    if bomb.startswith("((") and "view" in bomb:  # parentheses alone make no tree: however many, it is one condition
        assert parse(bomb) == PA
    else:
        refusal(bomb)


def test_the_largest_filters_compile() -> None:
    widest = parse(" OR ".join(f'patient_id="p{n}" AND age>{n}' for n in range(MAX_FILTER_CONDITIONS // 2)))
    deepest = parse("NOT " * (MAX_FILTER_DEPTH - 1) + "view=PA")
    for expr in (widest, deepest):
        assert to_qdrant(expr) is not None
        assert str(to_sql(expr).compile())
        assert parse(describe(expr)) == expr


def test_trees_are_put_together_by_hand_too() -> None:
    assert all_of() is None and all_of(None) is None
    assert all_of(None, PA) == PA
    assert all_of(parse("view=PA AND age>=40"), None, not_(NIH)) == And((PA, OLD, Not(NIH)))
    assert any_of(PA) == PA and any_of(PA, OLD) == Or((PA, OLD))
    assert equals("labels.Edema", "present") == EDEMA
    assert one_of("dataset", ["nih"]) == NIH
    assert present("labels.Edema") == Present("labels.edema")


@pytest.mark.parametrize(("field", "value"), [("nobody", "x"), ("view", "XX"), ("patient_id", ""), ("age", "x")])
def test_a_tree_made_by_hand_is_checked_like_text(field: str, value: str) -> None:
    with pytest.raises(HilumError) as refused:
        equals(field, value)
    assert refused.value.code is ErrorCode.INVALID_FILTER


def test_many_values_of_one_field_become_one_condition() -> None:
    many = one_of("patient_id", [f"p{n}" for n in range(5_000)])
    compiled = to_qdrant(many)
    assert compiled is not None and len(compiled.must) == 1  # type: ignore[arg-type]
    assert " IN " in str(to_sql(many)) and " OR " not in str(to_sql(many))
