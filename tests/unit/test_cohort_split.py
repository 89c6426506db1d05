"""Splits share nothing that belongs together, whatever it is; an audit finds every leak that is planted."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from services.analytics import frame, sample
from services.analytics.cohort import links
from services.analytics.cohort.describing import SPLIT_FIELDS, cautions
from services.analytics.cohort.leakage import DAY, PHRASE, REPORT, LeakError, audit, days, fingerprint, reports
from services.analytics.cohort.links import ACCESSION, BYTES, LOOKS, PATIENT, PIXELS, STUDY, VECTORS, components
from services.analytics.cohort.splitting import split
from services.analytics.frame import Frame
from services.analytics.progress import Progress
from services.analytics.variables import Variable
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, open_facts
from services.core.types import Film, ImageRecord
from services.ingest import looks
from tests.kit import analyses
from tests.kit.records import make_record, stored, unit_vectors

FRACTIONS = {"train": 0.7, "validate": 0.1, "test": 0.2}


def places(films: int, seed: int = 0) -> NDArray[np.uint64]:
    return sample.places([str(n) for n in range(films)], seed)


@settings(max_examples=80, deadline=None)
@given(st.integers(40, 400), st.integers(0, 9999), st.integers(1, 4), st.booleans())
def test_no_two_parts_ever_share_what_belongs_together(films: int, seed: int, ways: int, chained: bool) -> None:
    chance = np.random.default_rng(seed)
    found = {
        str(way): np.where(
            chance.random(films) < (0.4 if way else 1.0), chance.integers(0, films if chained else films * 3, films), -1
        )
        for way in range(ways)
    }
    group = components(films, list(found.values()))
    assert set(group.tolist()) == set(range(int(group.max()) + 1))
    strata = [Variable("s", ["a", "b"], chance.integers(-1, 2, films).astype(np.int32))]
    try:
        made = split(group, places(films, seed), FRACTIONS, strata, Progress())
    except HilumError as error:
        assert error.code is ErrorCode.FAILED_PRECONDITION
        return
    for codes in found.values():
        for one in np.unique(codes[codes >= 0]):
            assert len(set(made.part[codes == one].tolist())) == 1
    checked = audit(made.part, made.names, found)
    checked.must_hold()
    assert made.films.sum() == films
    assert made.off <= max(0.01, made.largest / films)
    assert sum(int(one.films.sum()) for one in made.strata) == films
    again = split(group, places(films, seed), FRACTIONS, strata, Progress())
    assert np.array_equal(made.part, again.part)


def test_shares_are_met_in_all_and_in_every_stratum() -> None:
    chance = np.random.default_rng(0)
    films = 6000
    patients = chance.integers(0, 2000, films)
    rare = Variable("rare", ["absent", "present"], (chance.random(2000) < 0.03)[patients].astype(np.int32))
    site = Variable("site", ["a", "b", "c"], chance.integers(0, 3, 2000)[patients].astype(np.int32))
    group = components(films, [patients])
    made = split(group, places(films), FRACTIONS, [rare, site], Progress())
    assert np.abs(made.films / films - [0.7, 0.1, 0.2]).max() < 0.002
    for one in made.strata:
        assert np.abs(one.films / one.films.sum() - [0.7, 0.1, 0.2]).max() < 0.02, one
    other = split(group, places(films, 1), FRACTIONS, [rare, site], Progress())
    assert (other.part != made.part).mean() > 0.2
    empty = split(group, places(films), {"train": 1.0, "test": 0.0}, [], Progress())
    assert empty.films.tolist() == [films, 0]


def test_what_cannot_be_split_is_refused() -> None:
    for group, words in (
        (np.zeros(100, np.int64), "1 groups of films"),
        (np.where(np.arange(1000) < 500, 0, np.arange(1000) - 499), ""),
    ):
        if words:
            with pytest.raises(HilumError, match=words):
                split(group, places(len(group)), FRACTIONS, [], Progress())
        else:  # half of all belongs together: it goes to the largest part, and the shares still hold
            assert split(group, places(len(group)), FRACTIONS, [], Progress()).off < 0.002
    with pytest.raises(HilumError, match="holds 900 of 1,000"):
        split(np.where(np.arange(1000) < 900, 0, np.arange(1000) - 899), places(1000), {"a": 0.25, "b": 0.25, "c": 0.25,
              "d": 0.25}, [], Progress(), tolerance=0.01)  # fmt: skip


# --- planted leaks


def picture(seed: int) -> Film:
    """Slow waves of its own, so that its hash is."""
    chance = np.random.default_rng(seed)
    rough = Image.fromarray(chance.integers(0, 256, (9, 9), dtype=np.uint8))
    display = np.asarray(rough.resize((256, 256), Image.Resampling.BICUBIC))
    return Film(display, display.astype(np.uint16) * 257)


def webp(film: Film, side: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(film.display).resize((side, side)).save(out, "WEBP", quality=60)
    return out.getvalue()


@dataclass
class Archive:
    home: Path
    facts: Facts
    blobs: Blobs
    frame: Frame
    row: dict[str, int]

    @property
    def ways(self) -> dict[str, NDArray[np.int64]]:
        return links.by_name(self.frame) | {LOOKS: links.looking_alike(self.frame, self.facts, self.blobs, Progress())}


# Pairs of films of different patients that belong together all the same, each in one way.
PAIRS: dict[str, dict[str, str]] = {
    STUDY: {"study_id": "s-shared"}, ACCESSION: {"accession_id": "a-shared"}, BYTES: {"bytes_sha256": "b" * 64},
    PIXELS: {"pixel_sha256": "c" * 64},
}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    home = tmp_path_factory.mktemp("split")
    facts, blobs = open_facts(f"sqlite:///{home / 'facts.db'}"), Blobs(home / "blobs")
    films: list[tuple[str, ImageRecord, str]] = []

    def film(key: str, looks_like: int, side: int = 128, **fields: object) -> None:
        seen = picture(looks_like)
        small = blobs.put(webp(seen, side))
        own = {"patient_id": f"p-{key}", "study_id": f"s-{key}", "phash": looks.phash(seen)}
        own |= {"split": "test" if key.endswith("-b") else "train", **fields}
        films.append((key, make_record(key, **own), small))

    for n in range(60):
        film(f"plain-{n}", n)
    for number, (kind, shared) in enumerate(PAIRS.items()):
        for side in "ab":
            film(f"{kind}-{side}", 100 + 2 * number + (side == "b"), **shared)
    film("patient-a", 200, patient_id="p-one")
    film("patient-b", 201, patient_id="p-one")
    film("looks-a", 300)
    film("looks-b", 300, side=200)
    film("hash-a", 302)
    film("hash-b", 303, phash=looks.phash(picture(302)))  # the hash alone: another picture
    same = {"study_date": "2020-05-05", "age": 71.0, "sex": "F", "device": "x"}
    film("day-a", 304, **same)
    film("day-b", 305, **same)
    images.commit(facts, [replace(stored(one), thumbnail=small) for _, one, small in films])
    loaded = frame.load(facts, "", [], SPLIT_FIELDS, Progress())
    at = {image_id: row for row, image_id in enumerate(loaded.ids)}
    yield Archive(home, facts, blobs, loaded, {key: at[one.image_id] for key, one, _ in films})
    facts.close()


def parts(archive: Archive, **apart: str) -> NDArray[np.int8]:
    """Everybody in train, but for these."""
    part = np.zeros(len(archive.frame), np.int8)
    for key in apart:
        part[archive.row[apart[key]]] = 2
    return part


@pytest.mark.parametrize("kind", [PATIENT, *PAIRS, LOOKS])
def test_every_kind_of_leak_is_found_when_it_is_planted(archive: Archive, kind: str) -> None:
    name = {PATIENT: "patient", LOOKS: "looks"}.get(kind, kind)
    found = audit(parts(archive, one=f"{name}-b"), list(FRACTIONS), archive.ways)
    assert [(one.kind, one.groups, one.films) for one in found.leaks] == [(kind, 1, 2)]
    assert found.leaks[0].between == {("train", "validate"): 0, ("train", "test"): 1, ("validate", "test"): 0}
    assert found.leaks[0].examples == [sorted((archive.row[f"{name}-a"], archive.row[f"{name}-b"]))]
    with pytest.raises(LeakError, match=f"{kind}: 1 shared, 2 films") as error:
        found.must_hold()
    assert error.value.code is ErrorCode.FAILED_PRECONDITION and error.value.found is found


def test_what_is_split_here_does_not_leak(archive: Archive) -> None:
    ways = archive.ways
    group = components(len(archive.frame), list(ways.values()))
    assert len(np.unique(group)) == len(archive.frame) - len(PAIRS) - 2
    made = split(group, places(len(group)), FRACTIONS, [], Progress(), tolerance=0.05)
    audit(made.part, made.names, ways | cautions(archive.frame, archive.facts)[0]).must_hold()
    every = audit(parts(archive, one="hash-b", other="day-b"), list(FRACTIONS), ways)
    assert not every.leaks  # a hash is no proof


def test_a_run_shows_its_split_and_what_leaks_in_the_one_that_the_datasets_came_with(archive: Archive) -> None:
    asked = {"fractions": {"train": 0.6, "test": 0.4}, "stratify": ["dataset"]}
    made = analyses.make(archive.home, archive.facts, None, cohort={"split": asked, "seed": 2})  # type: ignore[arg-type]
    tables = {one["title"]: one["rows"] for one in made.json("tables.json")["tables"]}
    assert [row[:3] for row in tables["Split"]] == [["train", "46", "60.0%"], ["test", "30", "40.0%"]]
    assert all(row[2:4] == ["0", "0"] for row in tables["Leakage audit"] if row[0] != DAY)
    theirs = {row[0]: row[1:] for row in tables["The datasets' own split"]}
    for kind in (PATIENT, *PAIRS, LOOKS):
        assert theirs[kind][1:] == ["1", "2", "test and train: 1", "leaks"], kind
    assert theirs[ACCESSION][0] == "2" and theirs[PIXELS][0] == "76"
    assert "It leaks: patient, study, accession, file, pixels, looks." in made.report
    films = pq.read_table(made.folder / "cohort.parquet").to_pandas()
    assert films.split.value_counts().to_dict() == {"train": 46, "test": 30}


def test_films_whose_pictures_are_gone_are_taken_for_the_same_where_their_hashes_are(
    archive: Archive, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = Blobs(tmp_path_factory.mktemp("nowhere"))
    alike = links.looking_alike(archive.frame, archive.facts, nowhere, Progress())
    for name in ("looks", "hash"):
        assert alike[archive.row[f"{name}-a"]] == alike[archive.row[f"{name}-b"]] >= 0


def test_films_nearly_the_same_to_a_model_leak(archive: Archive) -> None:
    unit = unit_vectors(len(archive.frame), 16)
    near = unit[10] + 0.01 * unit[11]
    unit[50] = near / np.linalg.norm(near)
    codes, most = links.nearly_the_same(unit, 0.0, 0, Progress())
    assert np.flatnonzero(codes >= 0).tolist() == [10, 50] and 0 < most < 0.1
    part = np.zeros(len(unit), np.int8)
    part[50] = 1
    with pytest.raises(LeakError, match="embedding: 1 shared, 2 films"):
        audit(part, ["a", "b"], {VECTORS: codes}).must_hold()
    alone, _ = links.nearly_the_same(unit[:1], 0.0, 0, Progress())
    assert alone.tolist() == [-1]


def test_a_report_that_few_have_leaks_and_a_phrase_is_a_caution() -> None:
    chance = random.Random(0)
    long = " ".join(chance.choice(["heart", "lung", "clear", "apex", "rib"]) for _ in range(60))
    normal = "No acute cardiopulmonary process."
    texts = [normal, "NO acute cardio-pulmonary process", normal.upper(), long, long.title() + ".", None, "Effusion."]
    prints = [fingerprint(text) if text else None for text in texts]
    ways = reports(prints, np.arange(7, dtype=np.int32))
    part = np.array([0, 1, 1, 0, 1, 0, 1], np.int8)
    found = {one.kind: one for one in audit(part, ["a", "b"], ways).shared}
    assert (found[REPORT].groups, found[REPORT].films, found[REPORT].leaks) == (1, 2, True)
    assert (found[PHRASE].groups, found[PHRASE].films, found[PHRASE].leaks) == (1, 2, False)
    sections = fingerprint("Clear lungs.", fingerprint("Findings of old."))
    assert sections != fingerprint("Findings of old. Clear lungs.")[0] and sections[1] == 5
    assert reports([None] * 3, np.arange(3, dtype=np.int32))[REPORT].tolist() == [-1] * 3


def test_one_day_one_body_and_two_patients_is_a_caution(archive: Archive) -> None:
    ways, looked = cautions(archive.frame, archive.facts)
    assert looked == {REPORT: 0, PHRASE: 0, DAY: 2}
    found = audit(parts(archive, one="day-b"), list(FRACTIONS), ways, looked)
    assert {one.kind: one.looked for one in found.shared} == looked
    told = {one.kind: one.groups for one in found.shared}
    assert told[DAY] == 1 and not found.leaks
    same = [np.array([0, 0, 0, -1]), np.array([5, 5, 5, 5])]
    assert days(same, np.array([1, 1, 2, 3], np.int32))[DAY].tolist() == [0, 0, 0, -1]
    assert days(same, np.array([1, 1, 1, 3], np.int32))[DAY].tolist() == [-1] * 4
