"""CT series: which slice stands for a series, how bright it is, and that its vectors never meet those of films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from hilum.v1.encode_pb2 import ListModelsRequest
from hilum.v1.ingest_pb2 import CreateIngestJobRequest
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.core.ids import image_id
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.types import JobState, Outcome
from services.encoders import slices
from services.engine.supervisor import EngineProcess
from services.ingest.api import IngestApi
from services.ingest.decode import decode
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.files import Refused, list_films
from services.ingest.sources.series import middles
from services.ingest.sources.source import open_source
from services.query.asked import SearchQuery
from services.query.by import UploadedFilm, Words
from services.query.models import choose
from services.transport.edge import Call
from services.transport.encode_client import EncodeClient
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import ramp, stored_bytes, write_dicom
from tests.kit.ingesting import Room, room
from tests.kit.published import write
from tests.kit.slices import CORONAL, slice_bytes, units, write_series

LINE = [2.5 * n for n in range(20)]


def chosen(folder: Path) -> list[float | Reason]:
    """Of each image that the folder makes, where its slice lies, or why there is none."""
    found = middles(list_films(folder, "ct"))
    return [
        file.reason if isinstance(file, Refused) else float(dcmread(file.root / file.name).ImagePositionPatient[2])
        for file in found
    ]


@pytest.mark.parametrize(("positions", "middle"), [
    (LINE, 25.0),  # of 20, the upper of the two in the middle
    (LINE[:19], 22.5),
    ([-p for p in LINE], -22.5),  # table positions below zero, written from the head down
    ([*LINE, 0.0, 2.5, 5.0, 7.5, 10.0, 12.5], 25.0),  # some positions twice: each counts once
    ([0, 1, 2, 3, 4, 5, 6, 7, 8, 100], 5.0),  # the middle of the slices, not of the millimetres
])  # fmt: skip
def test_the_middle_slice_by_position_whatever_the_files_are_called(
    tmp_path: Path, positions: list[float], middle: float
) -> None:
    write_series(tmp_path, positions, seed=3)
    assert chosen(tmp_path) == [middle]


def test_orientation_may_be_mirrored_or_tilted_but_not_turned(tmp_path: Path) -> None:
    tilted = [1, 0, 0, 0, float(np.cos(0.4)), float(-np.sin(0.4))]  # a gantry at 23 degrees
    for name, orientation in (("mirrored", [-1, 0, 0, 0, 1, 0]), ("prone", [-1, 0, 0, 0, -1, 0]), ("tilted", tilted)):
        write_series(tmp_path / name, LINE, ImageOrientationPatient=orientation)
    assert chosen(tmp_path) == [25.0, 25.0, 25.0]
    write_series(tmp_path / "turned", LINE, ImageOrientationPatient=CORONAL)
    assert chosen(tmp_path) == [25.0, 25.0, 25.0, Reason.NOT_AXIAL]


def test_one_series_in_two_folders_is_one_image_and_two_in_one_are_two(tmp_path: Path) -> None:
    uid = write_series(tmp_path / "a", LINE[:10], seed=1)
    write_series(tmp_path / "b", LINE[10:], seed=2, SeriesInstanceUID=uid)
    assert chosen(tmp_path) == [25.0]
    folder = tmp_path / "b"
    for n, position in enumerate(LINE[:12]):
        (folder / f"other-{n}.dcm").write_bytes(slice_bytes(position, "1.2.3"))
    assert sorted(chosen(tmp_path)) == [15.0, 25.0]


def test_localizers_fragments_and_strangers_are_told_once_each(tmp_path: Path) -> None:
    localizer = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_series(tmp_path / "a-scout", [0, 1], ImageType=localizer, ImageOrientationPatient=CORONAL)
    write_series(tmp_path / "b-fragment", LINE[:9])
    write_series(tmp_path / "c-nowhere", LINE, ImagePositionPatient=None)
    write_series(tmp_path / "d-crooked", LINE, ImageOrientationPatient=[1, 0, 0])
    write_series(tmp_path / "e-leg", LINE[:2], BodyPartExamined="KNEE")
    write_dicom(tmp_path / "f-film", 1)
    (tmp_path / "g.dcm").write_bytes(b"no DICOM at all")
    write_series(tmp_path / "h-enhanced", [0.0], SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1")
    assert chosen(tmp_path) == [
        Reason.LOCALIZER, Reason.TOO_FEW_SLICES, Reason.NO_POSITION, Reason.NO_POSITION, Reason.WRONG_BODY_PART,
        Reason.WRONG_BODY_PART, Reason.NOT_CT, Reason.NOT_AN_IMAGE, Reason.NOT_CT,
    ]  # fmt: skip


def test_a_localizer_within_a_series_is_none_of_its_slices(tmp_path: Path) -> None:
    uid = write_series(tmp_path, LINE)
    (tmp_path / "scout.dcm").write_bytes(slice_bytes(0, uid, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    assert chosen(tmp_path) == [25.0]


@pytest.mark.filterwarnings("ignore:The value length")
def test_a_header_longer_than_the_first_look_is_read_whole(tmp_path: Path) -> None:
    comments = "x" * 9_000
    for position in LINE:
        tags = {f"Patient{kind}": comments for kind in ("Comments", "Address")}
        data = slice_bytes(position, "1.2.3", **tags, ImageComments=comments, StudyComments=comments * 6)
        (tmp_path / f"{position}.dcm").write_bytes(data)
    assert chosen(tmp_path) == [25.0]


@pytest.mark.parametrize(("window", "low", "high"), [
    ("lung", -600 - 750, -600 + 750), ("mediastinum", 50 - 175, 50 + 175), ("soft-tissue", -160, 240),
    ("bone", 400 - 900, 400 + 900), ("header", -500 - 700, -500 + 700),
])  # fmt: skip
def test_a_window_says_which_units_are_black_and_white(window: str, low: float, high: float) -> None:
    """DICOM's linear function: black up to low, white from high - 1 on, to within a level of the plain ramp."""
    found = decode(slice_bytes(20, "1.2.3"), f"ct:{window}")
    hu = units(20).astype(float)
    wanted = np.clip((hu - low) / (high - 1 - low), 0, 1) * 255
    assert np.abs(found.film.display - wanted).max() <= 1
    assert np.abs(found.film.full / 257.0 - wanted).max() <= 0.51
    assert (found.film.display[hu <= low] == 0).all() and (found.film.display[hu >= high - 1] == 255).all()
    assert found.stated.modality == "CT" and found.stated.view is None and found.sop_uid == "1.2.3"


def test_units_not_stored_values_decide(tmp_path: Path) -> None:
    """The same body stored signed, with another slope, or marked as white being low: the same picture."""
    plain = decode(slice_bytes(20, "1.2.3"), "ct:lung")
    hu = units(20)
    signed = slice_bytes(20, "1.2.3", PixelRepresentation=1, RescaleIntercept=0, BitsStored=16, HighBit=15)
    halves = slice_bytes(20, "1.2.3", RescaleSlope=0.5, RescaleIntercept=-1024, BitsStored=16, HighBit=15)
    inverse = slice_bytes(20, "1.2.3", PhotometricInterpretation="MONOCHROME1")
    for data, values in ((signed, hu.astype("<i2")), (halves, ((hu + 1024) * 2).astype("<u2")), (inverse, None)):
        path = tmp_path / "slice.dcm"
        path.write_bytes(data)
        dataset = dcmread(path)
        if values is not None:
            dataset.PixelData = values.tobytes()
        dataset.save_as(path)
        found = decode(path.read_bytes(), "ct:lung")
        np.testing.assert_array_equal(found.film.display, plain.film.display)
        assert found.pixel_sha256 == plain.pixel_sha256
    assert decode(slice_bytes(20, "1.2.3"), "ct:bone").pixel_sha256 == plain.pixel_sha256
    assert decode(slice_bytes(30, "1.2.3"), "ct:lung").pixel_sha256 != plain.pixel_sha256


def test_padding_is_black_under_every_window() -> None:
    data = slice_bytes(20, "1.2.3", PixelPaddingValue=700 + 1024)
    assert decode(data, "ct:bone").film.display[units(20) == 700].max() == 0


@pytest.mark.parametrize(("tags", "reason"), [
    ({"WindowCenter": None}, Reason.NO_WINDOW), ({"WindowWidth": 0}, Reason.BAD_WINDOW),
    ({"RescaleIntercept": None}, Reason.NO_UNITS), ({"Modality": "DX"}, Reason.NOT_CT),
    ({"ImageType": ["DERIVED", "SECONDARY", "LOCALIZER"]}, Reason.LOCALIZER),
    ({"BurnedInAnnotation": "YES"}, Reason.BURNED_IN_TEXT), ({"NumberOfFrames": 2}, Reason.MULTIFRAME),
])  # fmt: skip
def test_what_no_slice_can_be_made_of(tags: dict[str, object], reason: Reason) -> None:
    with pytest.raises(BadFilm) as caught:
        decode(slice_bytes(20, "1.2.3", **tags), "ct:header")
    assert caught.value.reason is reason


def test_films_are_no_slices_and_slices_are_no_films() -> None:
    with pytest.raises(BadFilm) as caught:
        decode(stored_bytes(ramp()), "ct:lung")
    assert caught.value.reason is Reason.NOT_CT
    with pytest.raises(BadFilm) as caught:
        decode(slice_bytes(20, "1.2.3"))
    assert caught.value.reason is Reason.WRONG_MODALITY


def test_names_and_specifications() -> None:
    registry = tiny_registry(TinyEncoder())
    film = registry.get("tiny").spec
    found = {window: registry.get(slices.named("tiny", window)).spec for window in ("", "lung", "bone")}
    assert [spec.name for spec in found.values()] == ["tiny-ct", "tiny-ct-lung", "tiny-ct-bone"]
    assert found["lung"].preprocessing == f"ct-middle-lung-600/1500+{film.preprocessing}"
    assert len({spec.collection for spec in (film, *found.values())}) == 4 and not film.slices
    assert all(spec.slices and spec.dim == film.dim for spec in found.values())
    assert registry.names() == ["tiny"] and slices.named("tiny-ct-lung", "lung") == "tiny-ct-lung"
    for model, window in (("tiny-ct-lung", "bone"), ("tiny", "kidney")):
        with pytest.raises(HilumError) as caught:
            slices.named(model, window)
        assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    for name in ("none-ct-lung", "tiny-ct-kidney", "-ct"):
        with pytest.raises(HilumError) as caught:
            registry.get(name)
        assert caught.value.code is ErrorCode.UNKNOWN_MODEL


def test_a_question_of_slices_takes_slices_and_words_and_no_film(facts: Facts) -> None:
    pool = DecodePool(1)
    api = EncodeApi(facts, tiny_registry(TinyEncoder()), pool)
    try:
        client, encoder = EncodeClient.local(api), TinyEncoder()
        data = slice_bytes(20, "1.2.3")
        found, refused = client.encode_images("tiny-ct-lung", [data, stored_bytes(ramp())])
        wanted = encoder.encode_images(encoder.preprocess(decode(data, "ct:lung").film)[None])[0]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        assert isinstance(refused, HilumError) and "CT slice" in refused.client_message
        np.testing.assert_array_equal(client.encode_texts("tiny-ct-lung", ["a nodule"]),
                                      client.encode_texts("tiny", ["a nodule"]))  # fmt: skip
        models.register(facts, slices.seen_through(encoder.spec, "lung"))
        models.register(facts, slices.seen_through(TinyEncoder("gone").spec, "lung"))
        listed = {model.name: model.available for model in api.list_models(ListModelsRequest(), Call("test")).models}
        assert listed == {"tiny": True, "tiny-ct-lung": True, "gone-ct-lung": False}
    finally:
        api.close()
        pool.close()


@pytest.mark.parametrize(("fields", "message"), [
    ({"layout": "ct", "window": "kidney"}, "window is one of"), ({"window": "lung"}, "layout ct"),
    ({"models": ["tiny-ct-lung"]}, "sees CT slices only"),
    ({"layout": "ct", "window": "bone", "models": ["tiny-ct-lung"]}, "another window"),
    ({"layout": "ct", "models": ["none"]}, "no such encoder"),
    ({"layout": "ct", "map": __file__}, "for films"),
])  # fmt: skip
def test_what_may_not_be_asked(
    facts: Facts, store: VectorStore, tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    api = IngestApi(Settings(tmp_path / "data"), facts, tiny_registry(), store, Blobs(tmp_path / "blobs"))
    with pytest.raises(HilumError, match=message):
        api.create_ingest_job(
            CreateIngestJobRequest(source=str(tmp_path), dataset="demo", **fields), Call("test", operator=True)
        )


def test_films_come_before_slices_where_nobody_names_a_model(facts: Facts, tmp_path: Path) -> None:
    """Whatever was ingested first."""
    film = TinyEncoder().spec
    lung = slices.seen_through(film, "lung")
    for spec in (lung, film):
        models.register(facts, spec)
    api = EncodeApi(facts, tiny_registry(TinyEncoder()), DecodePool(1))
    known = EncodeClient.local(api)
    for by in (Words("a nodule"), UploadedFilm(b"x")):
        chosen = choose(models.active(facts), facts, known, SearchQuery(by))
        assert [spec.name for spec in chosen] == ["tiny"]
    chosen = choose(models.active(facts), facts, known, SearchQuery(Words("a nodule"), ("tiny-ct-lung",)))
    assert [spec.name for spec in chosen] == ["tiny-ct-lung"]
    api.close()


def test_series_become_images_beside_films_and_apart_from_them(engine: EngineProcess, tmp_path: Path) -> None:
    source = tmp_path / "nlst"
    uids = [write_series(source / f"s{n}", LINE, seed=n) for n in range(3)]
    write_series(source / "scout", [0.0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    rows = [f"{uid},{'nodule' if n else 'emphysema'}" for n, uid in enumerate(uids)]
    (tmp_path / "t.csv").write_text("\n".join(["series_instance_uid,labels", *rows]))
    write_dicom(tmp_path / "films", 2)
    with room(tmp_path / "data", engine.url, tiny_registry(TinyEncoder())) as ingesting:
        ingesting.ingest(tmp_path / "films", "demo")
        job = ingesting.ingest(source, "demo", layout="ct", window="lung", labels=tmp_path / "t.csv")
        assert job.state is JobState.SUCCEEDED, job.error
        outcomes = sorted((item.outcome, item.reason) for item in ingesting.items(job))
        assert outcomes == [(Outcome.QUARANTINED, "LOCALIZER"), *[(Outcome.STORED, "")] * 3]
        ids = {image_id("demo", uid) for uid in uids}
        records = images.get(ingesting.facts, ids)
        assert set(records) == ids and {record.modality for record in records.values()} == {"CT"}
        assert {label.name for record in records.values() for label in record.labels} == {"nodule", "emphysema"}
        film, lung = (ingesting.registry.get(name).spec for name in ("tiny", "tiny-ct-lung"))
        assert held(ingesting, lung).keys() == ids
        assert len(held(ingesting, film)) == 2 and not ids & held(ingesting, film).keys()
        assert list(models.active(ingesting.facts)) == ["tiny", "tiny-ct-lung"]

        again = ingesting.ingest(source, "demo", layout="ct", window="lung")
        assert again.progress.counts == {"unchanged": 3, "quarantined": 1}
        other = ingesting.ingest(source, "demo", layout="ct", window="bone")
        assert other.progress.counts == {"stored": 3, "quarantined": 1}, "the same slices through another window"
        bone = held(ingesting, ingesting.registry.get("tiny-ct-bone").spec)
        assert bone.keys() == ids
        assert all(not np.allclose(bone[i], vector) for i, vector in held(ingesting, lung).items())


def nlst_tables(folder: Path) -> Path:
    """The trial's tables in miniature, as the Imaging Data Commons names their columns."""
    write(
        folder / "nlst_780_prsn_idc_20210527.csv",
        """\
pid,gender,age,race,cancyr,can_scr,scr_days0,scr_days1,scr_days2,dataset_version
100012,1,61,1,,0,20,400,,2021
100158,2,74,4,1,1,-5,,,2021
100999,2,55,99,,0,,,,2021
""",
    )
    write(folder / "nlst_780_screen_idc_20210527.csv", "pid,study_yr\n100012,0\n100012,1\n100158,1\n")
    write(folder / "nlst_780_ctab_idc_20210527.csv", """\
pid,study_yr,sct_ab_num,sct_ab_desc,sct_long_dia
100012,0,1,51,7
100012,0,2,51,5
100012,0,3,59,
100158,1,1,63,
""")  # fmt: skip
    write(folder / "nlst_780_ctabc_idc_20210527.csv", "pid,study_yr,sct_ab_code\n100012,0,51\n")
    return folder


def test_tables_of_the_lung_screening_trial_go_by_person_and_year(engine: EngineProcess, tmp_path: Path) -> None:
    tables, source = nlst_tables(tmp_path / "tables"), tmp_path / "scans"
    scans = {
        "soft": ("100012", "19990102"), "sharp": ("100012", "19990102"), "later": ("100012", "20000102"),
        "cancer": ("100158", "20010102"), "other": ("100158", "20000102"), "unread": ("100999", "19990102"),
        "stranger": ("200000", "19990102"), "undated": ("100012", "19700101"),
    }  # fmt: skip
    uids = {
        name: write_series(source / name, LINE, seed=n, PatientID=pid, StudyDate=day, PatientSex=None, PatientAge=None)
        for n, (name, (pid, day)) in enumerate(scans.items())
    }
    with room(tmp_path / "data", engine.url, tiny_registry(TinyEncoder())) as ingesting:
        job = ingesting.ingest(source, "nlst", layout="ct", window="lung", tables=tables)
        assert job.state is JobState.SUCCEEDED, job.error
        assert job.progress.counts == {"stored": 8}
        found = {name: images.get(ingesting.facts, [image_id("nlst", uid)])[image_id("nlst", uid)]
                 for name, uid in uids.items()}  # fmt: skip
        people = {name: (r.patient_id, r.sex, r.age, r.race, r.study_order) for name, r in found.items()}
        assert people == {
            "soft": ("100012", "M", 61.0, "White", 0), "sharp": ("100012", "M", 61.0, "White", 0),
            "later": ("100012", "M", 62.0, "White", 1),
            "cancer": ("100158", "F", 76.0, "American Indian or Alaskan Native", 2),
            "other": ("100158", "F", 75.0, "American Indian or Alaskan Native", 1),
            "unread": ("100999", "F", 55.0, None, 0),
            "stranger": ("200000", None, None, None, None), "undated": ("100012", None, None, None, None),
        }  # fmt: skip
        said = {name: {(label.name, label.state.value, label.implicit) for label in record.labels}
                for name, record in found.items()}  # fmt: skip
        assert {row for row in said["soft"] if row[1] == "present"} == {
            ("nodule", "present", False), ("emphysema", "present", False),
        }  # fmt: skip
        assert said["soft"] == said["sharp"] and len(said["soft"]) == 15 + 1
        assert ("consolidation", "absent", True) in said["soft"] and ("lung_cancer", "absent", False) in said["soft"]
        assert ("no_finding", "present", False) in said["later"] and ("nodule", "absent", True) in said["later"]
        assert said["cancer"] == set(), "the cancer is another year's, and nobody read this scan"
        assert ("lung_cancer", "present", False) in said["other"]
        assert ("no_finding", "present", False) not in said["other"], "it has an abnormality, if no common one"
        assert said["unread"] == {("lung_cancer", "absent", False)} and said["stranger"] == said["undated"] == set()
        assert {label.level for label in found["soft"].labels} == {"study"} and found["soft"].date_kind == "ordinal"
        again = ingesting.ingest(source, "nlst", layout="ct", window="lung", tables=tables)
        assert again.progress.counts == {"unchanged": 8}
        write(tables / "nlst_780_ctab_idc_20210527.csv", "pid,study_yr,sct_ab_desc\n100012,1,58\n")
        news = ingesting.ingest(source, "nlst", layout="ct", window="lung", tables=tables)
        assert news.progress.counts == {"stored": 4, "unchanged": 4}, "what the tables say anew of stored series"


def test_slices_take_labels_or_tables_of_a_trial(tmp_path: Path) -> None:
    with pytest.raises(HilumError, match="not both"):
        open_source(tmp_path, "ct", str(tmp_path / "t.csv"), "", str, str(tmp_path))
    with pytest.raises(HilumError, match="prsn"):
        open_source(tmp_path, "ct", "", "", str, str(tmp_path))


def held(ingesting: Room, spec: ModelSpec) -> dict[str, np.ndarray]:
    return dict(zip(*ingesting.store.vectors(spec), strict=True))
