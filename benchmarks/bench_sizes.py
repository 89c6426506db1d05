"""What an archive takes on disk and in memory, against what `hilum plan` says that it takes.

    python benchmarks/bench_sizes.py                # 1,000, 5,000 and 20,000 films of 256 numbers
    python benchmarks/bench_sizes.py --n 5000 --dim 768

Films are made up, everything else is real: vectors, graph and payloads in the embedded engine, facts in SQLite, all
with the fields, labels and indexes that an ingest writes. Sizes are those that the file system has given (`st_blocks`),
for engines keep files with holes. Thumbnails are of phantom films, made by the decoder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from qdrant_client.models import CollectionStatus

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.analytics import snapshot
from services.analytics.cluster import Partition
from services.analytics.graph import Graph
from services.analytics.sample import Sample
from services.app import sizing
from services.core.facts import images, jobs, models, open_facts
from services.core.facts.images import Stored
from services.core.ids import image_id, pseudonym
from services.core.labels import Label, LabelState
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord, JobItem, Outcome
from services.engine.supervisor import EngineProcess

FINDINGS = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
LABELS = 6
BATCH = 500
AFTER = 100  # films outside the graph that start a round of indexing


def film(number: int) -> ImageRecord:
    """A film as large archives have them: pseudonyms, one patient in three films, six stated findings."""
    digest = sha256(str(number).encode()).hexdigest()
    states = list(LabelState)[:3]
    return ImageRecord(
        image_id("synthetic", f"film-{number}"), "synthetic",
        patient_id=pseudonym(b"bench", "patient", "synthetic", str(number // 3)),
        study_id=pseudonym(b"bench", "study", "synthetic", str(number // 2)),
        series_id=pseudonym(b"bench", "series", "synthetic", str(number)),
        view=("PA", "AP", "LATERAL")[number % 3], view_source="stated", sex="MF"[number % 2],
        age=float(20 + number % 70), study_date=f"2{number % 100:03d}-0{1 + number % 9}-1{number % 10}",
        date_kind="shifted", modality="DX",
        rows=2500, columns=2048, bytes_sha256=digest, pixel_sha256=digest[::-1], phash=digest[:16], split="train",
        manufacturer="ACME", device="X 100", bits_stored=12, photometric="MONOCHROME2", burned_in="no",
        labels=tuple(Label(FINDINGS[(number + k) % 7], states[(number + k) % 3], "table") for k in range(LABELS)),
    )  # fmt: skip


def allocated(folder: Path) -> int:
    """Bytes that the file system has given to the files of a folder."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def parts(shard: Path) -> Mapping[str, int]:
    """An engine's files by what they are for."""
    found = Counter[str]()
    for path in shard.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(shard))
            kind = (
                "quantised" if "quantized" in path.name else "vectors" if "vector_storage" in name
                else "graph" if "vector_index" in name else "payloads" if "payload_storage" in name
                else "log" if "/wal/" in name else "indexes"
            )  # fmt: skip
            found[kind] += path.stat().st_blocks * 512
    return found


def measure(count: int, dim: int, home: Path) -> dict[str, int]:
    """Build an archive of `count` films in `home`; component → bytes."""
    spec = ModelSpec("synthetic", "1", "0" * 64, "none", "none", dim)
    rng = np.random.default_rng(0)
    facts = open_facts(f"sqlite:///{home / 'facts' / 'facts.db'}")
    job = jobs.submit(facts, "ingest", {})
    with EngineProcess(home / "engine", index_after=AFTER, log_file=home / "engine.log") as engine:
        store = VectorStore(engine.url)
        store.ensure(spec)
        store.index_labels(spec, FINDINGS)
        models.note(facts, spec)
        for start in range(0, count, BATCH):
            films = [film(number) for number in range(start, min(start + BATCH, count))]
            ids = [record.image_id for record in films]
            store.upsert(spec, ids, rng.standard_normal((len(ids), dim), np.float32), [payload(r) for r in films])
            with facts.write():
                images.commit(facts, [Stored(record, record.bytes_sha256, (spec.fingerprint,)) for record in films])
                items = [JobItem(r.bytes_sha256[:32], Outcome.STORED, r.image_id) for r in films]
                jobs.record_items(facts, job.job_id, items)
        settled(store, spec)
        store.close()
    facts.close()
    with EngineProcess(home / "engine", log_file=home / "engine.log") as engine:  # anew: without what writing left
        store = VectorStore(engine.url)
        store.query(spec, rng.standard_normal((100, dim), np.float32), 10)
        resident = status_kib(engine.pid or 0) * 1024
        store.close()
    drawn = atlas_of(count, home / "atlas")
    return {**parts(home / "engine"), "facts": allocated(home / "facts"), "atlas": drawn, "memory": resident}


def atlas_of(count: int, folder: Path) -> int:
    """Bytes of an atlas of `count` films with pictures of the size that is common; neighbours at random."""
    rng = np.random.default_rng(0)
    films = Sample(
        [film(number).image_id for number in range(count)], (np.arange(count) // 3).astype(np.int32),
        ["synthetic"] * count, ["PA"] * count, ["F"] * count, np.full(count, 60, np.float32),
        {name: rng.integers(-1, 3, count).astype(np.int8) for name in FINDINGS}, 0,
    )  # fmt: skip
    near = np.sort(rng.random((count, 15), np.float32), axis=1)
    graph = Graph(rng.integers(0, count, (count, 15)).astype(np.int32), near, "exact", 1.0, 0)
    size = sizing.picture(count)
    pictures = [rng.bytes(size) if size else None for _ in range(count)]
    parts_ = {1.0: Partition(rng.integers(0, 20, count).astype(np.int32), 0.5)}
    snapshot.write(folder, "run", films, FINDINGS, graph, parts_, rng.random((count, 2), np.float32), pictures)
    return allocated(folder)


def status_kib(pid: int) -> int:
    """Resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def settled(store: VectorStore, spec: ModelSpec) -> None:
    """Wait until the engine has nothing left to do."""
    deadline, quiet = time.monotonic() + 600, 0
    while quiet < 4:
        if time.monotonic() > deadline:
            raise SystemExit("the engine did not finish its graph")
        time.sleep(1)
        green = store._at(spec.collection).get_collection(spec.collection).status == CollectionStatus.GREEN
        quiet = quiet + 1 if green else 0


def compare(count: int, dim: int) -> dict[str, object]:
    """One size, measured and predicted."""
    home = Path(tempfile.mkdtemp(prefix="hilum-sizes-"))
    try:
        real = measure(count, dim, home)
    finally:
        shutil.rmtree(home)
    told = sizing.disk(count, [sizing.Vectors("synthetic", dim)], LABELS, len(FINDINGS))
    rows = {name: [real.get(name, 0), told[name]] for name in sizing.MEASURED}
    beside = {
        "atlas": [real["atlas"], sizing.atlas(count, 1)], "memory": [real["memory"], sizing.memory(told, engines=1)[1]],
    }  # fmt: skip
    whole = [sum(row[side] for row in rows.values()) for side in (0, 1)]
    return {"films": count, "dim": dim, **rows, "together": whole, **beside}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="*", default=[1_000, 5_000, 20_000])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for count in options.n:
        result = compare(count, options.dim)
        if options.json:
            print(json.dumps(result), flush=True)
            continue
        print(f"\n{count:,} films of {options.dim} numbers{'measured':>26}{'predicted':>12}{'error':>9}", flush=True)
        for name in (*sizing.MEASURED, "together", "atlas", "memory"):
            real, told = result[name]  # type: ignore[misc]
            error = f"{told / real - 1:+9.1%}" if real else ""
            print(f"{name:>40}{real / 2**20:11.2f} MiB{told / 2**20:8.2f} MiB{error}", flush=True)


if __name__ == "__main__":
    main()
