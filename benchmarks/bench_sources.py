"""What an ingest does before and after its encoders: listing, decoding, writing, and how much memory that takes.

    python benchmarks/bench_sources.py                       # everything; some minutes on 2 cores
    python benchmarks/bench_sources.py --only decode         # decode, list, upsert or memory
    python benchmarks/bench_sources.py --only memory --films 1000 100000
    python benchmarks/bench_sources.py --quick

decode   one film of 2500 × 2048 pixels and 12 bits in every transfer syntax that can be written here: Hilum's decoder
         (gate, window, both pictures, hashes, thumbnail) in this process and in its confined child, against
         `pydicom.dcmread(...).pixel_array` alone. Seconds of CPU, rounds in turn.
list     a tree of empty files: `list_endings`, against `os.walk` alone; and the memory of the list.
upsert   rows a second through the gateway, with checks and payloads, against the client's own stub on the same engine.
memory   the most that the process of an ingest has resident, with a table of as many rows, by number of films.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from qdrant_client import QdrantClient
from qdrant_client import models as wire

from benchmarks.bench_sizes import film
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.engine.supervisor import EngineProcess
from services.ingest.decode import decode
from services.ingest.decode_pool import DecodePool
from services.ingest.sources.files import DICOM, PICTURES, list_endings

SYNTAXES = {
    "Implicit VR Little Endian": ImplicitVRLittleEndian, "Explicit VR Little Endian": ExplicitVRLittleEndian,
    "Deflated": DeflatedExplicitVRLittleEndian, "RLE Lossless": RLELossless, "JPEG-LS Lossless": JPEGLSLossless,
    "JPEG 2000 Lossless": JPEG2000Lossless,
}  # fmt: skip


def dicom(syntax: UID, rows: int, columns: int) -> bytes:
    """A DX film with the texture of one: smooth shapes under noise of a few grey levels."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 3600, (20, 16)).astype(np.float32)).resize((columns, rows), 3)
    pixels = np.clip(np.asarray(coarse) + rng.normal(0, 8, (rows, columns)), 0, 4095).astype(np.uint16)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.10.1338.1"
    d = Dataset()
    d.file_meta = meta
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.Modality, d.BodyPartExamined, d.ViewPosition, d.PatientID = "DX", "CHEST", "PA", "bench"
    d.PresentationIntentType, d.PhotometricInterpretation = "FOR PRESENTATION", "MONOCHROME2"
    d.Rows, d.Columns, d.SamplesPerPixel = rows, columns, 1
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.WindowCenter, d.WindowWidth, d.RescaleSlope, d.RescaleIntercept = 2048, 4096, 1, 0
    d.PixelData = pixels.tobytes()
    if syntax.is_encapsulated:
        d.compress(syntax)
    else:
        meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    d.save_as(out, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    return out.getvalue()


def seconds(call: Callable[[], object], children: Callable[[], float] = lambda: 0.0) -> float:
    """CPU time of one call, this process' and `children`'s: what a busy machine does not change."""
    before = time.process_time() + children()
    call()
    return time.process_time() + children() - before


def decoding(quick: bool) -> dict[str, Any]:
    """Syntax → CPU milliseconds: pydicom alone, our decoder, our decoder in its child."""
    rows, columns, rounds = (512, 512, 2) if quick else (2500, 2048, 5)
    found = {}
    with_pool = DecodePool(1)

    def child() -> float:
        ticks = (Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13] for pid in with_pool.pids())
        return sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")

    for name, syntax in SYNTAXES.items():
        data = dicom(syntax, rows, columns)
        legs: dict[str, tuple[Callable[[], object], Callable[[], float]]] = {
            "pydicom": (lambda d=data: pydicom.dcmread(io.BytesIO(d)).pixel_array, lambda: 0.0),
            "decode": (lambda d=data: decode(d), lambda: 0.0),
            "child": (lambda d=data: with_pool.decode(d), child),
        }
        times: dict[str, list[float]] = {leg: [] for leg in legs}
        for call, _ in legs.values():
            call()
        for _ in range(rounds):
            for leg, (call, others) in legs.items():
                times[leg].append(seconds(call, others))
        ms = {leg: 1000 * statistics.median(values) for leg, values in times.items()}
        found[name] = {
            "megabytes": round(len(data) / 1e6, 2), **{leg: round(value, 1) for leg, value in ms.items()},
            "decode / pydicom": round(ms["decode"] / ms["pydicom"], 2),
            "child / pydicom": round(ms["child"] / ms["pydicom"], 2),
        }  # fmt: skip
    with_pool.close()
    return found


def listing(quick: bool, home: Path) -> dict[str, Any]:
    """Empty files in folders of 500, as MIMIC's are nested: two levels."""
    count = 5_000 if quick else 500_000
    for folder in range(count // 500):
        place = home / f"p{folder % 10}" / f"p{folder:06d}"
        place.mkdir(parents=True)
        for number in range(500):
            (place / f"{number:04d}.jpg").touch()
    walk, ours = [], []
    for _ in range(3):
        walk.append(seconds(lambda: sum(len(files) for _, _, files in os.walk(home))))
        ours.append(seconds(lambda: list_endings(home, (*PICTURES, *DICOM))))
    tracemalloc.start()
    films = list_endings(home, (*PICTURES, *DICOM))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(films) == count
    return {
        "files": count, "os.walk, CPU s": round(min(walk), 2), "list_endings, CPU s": round(min(ours), 2),
        "list_endings / os.walk": round(min(ours) / min(walk), 2), "bytes a file kept": round(size / count),
    }  # fmt: skip


def upserting(quick: bool, home: Path) -> dict[str, Any]:
    """Batches of 500 films of 768 numbers with their payloads; alternating, each into a collection of its own."""
    rounds, size, dim = (2, 100, 64) if quick else (10, 500, 768)
    rng = np.random.default_rng(0)
    spec = ModelSpec("bench", "1", "0" * 64, "none", "none", dim)
    walls: dict[str, list[float]] = {"client": [], "gateway": []}
    with EngineProcess(home / "engine", index_after=10**9, log_file=home / "engine.log") as engine:
        store = VectorStore(engine.url)
        store.ensure(spec)
        client = QdrantClient(
            host="127.0.0.1", grpc_port=engine.port, prefer_grpc=True, check_compatibility=False, timeout=60
        )
        config = wire.VectorParams(size=dim, distance=wire.Distance.COSINE)
        client.create_collection("bare", vectors_config={"image": config})
        for name, schema in store._at(spec.collection).get_collection(spec.collection).payload_schema.items():
            client.create_payload_index("bare", name, schema.data_type)
        for number in range(rounds):
            films = [film(number * size + k) for k in range(size)]
            vectors = rng.standard_normal((size, dim), np.float32)
            ids, carried = [record.image_id for record in films], [payload(record) for record in films]
            points = [
                wire.PointStruct(id=i, vector={"image": v}, payload=p)
                for i, v, p in zip(ids, vectors.tolist(), carried, strict=True)
            ]
            legs: dict[str, Callable[[], object]] = {
                "client": lambda p=points: client.upsert("bare", p, wait=True),
                "gateway": lambda i=ids, v=vectors, c=carried: store.upsert(spec, i, v, c),
            }
            for leg, call in sorted(legs.items(), reverse=bool(number % 2)):
                started = time.perf_counter()
                call()
                walls[leg].append(time.perf_counter() - started)
        client.close()
        store.close()
    rate = {leg: size / statistics.median(times) for leg, times in walls.items()}
    return {
        "rows a batch": size, "numbers": dim, "client, rows/s": round(rate["client"]),
        "gateway, rows/s": round(rate["gateway"]), "gateway / client": round(rate["gateway"] / rate["client"], 2),
    }  # fmt: skip


def memory(sizes: list[int], home: Path) -> dict[str, Any]:
    """Films → most resident MiB of the process that ingests them."""
    context = multiprocessing.get_context("spawn")
    found: dict[str, Any] = {}
    for count in sizes:
        answers = context.SimpleQueue()
        process = context.Process(target=ingest_of, args=(count, home / str(count), answers))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"the ingest of {count} films failed")
        found[f"{count} films"] = answers.get()
        shutil.rmtree(home / str(count))
    most = [figures["most resident, MiB"] for figures in found.values()]
    return {**found, "last / first": round(most[-1] / most[0], 2)}


def ingest_of(count: int, home: Path, answers: Any) -> None:
    """An ingest of `count` small pictures with a table of as many rows and a tiny encoder, in this process."""
    from services.core.types import JobState
    from tests.kit.encoders import TinyEncoder, tiny_registry
    from tests.kit.ingesting import room

    films = home / "films"
    films.mkdir(parents=True)
    for number in range(count):
        coarse = np.random.default_rng(number).integers(0, 256, (12, 12), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64)).save(films / f"{number:06d}.png", compress_level=1)
    with (home / "labels.csv").open("w") as table:
        table.write("file,patient_id,study_id,view,sex,age,label:edema,label:mass\n")
        for n in range(count):
            table.write(f"{n:06d}.png,p{n // 3},s{n // 2},PA,F,{20 + n % 70},1,0\n")
    with (
        EngineProcess(home / "engine", log_file=home / "engine.log") as engine,
        room(home / "data", engine.url, tiny_registry(TinyEncoder())) as opened,
    ):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        worker, job = opened.worker(), opened.submit(films, labels=home / "labels.csv")
        worker.start()
        done = opened.wait(job.job_id, 7200)
        worker.stop()
        assert done.state is JobState.SUCCEEDED and done.result["stored"] == count, done
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers.put(
        {"most resident, MiB": round(after / 1024), "of it before the job": round(before / 1024),
         "films/s": done.result["films_per_second"]}
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["decode", "list", "upsert", "memory"])
    parser.add_argument("--films", type=int, nargs="*", default=[1_000, 5_000, 20_000], help="sizes for memory")
    parser.add_argument("--quick", action="store_true", help="small sizes: see that it runs, quote nothing")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="hilum-sources-"))
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "decode": lambda: decoding(options.quick),
        "list": lambda: listing(options.quick, home / "list"),
        "upsert": lambda: upserting(options.quick, home / "upsert"),
        "memory": lambda: memory([200, 400] if options.quick else options.films, home / "memory"),
    }
    try:
        for name, run in runs.items():
            if options.only in (None, name):
                (home / name).mkdir()
                print(json.dumps({name: run()}, indent=1), flush=True)
                shutil.rmtree(home / name)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
