"""Describing and sampling a large archive's facts: CPU and wall seconds by stage, on synthetic rows.

    python benchmarks/bench_eda.py                                        # smoke: 20,000 films
    python benchmarks/bench_eda.py --films 2000000 --rows 160000 --columns 388 --sample 100000

Films have 20 stated fields and fourteen findings of two sources, five films a patient, a known few of whom are in two
splits; the side table has numbers in nine columns of ten, a fifth of its cells blank. Labels are written as the sets of
statements that films share, which is what is read. Nothing is encoded: no vector is looked at.

Read the CPU seconds: wall times carry what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

FINDINGS = (
    "no_finding", "enlarged_cardiomediastinum", "cardiomegaly", "lung_opacity", "lung_lesion", "edema",
    "consolidation", "pneumonia", "atelectasis", "pneumothorax", "pleural_effusion", "pleural_other", "fracture",
    "support_devices",
)  # fmt: skip
SETS, PART = 40_000, 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--sample", type=int, default=1_000)
    parser.add_argument("--keep", type=Path, help="a folder for the archive, to be used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = options.keep or Path(temporary)
        if not (home / "facts.db").exists():
            with spent("writing the archive (once)"):
                write(home, options.films, options.rows, options.columns)
        measure(home, options.sample)


@contextmanager
def spent(what: str) -> Iterator[None]:
    """Print what a block takes; a child's CPU counts."""
    wall, cpu = time.perf_counter(), _cpu()
    yield
    load = os.getloadavg()[0]
    print(f"| {what} | {time.perf_counter() - wall:.1f} | {_cpu() - cpu:.1f} | {load:.1f} |", flush=True)


def _cpu() -> float:
    each = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in each)


def measure(home: Path, size: int) -> None:
    """Every stage of a description and of a sample."""
    from services.analytics import frame, variables
    from services.analytics.eda import fields, people, sides
    from services.analytics.eda.asked import EdaAsked
    from services.analytics.eda.findings import findings
    from services.analytics.progress import Progress
    from services.analytics.sampling.asked import SamplingAsked
    from services.analytics.sampling.represent import likeness
    from services.analytics.sampling.work import draw
    from services.core.facts import open_facts

    facts = open_facts(f"sqlite:///{home / 'facts.db'}")
    print("| | wall s | CPU s | load |\n|---|---|---|---|")
    with spent("films as columns"):
        films = frame.load(facts, "", [], EdaAsked.fields, Progress())
    with spent("every field, by dataset"):
        where = fields.sites(films)
        for name in variables.TEXT:
            fields.words(films, name, where)
        for name in variables.NUMBERS:
            fields.numbers(films, name, where)
        fields.years(films, "study_date", where)
    with spent("findings by state and source, together"):
        findings(films, where)
    with spent("patients, studies, leakage, shared pixels"):
        people.people(films, where)
        leaks = people.twice(films, "patient_id", "split")
        people.twice(films, "patient_id", "sex")
        people.twice(films, "study_id", "patient_id")
        people.same_pixels(facts, films)
    with spent("side table"):
        looked = list(sides.every(facts, films, home / "spill", Progress()))
    asked = SamplingAsked(by=("view", "sex", "age_band", "labels.edema"), sample_size=size, per_patient=2)
    with spent(f"draw of {size:,} by four variables, two a patient"):
        drawn = draw(films, np.ones(len(films), bool), asked)
    with spent("likeness with intervals"):
        every = variables.every(films)
        people_of = np.unique(films.patients[drawn.rows], return_inverse=True)[1].astype(np.int32)
        found = likeness(every, drawn.rows, people_of, 0, Progress())
    cells = sum(side.rows * len(side.cells) for side in looked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"\n{len(films):,} films, {cells:,} cells, {len(leaks.who)} patients in two splits, {len(drawn.strata)} strata,"
        f" {len(found)} variables; peak {peak} MiB"
    )


def write(home: Path, films: int, rows: int, columns: int) -> None:
    """An archive of nothing but facts."""
    from services.core.facts import open_facts
    from services.core.facts.profiles import profile

    home.mkdir(parents=True, exist_ok=True)
    open_facts(f"sqlite:///{home / 'facts.db'}").close()
    random = np.random.default_rng(0)
    db = sqlite3.connect(home / "facts.db")
    db.execute("PRAGMA synchronous=OFF")
    said = {}
    for _ in range(min(SETS, films)):
        stated = [f for f in FINDINGS if random.random() < 0.5]
        states = random.choice(["present", "absent", "uncertain"], len(stated), p=[0.3, 0.6, 0.1]).tolist()
        other = [s if random.random() < 0.95 else "uncertain" for s in states]
        both = [*zip(stated, ["chexpert"] * len(stated), states, strict=True),
                *zip(stated, ["negbio"] * len(stated), other, strict=True)]  # fmt: skip
        number, text = profile(both)
        said[number] = text
    db.executemany("INSERT INTO profiles VALUES (?, ?)", [(n, t) for n, t in said.items() if t])
    numbers = np.array(list(said))
    share = 1 / np.arange(1, len(numbers) + 1) ** 0.7
    names = [row[1] for row in db.execute("PRAGMA table_info(images)")]
    fill = f"INSERT INTO images VALUES ({', '.join('?' * len(names))})"
    for start in range(0, films, PART):
        known = _films(random, start, min(PART, films - start))
        known["profile"] = random.choice(numbers, len(known["image_id"]), p=share / share.sum()).tolist()
        nothing = [None] * len(known["image_id"])
        db.executemany(fill, zip(*(known.get(name, nothing) for name in names), strict=True))
        db.commit()
    _side(db, random, rows, columns)
    db.commit()
    db.close()


def _films(random: np.random.Generator, start: int, count: int) -> dict[str, list[object]]:
    ids = random.bytes(16 * count).hex()
    pixels = random.bytes(32 * count).hex()
    film = np.arange(start, start + count)
    patient = film // 5
    pick = random.choice
    known: dict[str, list[object]] = {
        "image_id": [f"{i[:8]}-{i[8:12]}-5{i[13:16]}-a{i[17:20]}-{i[20:]}" for i in _cut(ids, 32)],
        "patient_id": [f"p-{one:016x}" for one in patient.tolist()],
        "study_id": [f"s-{one:016x}" for one in (film // 2).tolist()],
        "dataset": np.array(["chexpert", "emory", "mimic"])[patient % 3].tolist(),
        "view": pick(np.array(["PA", "AP", "LATERAL", None], object), count, p=[0.3, 0.4, 0.25, 0.05]).tolist(),
        "sex": np.where(patient % 20 == 0, None, np.where(patient % 2, "M", "F").astype(object)).tolist(),
        "split": np.where((patient % 10 == 0) | (film % 20_000 == 7), "test", "train").tolist(),
        "age": np.where(random.random(count) < 0.1, None, random.normal(60, 18, count).round().astype(object)).tolist(),
        "study_date": [f"{y}-{m:02d}-15" for y, m in random.integers((2010, 1), (2024, 13), (count, 2)).tolist()],
        "modality": pick(["DX", "CR"], count).tolist(), "orientation": pick(["erect", "supine"], count).tolist(),
        "manufacturer": pick(list("ABCDE"), count).tolist(), "institution": pick(list("XYZ"), count).tolist(),
        "device": [f"device {one}" for one in random.integers(0, 200, count).tolist()],
        "race": pick(np.array(["white", "black", "asian", None], object), count).tolist(),
        "rows": pick([2048, 2500, 3056], count).tolist(), "columns": pick([2048, 2500, 3056], count).tolist(),
        "bits_stored": pick([12, 14], count).tolist(), "pixel_spacing": pick([0.139, 0.143, 0.175], count).tolist(),
        "bytes_sha256": _cut(pixels, 64), "pixel_sha256": _cut(pixels, 64),
    }  # fmt: skip
    same = {
        "licence": "a licence", "view_source": "stated", "body_part": "CHEST", "photometric": "MONOCHROME2",
        "phash": "0", "date_kind": "shifted", "burned_in": "no", "thumbnail": "0" * 64,
        "created_at": "2026", "updated_at": "2026",
    }  # fmt: skip
    return {**known, **{name: [value] * count for name, value in same.items()}}


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _side(db: sqlite3.Connection, random: np.random.Generator, rows: int, columns: int) -> None:
    kinds = {f"measure_{n}": "text" if n % 10 == 9 else "number" for n in range(columns)}
    db.executemany(
        "INSERT INTO side_columns (dataset, side, name, level, kind, title)"
        " VALUES ('emory', 'sdoh', ?, 'patient', ?, ?)",
        [(name, kind, name) for name, kind in kinds.items()],
    )
    fill = "INSERT INTO side_rows (dataset, side, key, level, facts) VALUES ('emory', 'sdoh', ?, 'patient', ?)"
    for start in range(0, rows, 2_000):
        values = random.normal(50, 20, (min(2_000, rows - start), columns)).round(3)
        blank = random.random(values.shape) < 0.2
        told = []
        for row, (mine, hidden) in enumerate(zip(values.tolist(), blank.tolist(), strict=True), start):
            cells: dict[str, dict[str, object]] = {"number": {}, "text": {}}
            for (name, kind), value, hide in zip(kinds.items(), mine, hidden, strict=True):
                if not hide:
                    cells[kind][name] = value if kind == "number" else "abcde"[int(value) % 5]
            told.append((f"p-{3 * row + 1:016x}", json.dumps(cells)))
        db.executemany(fill, told)


if __name__ == "__main__":
    main()
