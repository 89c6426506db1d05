"""Phantom films: the same pixels twice, findings where they belong, and an archive that says what it shows."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest

from services.phantom.claims import FALSE, TRUE, UNKNOWN, Claim, Truths, agreement, all_hold
from services.phantom.film import display, render
from services.phantom.labels import label_row
from services.phantom.population import population
from services.phantom.reports import report_rng, write_report
from services.phantom.sentences import Text, mirrored
from services.phantom.train.wordpiece import vocabulary
from services.phantom.truth import SLOTS, Findings, PhantomFilm
from services.phantom.write import write_archive

SIZE = 128


def halves(change: np.ndarray) -> tuple[float, float]:
    """Mean absolute change of the image's left half (the patient's right) and of its right half."""
    size = np.abs(change.astype(float))
    return size[:, : SIZE // 2].mean(), size[:, SIZE // 2 :].mean()


def test_same_arguments_give_the_same_pixels() -> None:
    film = PhantomFilm(patient=3, study=1, view="AP", findings=Findings(edema=0.6, nodule_left=0.5))
    assert np.array_equal(render(film, SIZE), render(film, SIZE))


@pytest.mark.parametrize("other", [
    PhantomFilm(patient=1), PhantomFilm(study=1), PhantomFilm(view="AP"), PhantomFilm(sex="F"), PhantomFilm(age=80),
    PhantomFilm(findings=Findings(cvc=1)),
])  # fmt: skip
def test_every_argument_shows(other: PhantomFilm) -> None:
    assert not np.array_equal(render(PhantomFilm(), SIZE), render(other, SIZE))


def test_pixels_are_twelve_bits_with_bone_bright() -> None:
    pixels = render(PhantomFilm(), SIZE)
    assert pixels.dtype == np.uint16 and pixels.shape == (SIZE, SIZE)
    assert 3500 < pixels.max() <= 4095
    lung, spine = pixels[50:60, 34:42].mean(), pixels[50:60, 62:66].mean()
    assert spine > 2 * lung
    assert display(pixels).dtype == np.uint8


@pytest.mark.parametrize("finding", ["effusion", "consolidation", "pneumothorax", "atelectasis", "nodule"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_finding_lies_on_its_side(finding: str, side: str) -> None:
    """The patient's right is the image's left: mirrored films would be the worst of errors."""
    plain = render(PhantomFilm(), SIZE, dose=1e9).astype(int)
    shown = render(PhantomFilm(findings=Findings(**{f"{finding}_{side}": 0.6})), SIZE, dose=1e9).astype(int)
    right, left = halves(shown - plain)
    assert (right > 1.3 * left) if side == "right" else (left > 1.3 * right)


def test_population_is_deterministic_exact_and_apart_from_other_seeds() -> None:
    first, again, other = (list(population(150, seed)) for seed in (4, 4, 5))
    assert first == again
    assert sum(len(s.films) for s in first) == 150
    assert not {s.patient for s in first} & {s.patient for s in other}
    assert {f.view for s in first for f in s.films} == {"PA", "AP", "LATERAL"}


def test_population_has_normals_repeats_and_change() -> None:
    studies = list(population(1500, 1))
    films = [f for s in studies for f in s.films if f.view != "LATERAL"]
    normal = np.mean([label_row(f)["No Finding"] == "1" for f in films])
    assert 0.25 < normal < 0.45
    by_patient: dict[int, list[Findings]] = {}
    for s in studies:
        by_patient.setdefault(s.patient, []).append(s.findings)
    assert {len(v) for v in by_patient.values()} == {1, 2, 3, 4}
    assert sum(len(set(v)) > 1 for v in by_patient.values()) > 100


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        render(PhantomFilm(), 10)
    with pytest.raises(ValueError, match="at least 1"):
        list(population(0, 1))


def test_labels_follow_severity_and_leave_the_unseen_unknown() -> None:
    findings = Findings(effusion_right=0.5, edema=0.12, pacemaker=1)
    row = label_row(PhantomFilm(findings=findings))
    assert (row["Pleural Effusion"], row["Pleural Effusion Right"], row["Pleural Effusion Left"]) == ("1", "1", "0")
    assert (row["Edema"], row["Support Devices"], row["No Finding"], row["Lung Lesion"]) == ("-1", "1", "0", "0")
    lateral = label_row(PhantomFilm(view="LATERAL", findings=Findings(nodule_left=0.5)))
    assert lateral["Lung Lesion"] == lateral["Pleural Effusion Left"] == lateral["No Finding"] == ""
    assert lateral["Pleural Effusion"] == "0"


def test_claims_know_true_false_and_unknown() -> None:
    truths = Truths.of([
        PhantomFilm(findings=Findings(effusion_right=0.9)), PhantomFilm(findings=Findings(effusion_left=0.3)),
        PhantomFilm(), PhantomFilm(view="LATERAL", findings=Findings(effusion_left=0.3)),
        PhantomFilm(findings=Findings(effusion_right=0.12)),
    ])  # fmt: skip
    assert agreement(Claim("effusion"), truths).tolist() == [TRUE, TRUE, FALSE, TRUE, UNKNOWN]
    assert agreement(Claim("effusion", "right"), truths).tolist() == [TRUE, FALSE, FALSE, UNKNOWN, UNKNOWN]
    assert agreement(Claim("effusion", band="large"), truths).tolist() == [TRUE, FALSE, FALSE, FALSE, UNKNOWN]
    assert agreement(Claim("effusion", present=False), truths).tolist() == [FALSE, FALSE, TRUE, FALSE, UNKNOWN]
    both = [Claim("effusion"), Claim("effusion", "left", present=False)]
    assert all_hold(both, truths).tolist() == [TRUE, FALSE, FALSE, UNKNOWN, UNKNOWN]


def test_reports_are_true_of_their_films_and_vary() -> None:
    films = [s.films[0] for s in population(200, 8)]
    reports = [write_report(f, report_rng(f)) for f in films]
    for film, report in zip(films, reports, strict=True):
        claims = (*report.findings.claims, *report.impression.claims)
        assert all_hold(claims, Truths.of([film]))[0] == TRUE, report
    assert len({r.findings.words for r in reports}) > 0.98 * len(reports)
    assert write_report(films[0], report_rng(films[0])) == reports[0]


def test_a_mirror_twin_exchanges_sides_in_words_and_claims() -> None:
    twin = mirrored(Text("Small right effusion, left lung clear", (Claim("effusion", "right", "small"),)))
    assert twin == Text("Small left effusion, right lung clear", (Claim("effusion", "left", "small"),))
    assert mirrored(Text("no edema", (Claim("edema", present=False),))) is None


def test_the_vocabulary_holds_every_word_of_the_reports() -> None:
    known = set(vocabulary())
    for film in (s.films[0] for s in population(300, 8)):
        report = write_report(film, report_rng(film))
        words = (report.findings.words + " " + report.impression.words).lower()
        for mark in ".,;:-'":
            words = words.replace(mark, " ")
        assert set(words.split()) <= known | {w + "s" for w in known} | {w[:-1] + "ies" for w in known}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom")
    seen: list[tuple[int, int]] = []
    write_archive(out, n=24, seed=2, size=96, workers=2, progress=lambda done, n: seen.append((done, n)))
    assert seen == [(i + 1, 24) for i in range(24)]
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_archive_tables_match_its_files(archive: Path) -> None:
    labels, truth, reports = (rows(archive / f"{name}.csv") for name in ("labels", "truth", "reports"))
    files = {p.relative_to(archive).as_posix() for p in archive.rglob("*.dcm")}
    assert {r["file"] for r in labels} == {r["file"] for r in truth} == files and len(labels) == 24
    assert {r["study_id"] for r in labels} == {r["study_id"] for r in reports}
    for label, true in zip(labels, truth, strict=True):
        if label["view"] != "LATERAL":
            worst = max(float(true["effusion_right"]), float(true["effusion_left"]))
            assert label["Pleural Effusion"] == ("1" if worst >= 0.18 else "-1" if worst >= 0.08 else "0")
    assert set(truth[0]) == {"file", *SLOTS}


def test_archive_reads_back_as_what_was_rendered(archive: Path) -> None:
    films = {f"{f.patient:08d}/{f.study}/{f.view}": f for s in population(24, 2) for f in s.films}
    inverted = 0
    for row in rows(archive / "labels.csv"):
        d = pydicom.dcmread(archive / row["file"])
        assert (d.SOPInstanceUID, d.PatientID, d.StudyInstanceUID) == (
            row["dicom_id"], row["patient_id"], row["study_id"])  # fmt: skip
        assert d.Modality == "DX" and d.BitsStored == 12 and d.PatientIdentityRemoved == "YES"
        pixels = d.pixel_array
        if d.PhotometricInterpretation == "MONOCHROME1":
            pixels, inverted = 4095 - pixels, inverted + 1
        film = films[f"{int(d.PatientID[1:]):08d}/{int(d.StudyID) - 1}/{row['view']}"]
        assert np.array_equal(pixels, render(film, 96))
    assert 0 < inverted < 12


def test_archive_is_the_same_bytes_again(archive: Path, tmp_path: Path) -> None:
    write_archive(tmp_path, n=24, seed=2, size=96, workers=1)
    for path in sorted(archive.rglob("*.*")):
        again = tmp_path / path.relative_to(archive)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()
