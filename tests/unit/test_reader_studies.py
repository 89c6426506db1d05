"""A reader study from its sets to its figures, through the client, on an archive whose likenesses are known."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from hilum import AsyncClient, Client, HilumError
from hilum.locate import Endpoint
from hilum.v1 import reader_study_pb2
from services.core.access import Access
from services.core.blobs import Blobs
from services.core.errors import HilumError as ServiceError
from services.core.facts import Facts, images, open_facts, reader_studies, removal
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.readerstudy import draw, order
from services.query.readerstudy.api import ReaderStudyApi, ReadingApi
from services.query.searches_api import SearchesApi
from services.transport.edge import Call
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder
from tests.kit.served import Served, served

MODEL = "readers"


@dataclass(frozen=True)
class Room:
    """films: two of each of 30 patients; the bright spot wanders from left to right."""

    where: Served
    facts: Facts
    store: VectorStore
    query: QueryApi
    films: list[str]
    people: dict[str, str]

    @property
    def client(self) -> Client:
        return Client(endpoint=Endpoint(self.where.grpc, self.where.url))


@pytest.fixture(scope="module")
def room(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    home: Path = tmp_path_factory.mktemp("studies")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder(MODEL)])
    archive.open()
    records = [
        archive.add(
            f"film-{n}", spot(0.2 + 0.6 * (n % 3) / 2, n / 60), patient_id=f"p-{n // 2}", study_id=f"s-{n}",
            view=["PA", "AP"][n // 2 % 2], phash="", dataset="theirs" if n >= 56 else "mine",
            labels={"edema": "present" if n // 2 % 3 else "absent"},
        )
        for n in range(60)
    ]  # fmt: skip
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    apis = [ReaderStudyApi(facts, store, query.pages), ReadingApi(facts, query.images), SearchesApi(facts, query.pages)]
    with served(apis) as where:
        people = {one.image_id: str(one.patient_id) for one in records}
        yield Room(where, facts, store, query, [one.image_id for one in records], people)
    query.close()
    archive.close()
    store.drop(archive.spec(MODEL).collection)
    store.close()
    facts.close()


@pytest.fixture
def client(room: Room) -> Iterator[Client]:
    with room.client as opened:
        yield opened
        for study in opened.studies():
            opened.delete_study(study.study_id)


def contents(room: Room, study: reader_study_pb2.ReaderStudy) -> list[dict[str, object]]:
    return reader_studies.contents(room.facts, study.study_id)


def own_places(room: Room, study: reader_study_pb2.ReaderStudy, reader_id: str) -> list[tuple[int, list[int]]]:
    """For each set as the reader sees it: its number, and the set's own place of each film shown."""
    found = contents(room, study)
    twice = reader_studies.repeats(reader_studies.get(room.facts, "local", study.study_id))
    seen = order.sets(study.design.seed, reader_id, len(found), twice)
    return [(n, order.films(study.design.seed, reader_id, n, len(found[n]["films"]))) for n in seen]  # type: ignore[arg-type]


def test_sets_are_the_nearest_and_the_furthest_of_different_people(client: Client, room: Room) -> None:
    study = client.create_study("t", sets=12, seed=3, repeats=2)
    assert (study.sets, study.design.nearest, study.design.others, study.design.model) == (14, 5, 5, MODEL)
    found = contents(room, study)
    spec = next(iter(room.query.models()))
    ids, vectors = room.store.vectors(_spec(room), ids=room.films)
    unit = dict(zip(ids, vectors, strict=True))
    asked = [room.people[str(one["query"])] for one in found[:12]]
    assert len(set(asked)) == 12 and spec.name == MODEL
    for one in found:
        query, films = str(one["query"]), list(map(str, one["films"]))  # type: ignore[call-overload]
        people = [room.people[film] for film in (query, *films)]
        assert len(set(people)) == 11
        cosines = {film: float(unit[query] @ unit[film]) for film in room.films}
        assert np.allclose(one["scores"], [cosines[film] for film in films], atol=1e-5)
        # The plain way: walk all films from either end, taking one of each person.
        near = _walk(sorted(cosines, key=lambda film: -cosines[film]), 5, {people[0]}, room)
        far = _walk(sorted(cosines, key=cosines.__getitem__), 5, {people[0], *(room.people[f] for f in near)}, room)
        assert set(films[:5]) == set(near) and set(films[5:]) == set(far)
    twice = reader_studies.repeats(reader_studies.get(room.facts, "local", study.study_id))
    assert [found[12 + n]["films"] for n in range(2)] == [found[n]["films"] for n in twice]
    again = client.create_study("t", sets=12, seed=3, repeats=2)
    assert contents(room, again) == found
    assert contents(room, client.create_study("t", sets=12, seed=4)) != found[:12]


def _walk(ordered: list[str], wanted: int, barred: set[str], room: Room) -> list[str]:
    taken: list[str] = []
    people = set(barred)
    for film in ordered:
        if room.people[film] not in people and len(taken) < wanted:
            taken.append(film)
            people.add(room.people[film])
    return taken


def _spec(room: Room):  # type: ignore[no-untyped-def]
    from services.core.facts import models

    return models.active(room.facts)[MODEL]


def test_strata_filters_and_named_queries(client: Client, room: Room) -> None:
    study = client.create_study("t", sets=8, stratify="labels.edema", nearest=2, others=3)
    assert dict(study.strata) == {"labels.edema = present": 4, "labels.edema = absent": 4}
    strata = ['view = "PA" AND labels.edema = present', "view = PA", "view = AP"]
    study = client.create_study("t", sets=9, strata=strata, candidates="view = PA", nearest=2, others=2)
    assert dict(study.strata) == dict.fromkeys(strata, 3)
    records = images.get(room.facts, room.films)
    for one in contents(room, study):
        assert all(records[film].view == "PA" for film in one["films"])  # type: ignore[attr-defined]
        assert records[str(one["query"])].view == ("AP" if one["stratum"] == "view = AP" else "PA")
    named = [room.films[40], room.films[2]]
    study = client.create_study("t", queries=named, against="random", kind="pairs", seed=1)
    assert [one["query"] for one in contents(room, study)] == named
    assert (study.design.sets, study.design.nearest, study.design.others) == (2, 1, 1)


def test_random_others_are_any_films(client: Client, room: Room) -> None:
    study = client.create_study("t", sets=20, against="random", nearest=1, others=3)
    others = [film for one in contents(room, study) for film in one["films"][1:]]  # type: ignore[index]
    assert len(set(others)) > 20
    for one in contents(room, study):
        people = [room.people[film] for film in (one["query"], *one["films"])]  # type: ignore[misc]
        assert len(set(people)) == 5
        assert one["scores"] == sorted(one["scores"], reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"sets": 0, "kind": "guess"}, "kind is"), ({"sets": 900}, "between 1 and"),
        ({"nearest": 15, "others": 15}, "at most"),
        ({"kind": "pairs", "nearest": 2}, "pair"), ({"repeats": 20}, "half"),
        ({"where": "colour = red"}, "no such field"),
        ({"model": "nope"}, "no such model"), ({"sets": 40}, "only 30 patients"), ({"seed": -1}, "seed"),
        ({"sets": 2, "nearest": 18, "others": 2, "candidates": "view = PA"}, "too few films"),
        ({"stratify": "age"}, "few values"), ({"queries": ["nonsense"]}, "UUID"),
        ({"queries": ["00000000-0000-5000-8000-000000000000"]}, "0 of 1"),
        ({"strata": ["view = PA"], "stratify": "sex"}, "either"), ({"strata": ["view = ("]}, "expected|parenthes"),
    ],
)  # fmt: skip
def test_what_makes_no_study_is_refused(client: Client, asked: dict[str, object], words: str) -> None:
    with pytest.raises(HilumError, match=words):
        client.create_study("t", **asked)  # type: ignore[arg-type]


def test_a_patients_two_films_are_no_two_queries(client: Client, room: Room) -> None:
    with pytest.raises(HilumError, match="1 of 2"):
        client.create_study("t", queries=room.films[:2])


def test_draws_do_not_depend_on_other_films(room: Room) -> None:
    spec = _spec(room)
    whole = draw.films(room.facts, None, spec.fingerprint, 7, 30)
    assert len({one.person for one in whole}) == 30
    few = draw.films(room.facts, None, spec.fingerprint, 7, 5)
    assert few == whole[:5]
    barred = {few[0].person}
    assert draw.films(room.facts, None, spec.fingerprint, 7, 4, barred) == whole[1:5]


# -- readers


def test_a_reader_sees_nothing_but_pictures(client: Client, room: Room) -> None:
    study = client.create_study("secret title of readers", sets=6, seed=1, repeats=1)
    one, other = client.invite(study.study_id, "Ada"), client.invite(study.study_id, "Ben")
    told = httpx.get(f"{room.where.url}/v1/reading/{one.token}").text
    for secret in (*room.films, MODEL, "secret", study.study_id, "edema", "p-1", str(study.fingerprint), "score"):
        assert secret not in told.lower(), secret
    mine, theirs = own_places(room, study, one.reader.reader_id), own_places(room, study, other.reader.reader_id)
    assert [n for n, _ in mine] != [n for n, _ in theirs]
    assert dict(mine) != dict(theirs) and {n for n, _ in mine} == set(range(7))
    thumbs = images.thumbnails(room.facts, room.films)
    blobs = room.query.images._blobs
    found = contents(room, study)
    for number, (n, places) in enumerate(mine[:1], 1):
        films = [str(found[n]["query"]), *(found[n]["films"][place] for place in places)]  # type: ignore[index]
        for place, film in enumerate(films):
            answer = httpx.get(f"{room.where.url}/v1/reading/{one.token}/sets/{number}/pictures/{place}")
            assert answer.content == blobs.get(thumbs[film])
            assert film not in str(answer.headers)
            assert client.reading_picture(one.token, number, place) == answer.content


def test_repeats_come_in_the_other_half(client: Client, room: Room) -> None:
    study = client.create_study("t", sets=12, repeats=4)
    twice = reader_studies.repeats(reader_studies.get(room.facts, "local", study.study_id))
    for name in ("a", "b", "c"):
        seen = [n for n, _ in own_places(room, study, client.invite(study.study_id, name).reader.reader_id)]
        assert all(seen.index(first) < 8 <= seen.index(12 + at) for at, first in enumerate(twice))


def test_answers_are_kept_changed_and_taken_up_again(client: Client, room: Room) -> None:
    study = client.create_study("t", sets=3)
    token = client.invite(study.study_id, "Ada").token
    kept = client.answer_reading(token, 2, chosen=[3, 1, 5, 7, 10], seconds=12.5)
    assert (list(kept.chosen), kept.seconds, kept.answered) == ([1, 3, 5, 7, 10], 12.5, True)
    client.answer_reading(token, 2, chosen=[1, 2, 3, 4, 5], seconds=20)
    seen = client.reading(token)
    assert [one.answered for one in seen.sets] == [False, True, False]
    assert list(seen.sets[1].chosen) == [1, 2, 3, 4, 5] and seen.sets[1].seconds == 20
    assert [one.answered for one in client.study(study.study_id).readers] == [1]
    short, twice, below, above = [1, 2, 3, 4], [1, 1, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2, 3, 4, 11]
    wrongs: list[dict[str, object]] = [{"chosen": one} for one in (short, twice, below, above)]
    for wrong in (*wrongs, {"grades": [1] * 10}, {"chosen": [1, 2, 3, 4, 5], "seconds": float("nan")}):
        with pytest.raises(HilumError) as error:
            client.answer_reading(token, 1, **wrong)  # type: ignore[arg-type]
        assert error.value.code == "INVALID_ARGUMENT"
    with pytest.raises(HilumError, match="between 1 and 3"):
        client.answer_reading(token, 4, chosen=[1, 2, 3, 4, 5])
    assert client.close_study(study.study_id).state == "closed"
    with pytest.raises(HilumError, match="closed"):
        client.answer_reading(token, 1, chosen=[1, 2, 3, 4, 5])
    with pytest.raises(HilumError, match="closed"):
        client.invite(study.study_id, "Eve")
    assert client.reading(token).open is False
    client.close_study(study.study_id, reopen=True)
    client.answer_reading(token, 1, chosen=[1, 2, 3, 4, 5])


def test_links_are_shown_once_and_can_be_renewed(client: Client, room: Room) -> None:
    study = client.create_study("t", sets=2)
    first = client.invite(study.study_id, "Ada")
    assert len(first.token) >= 32
    with room.facts.read() as db:
        dump = "\n".join(map(str, db.connection.dbapi_connection.iterdump()))  # type: ignore[union-attr]
    assert first.token not in dump and first.reader.reader_id in dump
    with pytest.raises(HilumError, match="already"):
        client.invite(study.study_id, "Ada")
    second = client.invite(study.study_id, "Ada", renew=True)
    assert second.reader.reader_id == first.reader.reader_id and second.token != first.token
    with pytest.raises(HilumError, match="leads nowhere"):
        client.reading(first.token)
    assert client.reading(second.token).name == "Ada"
    for name in ("", "x" * 65, "a\nb"):
        with pytest.raises(HilumError, match="name"):
            client.invite(study.study_id, name)
    with pytest.raises(HilumError, match="nobody"):
        client.invite(study.study_id, "Eve", renew=True)
    assert client.delete_study(study.study_id) == 0
    with pytest.raises(HilumError, match="leads nowhere"):
        client.reading(second.token)


# -- figures


def answer_all(
    client: Client, room: Room, study: reader_study_pb2.ReaderStudy, said: dict[str, np.ndarray], graded: bool = False
) -> dict[str, str]:
    """said: name → (sets, films) in the sets' own order: 1 for chosen, or grades."""
    tokens = {}
    for name, rated in said.items():
        who = client.invite(study.study_id, name)
        tokens[name] = who.token
        for number, (n, places) in enumerate(own_places(room, study, who.reader.reader_id), 1):
            mine = [int(rated[n][place]) for place in places]
            chosen = [] if graded else [at for at, one in enumerate(mine, 1) if one]
            client.answer_reading(who.token, number, chosen=chosen, grades=mine if graded else [], seconds=number)
    return tokens


def some(random: np.random.Generator, sets: int, right: float) -> np.ndarray:
    """(sets, 10): five films each; the model's five are likelier."""
    odds = np.where(np.arange(10) < 5, right, 1 - right)
    return (np.argsort(np.argsort(-(random.random((sets, 10)) * odds), axis=1), axis=1) < 5).astype(int)


def test_figures_are_those_of_statsmodels(client: Client, room: Room) -> None:
    random = np.random.default_rng(4)
    study = client.create_study("t", sets=20, repeats=5, seed=2, stratify="labels.edema")
    twice = reader_studies.repeats(reader_studies.get(room.facts, "local", study.study_id))
    said = {}
    for name in ("Ada", "Ben", "Cleo"):
        first = some(random, 20, 0.7)
        said[name] = np.concatenate([first, some(random, 5, 0.7)])
    said["Ada"][20:] = said["Ada"][twice]  # she repeats herself
    answer_all(client, room, study, said)
    found = client.study_results(study.study_id)
    rated = np.stack([one[:20] for one in said.values()])
    assert found.sets == 20 and found.chance == 0.5
    table = np.stack([3 - rated.sum(axis=0), rated.sum(axis=0)], axis=2).reshape(-1, 2)
    assert found.fleiss.value == pytest.approx(fleiss_kappa(table), abs=1e-6)
    consensus, model = rated.sum(axis=0) >= 2, np.arange(10)[None, :] < 5
    whole = consensus.sum(axis=1) == 5
    assert found.consensus_least <= found.consensus.value <= found.consensus_most
    with_model = [float(np.mean(one[:, :5].sum(axis=1) / 5)) for one in rated]
    assert [one.model.value for one in found.each] == pytest.approx(with_model)
    assert found.readers.value == pytest.approx(np.mean(with_model))
    assert found.readers.low < found.readers.value < found.readers.high
    both = [_table(one, model) for one in rated]
    assert [one.model_kappa.value for one in found.each] == pytest.approx([cohens_kappa(one).kappa for one in both])
    pairs = [(0, 1), (0, 2), (1, 2)]
    kappas = [cohens_kappa(_table(rated[a], rated[b])).kappa for a, b in pairs]
    assert [one.kappa.value for one in found.pairs] == pytest.approx(kappas, abs=1e-6)
    overlaps = [float(np.mean((rated[a] * rated[b]).sum(axis=1) / 5)) for a, b in pairs]
    assert found.between.value == pytest.approx(np.mean(overlaps))
    assert found.beyond.value == pytest.approx(np.mean(with_model) - np.mean(overlaps))
    assert [one.repeats for one in found.each] == [5, 5, 5]
    assert found.each[0].itself.value == 1 and found.each[0].itself_kappa.value == pytest.approx(1)
    own = _table(said["Ben"][twice], said["Ben"][20:])
    assert found.each[1].itself_kappa.value == pytest.approx(cohens_kappa(own).kappa, abs=1e-6)
    assert {one.name: one.sets for one in found.groups if one.stratum} == {
        "labels.edema = present": 10, "labels.edema = absent": 10,
    }  # fmt: skip
    edema = next(one for one in found.groups if one.name == "labels.edema = present")
    assert "edema" not in {one.name for one in found.groups}  # the same sets again
    inside = [n for n, one in enumerate(contents(room, study)[:20]) if one["stratum"] == "labels.edema = present"]
    assert edema.sets == 10
    assert edema.fleiss.value == pytest.approx(fleiss_kappa(table.reshape(20, 10, 2)[inside].reshape(-1, 2)), abs=1e-6)
    assert found.said and found.caveats and whole.any()
    alone = client.study_results(study.study_id, ["Ben"])
    assert [one.name for one in alone.each] == ["Ben"] and not alone.fleiss.HasField("value")
    assert alone.consensus.value == pytest.approx(with_model[1])
    with pytest.raises(HilumError, match="1 of 1"):
        client.study_results(study.study_id, ["Nobody"])


def test_an_odd_number_of_like_readers_needs_no_lots(client: Client, room: Room) -> None:
    """Where no film ties, the consensus' kappa is statsmodels' of majority and model."""
    random = np.random.default_rng(9)
    study = client.create_study("t", sets=15, seed=5)
    base = some(random, 15, 0.75)
    said = {"a": base, "b": base.copy(), "c": some(random, 15, 0.6)}
    answer_all(client, room, study, said)
    found = client.study_results(study.study_id)
    assert found.consensus_least == found.consensus_most == pytest.approx(found.consensus.value)
    model = np.arange(10)[None, :] < 5
    assert found.consensus_kappa.value == pytest.approx(cohens_kappa(_table(base, model)).kappa, abs=1e-6)
    each = base[:, :5].sum(axis=1) / 5
    assert found.sets_for_five_points == math.ceil((1.959964 * each.std(ddof=1) / 0.05) ** 2) > 15
    assert "more than chance" in found.said[0] and any(
        f"About {found.sets_for_five_points} sets" in line for line in found.caveats
    )


def _table(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    other = np.broadcast_to(other, one.shape)
    return np.array([[((one == a) & (other == b)).sum() for b in (0, 1)] for a in (0, 1)], dtype=float)


def test_grades_feed_ndcg_marks_and_qrels(client: Client, room: Room) -> None:
    random = np.random.default_rng(6)
    study = client.create_study("t", kind="grades", sets=8, nearest=3, others=3)
    near = np.arange(6) < 3
    said = {name: np.clip(random.integers(0, 3, (8, 6)) + near, 0, 3) for name in ("Ada", "Ben")}
    answer_all(client, room, study, said, graded=True)
    found = client.study_results(study.study_id)
    mean = np.mean([*said.values()], axis=0)
    assert [one.k for one in found.depths] == [1, 3, 5, 6]
    discount = 1 / np.log2(np.arange(2, 5))
    by_hand = [(row[:3] @ discount) / (np.sort(row)[::-1][:3] @ discount) for row in mean]
    three = found.depths[1]
    assert three.ndcg.value == pytest.approx(np.mean(by_hand)) and three.chance < three.ndcg.value
    assert three.ndcg.low < three.ndcg.value < three.ndcg.high
    table = np.zeros((4, 4))
    for a, b in zip(said["Ada"].ravel(), said["Ben"].ravel(), strict=True):
        table[a, b] += 1
    assert found.pairs[0].kappa.value == pytest.approx(cohens_kappa(table, wt="quadratic").kappa, abs=1e-6)
    lines = client.export_study(study.study_id, "qrels").decode().split("\n")[:-1]
    first = contents(room, study)[0]
    assert lines[0].split() == [str(first["query"]), "0", first["films"][0], str(int(mean[0, 0] + 0.5))]  # type: ignore[index]
    assert len(lines) == 48
    kept = client.keep_grades(study.study_id)
    assert len(kept) == 8
    assert client.marks(kept[0]) == dict(zip(first["films"], (mean[0] + 0.5).astype(int), strict=True))  # type: ignore[call-overload]
    for search_id in kept:
        client.delete_search(search_id)


def test_pairs(client: Client, room: Room) -> None:
    study = client.create_study("t", kind="pairs", sets=10)
    right = np.array([[1, 0]] * 9 + [[0, 1]])
    answer_all(client, room, study, {"Ada": right, "Ben": right})
    found = client.study_results(study.study_id)
    assert (found.consensus.value, found.chance) == (0.9, 0.5)
    assert found.consensus_kappa.value == pytest.approx(0.8) and found.fleiss.value == pytest.approx(1)


def test_nothing_is_said_before_anybody_answered(client: Client) -> None:
    study = client.create_study("t", sets=2)
    client.invite(study.study_id, "Ada")
    found = client.study_results(study.study_id)
    assert found.sets == 0 and list(found.said) == ["Nobody has answered yet."] and not found.each
    assert client.export_study(study.study_id, "qrels") == b""
    with pytest.raises(HilumError, match="nobody"):
        client.keep_grades(study.study_id)


# -- files, access, what is forgotten


def test_files_hold_every_answer_and_no_formula(client: Client, room: Room) -> None:
    study = client.create_study("=1+1/../x", sets=4, repeats=1)
    said = {"=cmd|'/C calc'!A1": some(np.random.default_rng(1), 5, 0.8)}
    answer_all(client, room, study, said)
    name = next(iter(said))
    rows = list(csv.DictReader(io.StringIO(client.export_study(study.study_id).decode())))
    assert len(rows) == 50 and {row["reader"] for row in rows} == {f"'{name}"}
    rated = np.zeros((5, 10), dtype=int)
    found = contents(room, study)
    for row in rows:
        n, rank = int(row["set"]) - 1, int(row["model_rank"]) - 1
        rated[n, rank] = int(row["chosen"])
        assert row["image_id"] == found[n]["films"][rank]  # type: ignore[index]
        assert row["model_choice"] == str(int(rank < 5))
    assert (rated == said[name]).all()
    whole = json.loads(client.export_study(study.study_id, "json"))
    assert len(whole["answers"]) == 50 and whole["results"]["study"]["title"] == "=1+1/../x"
    told = client._call(
        client._to.studies.ExportReaderStudy, reader_study_pb2.ExportReaderStudyRequest(study_id=study.study_id)
    )
    assert told.name == "1-1-x.csv"
    with pytest.raises(HilumError, match="csv, json, qrels"):
        client.export_study(study.study_id, "exe")


def test_a_study_is_seen_whole_or_not_at_all(client: Client, room: Room) -> None:
    hidden = client.create_study("t", queries=[room.films[57]])
    shown = client.create_study("t", sets=3, where="dataset = mine")
    token = client.invite(hidden.study_id, "Ada").token
    api, reading = ReaderStudyApi(room.facts, room.store, room.query.pages), ReadingApi(room.facts, room.query.images)
    call = Call("t", access=Access(frozenset({"mine"})))
    listed = api.list_reader_studies(reader_study_pb2.ListReaderStudiesRequest(), call)
    assert [one.study_id for one in listed.studies] == [shown.study_id]
    asked = reader_study_pb2.ReaderStudyIdRequest(study_id=hidden.study_id)
    for refused in (
        lambda: api.get_reader_study(asked, call),
        lambda: api.delete_reader_study(asked, call),
        lambda: api.get_reader_study_results(
            reader_study_pb2.ReaderStudyResultsRequest(study_id=hidden.study_id), call
        ),
        lambda: api.export_reader_study(reader_study_pb2.ExportReaderStudyRequest(study_id=hidden.study_id), call),
        lambda: reading.open_reading(reader_study_pb2.OpenReadingRequest(token=token), call),
        lambda: reading.get_reading_picture(reader_study_pb2.ReadingPictureRequest(token=token, number=1), call),
        lambda: list(api.create_reader_study(_asking([room.films[57]]), call)),
        lambda: list(api.create_reader_study(_asking([], "dataset = theirs"), call)),
    ):
        with pytest.raises(ServiceError):
            refused()
    made = list(api.create_reader_study(_asking([], sets=20), call))[-1].study
    seen = {film for one in contents(room, made) for film in (one["query"], *one["films"])}  # type: ignore[misc]
    assert not seen & set(room.films[56:])
    other = reader_study_pb2.ReaderStudyIdRequest(study_id=shown.study_id)
    with pytest.raises(ServiceError, match="no such"):
        api.get_reader_study(other, call, user="somebody else")


def _asking(queries: list[str], where: str = "", sets: int = 0) -> reader_study_pb2.CreateReaderStudyRequest:
    design = reader_study_pb2.ReaderDesign(filter=where, sets=sets)
    return reader_study_pb2.CreateReaderStudyRequest(title="t", design=design, image_ids=queries)


def test_sets_with_a_forgotten_film_are_gone_and_counted(client: Client, room: Room) -> None:
    study = client.create_study("of p-3 alone", sets=12, seed=8, where="NOT patient_id = 'p-3'")
    said = {"Ada": some(np.random.default_rng(2), 12, 0.7), "Ben": some(np.random.default_rng(3), 12, 0.7)}
    tokens = answer_all(client, room, study, said)
    before = contents(room, study)
    gone = str(before[0]["films"][0])  # type: ignore[index]
    hit = [n for n, one in enumerate(before) if gone in (one["query"], *one["films"])]  # type: ignore[misc]
    sought = removal.words({gone, "p-3"})
    assert reader_studies.naming(room.facts, sought) == len(hit) + 1
    assert reader_studies.withdraw(room.facts, sought) == len(hit) + 1
    assert reader_studies.naming(room.facts, sought) == 0
    with room.facts.read() as db:
        dump = "\n".join(line for line in db.connection.dbapi_connection.iterdump() if "reader_" in line)  # type: ignore[union-attr]
    assert gone not in dump and "p-3'" not in dump
    told = client.study(study.study_id)
    assert (told.sets, told.withdrawn, told.title, told.design.filter) == (12 - len(hit), len(hit), "", "")
    kept = [n for n in range(12) if n not in hit]
    found = client.study_results(study.study_id)
    assert found.sets == len(kept)
    assert found.each[0].model.value == pytest.approx(np.mean(said["Ada"][kept][:, :5].sum(axis=1) / 5))
    assert any("withdrawn" in line for line in found.caveats)
    reading = client.reading(tokens["Ada"])
    assert sum(one.withdrawn for one in reading.sets) == len(hit)
    for one in reading.sets:  # the others stand where they stood
        assert one.answered is not one.withdrawn
    lost = next(one.number for one in reading.sets if one.withdrawn)
    with pytest.raises(HilumError, match="not shown"):
        client.answer_reading(tokens["Ada"], lost, chosen=[1, 2, 3, 4, 5])
    with pytest.raises(HilumError, match="not shown"):
        client.reading_picture(tokens["Ada"], lost, 0)
    assert gone.encode() not in client.export_study(study.study_id, "json")


def test_the_same_with_coroutines(client: Client, room: Room) -> None:
    async def ask() -> int:
        async with AsyncClient(endpoint=Endpoint(room.where.grpc)) as other:
            heard = []
            study = await other.create_study("t", sets=2, seen=heard.append)
            assert heard
            token = (await other.invite(study.study_id, "Ada")).token
            await other.answer_reading(token, 1, chosen=[1, 2, 3, 4, 5])
            assert (await other.study(study.study_id)).readers[0].answered == 1
            assert len((await other.study_results(study.study_id)).each) == 1
            return len((await other.reading(token)).sets)

    assert asyncio.run(ask()) == 2
