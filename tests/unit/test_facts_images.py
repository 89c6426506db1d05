"""Films, labels, reports and the ledger in SQL: written whole, written again without harm, read back the same."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models, runs
from services.core.facts.schema import images as films
from services.core.facts.schema import labels
from services.core.filters import parse, to_sql
from services.core.labels import Box, Label, LabelState
from services.core.types import Report
from tests.kit.records import make_record, make_spec, stored

pytestmark = pytest.mark.databases

TINY, OTHER = make_spec(), make_spec("other")
RECORD = make_record(
    patient_id="p-1", study_id="s-1", view="PA", sex="F", age=61.5, study_date="2180-05-06", modality="DX",
    licence="CC0", attribution="nobody", labels={"edema": "present", "mass": "uncertain"},
)  # fmt: skip


def count(facts: Facts, table: object) -> int:
    with facts.read() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


def test_a_film_is_read_back_as_it_was_written(facts: Facts) -> None:
    images.commit(facts, [stored(RECORD, [TINY])])
    assert images.get(facts, [RECORD.image_id, make_record("other").image_id]) == {RECORD.image_id: RECORD}
    assert images.get_held(facts, [RECORD.image_id]) == {RECORD.image_id: (RECORD, {TINY.fingerprint})}
    assert images.thumbnails(facts, [RECORD.image_id]) == {RECORD.image_id: "0" * 64}
    assert images.by_bytes(facts, "demo", [RECORD.bytes_sha256]) == {RECORD.bytes_sha256: [RECORD.image_id]}
    assert images.by_bytes(facts, "elsewhere", [RECORD.bytes_sha256]) == {}
    assert images.studies(facts, "demo") == {"s-1"}


def test_boxes_are_those_of_their_films_whichever_are_read_together(facts: Facts) -> None:
    boxed = [make_record(f"boxed-{n}", boxes=tuple(Box("nodule", n, m, 5, 5) for m in range(n))) for n in (1, 2)]
    plain = make_record("plain")
    images.commit(facts, [stored(record) for record in (*boxed, plain)])
    for together in ([plain], boxed, [plain, *boxed], boxed[1:]):
        assert images.get(facts, [one.image_id for one in together]) == {one.image_id: one for one in together}


def test_committing_again_changes_nothing(facts: Facts) -> None:
    for _ in range(3):
        images.commit(facts, [stored(RECORD, [TINY])])
    assert (count(facts, films), count(facts, labels)) == (1, 2)
    assert images.get(facts, [RECORD.image_id]) == {RECORD.image_id: RECORD}
    assert images.ledger(facts, [RECORD.image_id]) == {RECORD.image_id: {TINY.fingerprint}}


def test_a_changed_film_replaces_its_facts_and_keeps_its_encoders(facts: Facts) -> None:
    images.commit(facts, [stored(RECORD, [TINY])])
    changed = make_record(view="AP", labels={"edema": "absent"})
    images.commit(facts, [stored(changed, [OTHER])])
    assert images.get(facts, [RECORD.image_id]) == {RECORD.image_id: changed}
    assert images.ledger(facts, [RECORD.image_id]) == {RECORD.image_id: {TINY.fingerprint, OTHER.fingerprint}}
    assert images.count_by_model(facts) == {TINY.fingerprint: 1, OTHER.fingerprint: 1}


def test_of_the_same_film_twice_in_one_batch_the_last_counts(facts: Facts) -> None:
    images.commit(facts, [stored(RECORD), stored(make_record(labels={"nodule": "present"}))])
    assert images.get(facts, [RECORD.image_id])[RECORD.image_id].labels == (Label("nodule", LabelState.PRESENT),)


def test_unknown_is_no_row_and_a_source_that_contradicts_itself_is_uncertain(facts: Facts) -> None:
    said = [
        Label("edema", LabelState.UNKNOWN), Label("mass", LabelState.PRESENT), Label("mass", LabelState.ABSENT),
        Label("mass", LabelState.ABSENT, "report"),
    ]  # fmt: skip
    record = make_record(labels=said)
    images.commit(facts, [stored(record)])
    assert set(images.get(facts, [record.image_id])[record.image_id].labels) == {
        Label("mass", LabelState.UNCERTAIN, "table"), Label("mass", LabelState.ABSENT, "report")
    }  # fmt: skip


def test_a_batch_is_committed_whole_or_not_at_all(facts: Facts) -> None:
    broken = make_record("film-2", view=object())
    with pytest.raises(Exception, match=r"not supported|cannot adapt"):
        images.commit(facts, [stored(RECORD), stored(broken)])
    assert count(facts, films) == 0


def test_an_error_of_the_database_does_not_quote_values(facts: Facts) -> None:
    with pytest.raises(Exception, match=r"not supported|cannot adapt") as failed:
        images.commit(facts, [stored(make_record(patient_id="Doe^Jane", view=object()))])
    assert "Doe" not in str(failed.value)


def test_more_films_than_a_statement_takes_variables(facts: Facts) -> None:
    records = [make_record(f"film-{n}", labels={"edema": "present"}) for n in range(1_201)]
    images.commit(facts, [stored(record, [TINY]) for record in records])
    ids = [record.image_id for record in records]
    assert images.get(facts, ids) == {record.image_id: record for record in records}
    assert len(images.ledger(facts, ids)) == len(images.thumbnails(facts, ids)) == 1_201
    assert images.ids_of(facts) == images.ids_of(facts, TINY.fingerprint) == set(ids)
    assert images.ids_of(facts, OTHER.fingerprint) == set()


def test_pages_follow_each_other_without_gap_or_overlap(facts: Facts) -> None:
    records = [make_record(f"film-{n}", view="PA" if n % 3 else "AP") for n in range(50)]
    images.commit(facts, [stored(record) for record in records])
    query = select(films.c.image_id).where(to_sql(parse("view = PA")))
    seen: list[str] = []
    while page := images.page(facts, query, seen[-1] if seen else "", 7):
        seen += [record.image_id for record in page]
    assert seen == sorted(record.image_id for record in records if record.view == "PA")


def test_report_sections_are_replaced(facts: Facts) -> None:
    images.save_reports(facts, [])
    images.save_reports(facts, [Report("demo", "s-1", "findings", "old"), Report("demo", "s-1", "impression", "none")])
    images.save_reports(facts, [Report("demo", "s-1", "findings", "new")])
    assert images.reports_of(facts, "demo", "s-1") == {"findings": "new", "impression": "none"}
    assert images.reports_of(facts, "other", "s-1") == {}


def test_one_fingerprint_answers_for_a_name(facts: Facts) -> None:
    newer = make_spec(revision="2")
    for spec in (TINY, OTHER, newer):
        models.register(facts, spec)
    assert models.active(facts) == {"other": OTHER, "tiny": newer}
    models.register(facts, TINY)
    assert models.named(facts, "tiny") == TINY
    with pytest.raises(HilumError) as refused:
        models.named(facts, "nobody")
    assert refused.value.code is ErrorCode.UNKNOWN_MODEL
    assert "other" in refused.value.client_message and "nobody" not in refused.value.client_message


def test_runs_are_saved_over_and_listed_newest_first(facts: Facts) -> None:
    for number in range(5):
        runs.save(facts, f"run-{number}", "job", "running", {"n": number}, {})
    runs.save(facts, "run-2", "job", "done", {"n": 2}, {"tiny": {"recall": 0.5}})
    assert runs.get(facts, "run-2").metrics == {"tiny": {"recall": 0.5}}
    first = runs.recent(facts, size=2)
    rest = runs.recent(facts, before=f"{first[-1].created_at}/{first[-1].run_id}")
    assert [run.run_id for run in first + rest] == [f"run-{n}" for n in (4, 3, 2, 1, 0)]
    with pytest.raises(HilumError) as refused:
        runs.get(facts, "run-9")
    assert refused.value.code is ErrorCode.NOT_FOUND
