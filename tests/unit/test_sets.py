"""Sets of films: found as soon as they are made, carried by every point soon after, kept through re-ingests."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.v1 import sets_pb2
from services.core import clusters
from services.core.access import Access
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models, removal, sets
from services.core.filters import Expr, parse, resolve, to_qdrant, to_sql
from services.core.ids import image_id
from services.core.models import ModelSpec
from services.core.sets import renew, settle, store_films
from services.core.store import VectorStore
from services.query.sets_api import SetsApi
from services.query.upkeep import Upkeep
from services.transport.edge import Call
from tests.kit.records import make_record, make_spec, stored, unit_vectors

SPEC = make_spec("sets")
FILMS = [
    make_record(f"film-{n}", ("nih", "demo")[n % 2], {"edema": "present"} if n < 5 else {}, age=float(40 + n))
    for n in range(12)
]
IDS = [film.image_id for film in FILMS]
MAP = "map-sets.parquet"


@pytest.fixture
def archive(facts: Facts, store: VectorStore) -> Facts:
    store.ensure(SPEC)
    models.register(facts, SPEC)
    store_films(facts, store, SPEC, FILMS, unit_vectors(len(FILMS)))
    images.commit(facts, [stored(film, [SPEC]) for film in FILMS])
    return facts


@pytest.fixture
def api(archive: Facts, store: VectorStore, tmp_path: Path) -> SetsApi:
    return SetsApi(archive, Upkeep(archive, store), tmp_path)  # whose thread does not run: tests settle themselves


def found(facts: Facts, store: VectorStore, text: str) -> set[str]:
    """The films that the engine selects, which must be those that SQL does."""
    expr = resolve(parse(text), facts)
    passed = carried(store, expr)
    with facts.read() as db:
        from sqlalchemy import select

        from services.core.facts.schema import images as films

        assert passed == set(db.scalars(select(films.c.image_id).where(to_sql(parse(text))))), text
    return passed


def carried(store: VectorStore, expr: Expr | None, spec: ModelSpec = SPEC) -> set[str]:
    return {film for page in store.ids_in(spec.collection, to_qdrant(expr)) for film in page}


def code_of(call: object) -> ErrorCode:
    with pytest.raises(HilumError) as raised:
        call()  # type: ignore[operator]
    return raised.value.code


def test_a_cohort_is_found_at_once_and_carried_when_settled(
    api: SetsApi, archive: Facts, store: VectorStore
) -> None:  # fmt: skip
    request = sets_pb2.CreateSetRequest(set_id="old", title="older people", filter="age >= 48")
    [made] = api.create_set(request, Call("t")).sets
    assert (made.set_id, made.kind, made.films, made.state) == ("old", "cohort", 4, "writing")
    assert made.filter == "age >= 48"
    assert carried(store, parse('cohort = "old"')) == set()  # no point says so yet
    assert found(archive, store, 'cohort = "old"') == set(IDS[8:])
    assert found(archive, store, 'NOT cohort = "old"') == set(IDS[:8])

    assert settle(archive, store)
    assert resolve(parse('cohort = "old"'), archive) == parse('cohort = "old"')  # nothing to list any more
    assert found(archive, store, 'cohort = "old"') == set(IDS[8:])
    assert [one.state for one in api.list_sets(sets_pb2.ListSetsRequest(), Call("t")).sets] == ["ready"]


def test_a_film_that_is_stored_again_stays_in_its_sets(archive: Facts, store: VectorStore) -> None:
    sets.create(archive, "first", "cohort", "", {}, IDS[:3])
    sets.create(archive, "second", "cohort", "", {}, IDS[2:5])
    settle(archive, store)
    store_films(archive, store, SPEC, FILMS[:4], unit_vectors(4, seed=1))
    images.commit(archive, [stored(film, [SPEC]) for film in FILMS[:4]])
    assert found(archive, store, "cohort = first") == set(IDS[:3])
    assert found(archive, store, "cohort = first AND cohort = second") == {IDS[2]}
    assert found(archive, store, "cohort = first OR cohort = second") == set(IDS[:5])
    assert found(archive, store, "cohort != first") == set(IDS[3:5])  # in a cohort, and not in that one
    assert found(archive, store, "NOT cohort:*") == set(IDS[5:])


def test_a_set_that_is_made_while_its_films_are_being_stored_is_carried(
    archive: Facts, store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment: after the writer has looked which sets there are, and before its points are written."""
    upsert = store.upsert

    def late(*given: object) -> None:
        if not sets.unfinished(archive):
            sets.create(archive, "meanwhile", "cohort", "", {}, IDS[:2])
        upsert(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "upsert", late)
    store_films(archive, store, SPEC, FILMS[:4], unit_vectors(4))
    assert carried(store, parse("cohort = meanwhile")) == set(IDS[:2])


def test_deleting_takes_the_name_from_every_point(api: SetsApi, archive: Facts, store: VectorStore) -> None:
    sets.create(archive, "gone", "cohort", "", {}, IDS[:3])
    sets.create(archive, "kept", "cohort", "", {}, IDS[:3])
    settle(archive, store)
    assert api.delete_set(sets_pb2.DeleteSetRequest(set_id="gone"), Call("t")).sets == 1
    assert code_of(lambda: resolve(parse("cohort = gone"), archive)) is ErrorCode.INVALID_FILTER
    assert found(archive, store, "cohort:*") == set(IDS[:3])  # while points still carry the other name, too
    assert settle(archive, store)
    assert carried(store, parse("cohort = gone")) == set()
    assert found(archive, store, "cohort = kept") == set(IDS[:3])
    assert code_of(lambda: api.delete_set(sets_pb2.DeleteSetRequest(set_id="gone"), Call("t"))) is ErrorCode.NOT_FOUND


def test_an_interrupted_write_is_completed_by_the_next(archive: Facts, store: VectorStore) -> None:
    sets.create(archive, "half", "cohort", "", {}, IDS)
    assert not settle(archive, store, stopped=lambda: True)
    assert found(archive, store, "cohort = half") == set(IDS)
    assert settle(archive, store)
    assert carried(store, parse("cohort = half")) == set(IDS)


def test_the_clusters_of_a_run_become_sets(api: SetsApi, archive: Facts, store: VectorStore, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run = "6d1f3a52-6c0b-4a55-9b60-8d2f5be6b7c1"
    (tmp_path / run).mkdir()
    (tmp_path / run / "manifest.json").write_text("{}")
    table = {"image_id": IDS, "x": [0.0] * 12, "y": [0.0] * 12, "cluster@1": [0, 1, 2] * 4, "cluster@0.5": [0] * 12}
    pq.write_table(pa.table(table), tmp_path / run / MAP)

    asked = sets_pb2.RunClusters(run_id=run, model="sets", resolution=1.0)
    made = api.create_set(sets_pb2.CreateSetRequest(clusters=asked), Call("t")).sets
    assert {one.set_id: one.films for one in made} == {f"{run}/sets/1/{number}": 4 for number in range(3)}
    settle(archive, store)
    assert found(archive, store, f'cluster = "{run}/sets/1/2"') == set(IDS[2::3])
    assert len(list(clusters.read(tmp_path, run))) == 4  # both resolutions
    again = sets_pb2.CreateSetRequest(clusters=asked)
    assert code_of(lambda: api.create_set(again, Call("t"))) is ErrorCode.ALREADY_EXISTS
    assert api.delete_set(sets_pb2.DeleteSetRequest(set_id=run), Call("t")).sets == 3
    settle(archive, store)
    assert carried(store, parse("cluster:*")) == set() and sets.listed(archive) == []
    elsewhere = sets_pb2.CreateSetRequest(clusters=sets_pb2.RunClusters(run_id=IDS[0]))
    assert code_of(lambda: api.create_set(elsewhere, Call("t"))) is ErrorCode.NOT_FOUND


def test_ids_that_no_film_has_are_counted(api: SetsApi) -> None:
    strange = image_id("nowhere", "x")
    request = sets_pb2.CreateSetRequest(set_id="mine", films=sets_pb2.FilmIds(image_ids=[*IDS[:2], strange]))
    answer = api.create_set(request, Call("t"))
    assert (answer.sets[0].films, answer.unknown) == (2, 1)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (sets_pb2.CreateSetRequest(set_id="x"), ErrorCode.INVALID_ARGUMENT),
        (sets_pb2.CreateSetRequest(set_id="a/b", filter=""), ErrorCode.INVALID_ARGUMENT),
        (sets_pb2.CreateSetRequest(set_id="x", filter="age > 900"), ErrorCode.FAILED_PRECONDITION),
        (sets_pb2.CreateSetRequest(set_id="x", filter="age >"), ErrorCode.INVALID_FILTER),
        (sets_pb2.CreateSetRequest(set_id="x", filter="cohort = nothing"), ErrorCode.INVALID_FILTER),
        (sets_pb2.CreateSetRequest(set_id="x", clusters=sets_pb2.RunClusters(run_id="y")), ErrorCode.INVALID_ARGUMENT),
        (sets_pb2.CreateSetRequest(set_id="x", films=sets_pb2.FilmIds(image_ids=["7"])), ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_what_is_no_set_is_refused_and_leaves_nothing(
    api: SetsApi, archive: Facts, request_: sets_pb2.CreateSetRequest, code: ErrorCode
) -> None:
    assert code_of(lambda: api.create_set(request_, Call("t"))) is code
    assert sets.listed(archive) == []


def test_a_restricted_caller_names_and_sees_its_own_films_only(api: SetsApi, archive: Facts) -> None:
    mine = Call("t", access=Access(frozenset({"demo"})))
    sets.create(archive, "all", "cohort", "", {}, IDS)
    sets.create(archive, "theirs", "cohort", "", {}, IDS[0::2])
    api.create_set(sets_pb2.CreateSetRequest(set_id="mine", filter=""), mine)
    listed = {one.set_id: one.films for one in api.list_sets(sets_pb2.ListSetsRequest(), mine).sets}
    assert listed == {"all": 6, "mine": 6}
    assert code_of(lambda: api.delete_set(sets_pb2.DeleteSetRequest(set_id="theirs"), mine)) is ErrorCode.NOT_FOUND
    assert code_of(lambda: api.delete_set(sets_pb2.DeleteSetRequest(set_id="all"), mine)) is ErrorCode.PERMISSION_DENIED


def test_pages_of_sets(api: SetsApi, archive: Facts) -> None:
    for number in range(5):
        sets.create(archive, f"s{number}", "cohort", "", {}, IDS[:1])
    names, token = [], ""
    while True:
        page = api.list_sets(sets_pb2.ListSetsRequest(page_size=2, page_token=token), Call("t"))
        names += [one.set_id for one in page.sets]
        if not (token := page.next_page_token):
            break
    assert names == [f"s{number}" for number in range(5)]


def test_points_of_an_older_form_are_brought_up_to_date(archive: Facts, store: VectorStore) -> None:
    sets.create(archive, "before", "cohort", "", {}, IDS[:2])
    for film in FILMS[:6]:  # as they were written before points said who states what
        store.set_payload(SPEC, film.image_id, {"dataset": film.dataset, "labels": {}, "pixels": film.pixel_sha256})
    assert carried(store, parse("labels.edema.table = present")) == set()
    assert renew(archive, store) == 6
    assert renew(archive, store) == 0
    assert found(archive, store, "labels.edema.table = present") == set(IDS[:5])
    settle(archive, store)
    assert found(archive, store, "cohort = before") == set(IDS[:2])


def test_a_forgotten_film_is_in_no_set_and_no_set_tells_of_it(archive: Facts) -> None:
    sets.create(archive, "s", "cohort", "films of p-somebody", {"filter": 'patient_id = "p-somebody"'}, IDS[:2])
    assert removal.naming_sets(archive, removal.words({"p-somebody"})) == 1
    assert removal.unname(archive, removal.words({"p-somebody"})) == 1
    assert removal.naming_sets(archive, removal.words({"p-somebody"})) == 0
    gone = removal.delete_films(archive, "nih", IDS[:1], [])
    assert gone["members"] == 1
    assert sets.get(archive, "s").films == 1
