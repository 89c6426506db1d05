"""How large an archive gets and how long its films take, by formulas with measured constants.

Every constant says what it was measured on; `benchmarks/bench_sizes.py` builds archives and compares. Sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

from services.core.store import INDEXES
from services.core.store.payload import LISTS
from services.engine.fleet import LANES

# The embedded engine (Qdrant Edge 0.9.0), films with six stated findings of seven: `bench_sizes.py`. Payloads, log and
# memory at 1,000 and 5,000 films, the rest at 300 to 20,000.
_PAYLOAD, _PAYLOAD_LABEL = 545, 35  # of a film; of each finding stated
_INDEX, _INDEX_BASE = 30.4, 48_500  # of a film in each index; of each index
_LINKS = 3.9  # times log2 of the films: 32 links of a film in the graph, each of log2(films) bits
_LOG, _LOG_NUMBER, _LOG_MOST = 700, 5, 2 * 32 * 2**20  # of a film; of each number of its vector; the log's two segments
# A row with its share of the indexes: SQLite 3 (`dbstat`) and PostgreSQL 15 (`pg_total_relation_size`), 5,000 films.
_ROWS = {
    "sqlite": {"film": 834, "label": 222, "ledger": 383, "item": 274, "base": 150_000},
    "postgresql": {"film": 944, "label": 322, "ledger": 523, "item": 287, "base": 8_110_000},
}
_THUMBNAIL = 33_400  # 120 public films of 512 pixels and more, in blocks of 4 KiB
# An atlas (Parquet): a film's picture of 112 pixels, of 64, of 48; how much all may take; and a film's other columns.
_PICTURES, _ATLAS_PICTURES, _ATLAS_ROW = (2_207, 917, 532), 96 * 2**20, 240
# Resident without a film: of an engine process, code included; of each further one; of each collection, the pages that
# its two segments keep for payloads; of each index, those of the segment that takes new films.
_ENGINE, _LANE, _COLLECTION, _FIELD = 75 * 2**20, 32 * 2**20, 64 * 2**20, 3 * 2**20
# Seconds of CPU that a film of 512 pixels takes beside its encoders: an ingest with an encoder that costs nothing.
_AROUND = 0.011

# Films a second on one core of an AMD EPYC (Zen 3, AVX2), float32. The bundled: one thread, batches of 32. The others:
# random weights of the published size on two cores, halved.
RATES: Mapping[str, float] = {
    "hilum-cxr-clip": 447.0, "hilum-cxr-dino": 330.0, "biomedclip": 3.55 / 2, "rad-dino": 0.468 / 2,
    "rad-dino-maira-2": 0.468 / 2, "medsiglip": 0.131 / 2,
}  # fmt: skip

MEASURED = ("vectors", "quantised", "graph", "payloads", "indexes", "log", "facts")  # what the benchmark compares


@dataclass(frozen=True, slots=True)
class Vectors:
    """What one encoder stores of a film: `tokens` vectors of `dim` numbers."""

    name: str
    dim: int
    tokens: int = 1

    def bytes(self, films: int) -> int:
        return films * self.dim * self.tokens * 4

    def quantised(self, films: int) -> int:
        """One byte a number and four for the scale of each vector; several vectors of a film are never quantised."""
        return films * (self.dim + 4) if self.tokens == 1 else 0

    def graph(self, films: int) -> int:
        """Several vectors of a film are compared one by one: they have no graph."""
        return round(films * _LINKS * log2(max(films, 2))) if self.tokens == 1 else 0

    def log(self, films: int) -> int:
        return min(films * (_LOG + _LOG_NUMBER * self.dim * self.tokens), _LOG_MOST)


def disk(
    films: int, models: Sequence[Vectors], labels: float = 6, findings: int = 7, quantisation: str = "int8",
    facts: str = "sqlite",
) -> dict[str, int]:  # fmt: skip
    """Component → bytes on disk. labels: findings stated of a film, on average; findings: different ones."""
    fields, rows = _fields(findings), _ROWS[facts]
    of_film = rows["film"] + labels * rows["label"] + len(models) * rows["ledger"] + rows["item"]
    return {
        "vectors": sum(model.bytes(films) for model in models),
        "quantised": sum(model.quantised(films) for model in models) if quantisation == "int8" else 0,
        "graph": sum(model.graph(films) for model in models),
        "payloads": round(len(models) * films * (_PAYLOAD + _PAYLOAD_LABEL * labels)),
        "indexes": round(len(models) * fields * (_INDEX_BASE + _INDEX * films)),
        "log": sum(model.log(films) for model in models),
        "facts": round(rows["base"] + films * of_film),
        "thumbnails": films * _THUMBNAIL,
    }


def _fields(findings: int) -> int:
    """Of a collection, each with an index."""
    return len(INDEXES) + len(LISTS) + findings


def atlas(films: int, models: int) -> int:
    """Bytes of one analysis' atlases."""
    return models * films * (picture(films) + _ATLAS_ROW)


def picture(films: int) -> int:
    """Bytes of a film's picture in an atlas of so many; of large ones on average, as not every film has one."""
    return next((size for size in _PICTURES if films * size <= _ATLAS_PICTURES), _ATLAS_PICTURES // max(films, 1))


def memory(
    parts: Mapping[str, int], models: int = 1, findings: int = 7, several: int = 0, engines: int = LANES
) -> tuple[int, int]:
    """Resident bytes of the engine: so that a search reads no disk but for rescoring, and with everything cached.

    models: collections.  findings: different ones.  several: bytes of vectors that are never quantised.  engines: its
    processes.
    """
    empty = _ENGINE + (engines - 1) * _LANE + models * (_COLLECTION + _fields(findings) * _FIELD)
    compared = parts["quantised"] + several if parts["quantised"] else parts["vectors"]
    least = empty + compared + parts["graph"] + parts["indexes"]
    return least, least + (parts["vectors"] - several if parts["quantised"] else 0) + parts["payloads"] + parts["log"]


def encode_hours(films: int, rate: float) -> float:
    """Hours at `rate` films a second."""
    return films / rate / 3600


def around_hours(films: int, cores: int) -> float:
    """Hours of reading, decoding and writing on `cores`."""
    return films * _AROUND / cores / 3600


def together(encoding: float, around: float, device: str) -> float:
    """On a CPU both want the same cores; beside an accelerator the longer one hides the other."""
    return encoding + around if device == "cpu" else max(encoding, around)
