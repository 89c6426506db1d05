"""What a run keeps of every film that was judged, so that a later run can be held against it.

    verdicts.parquet    image_id: 16 bytes, rising; step: at which the film fell, −1 for those chosen; near@<step>: its
                        similarity, for steps that ask for one

These rows name films outside the cohort: `core.cohorts.forget` takes one out when its film is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.analytics.cohort.flow import SELECTED, Flow
from services.core.cohorts import NEAR, VERDICTS
from services.core.errors import ErrorCode, HilumError


@dataclass(frozen=True)
class Verdicts:
    """ids: (N,) 16 bytes each, rising.  step: (N,) int16.  near: step → (N,) float32, NaN where none was told."""

    ids: pa.Array
    step: NDArray[np.int16]
    near: dict[int, NDArray[np.float32]]

    @property
    def chosen(self) -> NDArray[np.bool_]:
        return self.step == SELECTED


def write(home: Path, flow: Flow) -> None:
    columns: dict[str, object] = {"image_id": raw(flow.population.frame.table["image_id"]), "step": flow.fell}
    columns |= {f"{NEAR}{step}": scores for step, scores in flow.scores.items()}
    pq.write_table(pa.table(columns), home / VERDICTS, compression="zstd")


def read(home: Path) -> Verdicts:
    """Raises NOT_FOUND where the run is gone, INTERNAL where it is damaged."""
    try:
        table = pq.read_table(home / VERDICTS)
    except FileNotFoundError:
        raise HilumError(
            ErrorCode.NOT_FOUND, "the cohort's run is gone: a film of it was forgotten since; build the cohort again"
        ) from None
    except (OSError, pa.ArrowException):
        raise HilumError(ErrorCode.INTERNAL, "the run's files are damaged; build the cohort again") from None
    near = {
        int(name.removeprefix(NEAR)): table[name].to_numpy() for name in table.column_names if name.startswith(NEAR)
    }
    ids = table["image_id"].combine_chunks()
    ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) and ids.num_chunks else ids
    return Verdicts(ids, table["step"].to_numpy(), near)


def of_members(ids: list[str]) -> Verdicts:
    """As much as a set of films tells: that they were chosen."""
    column = pa.chunked_array([pa.array(ids, pa.string())])
    return Verdicts(raw(column), np.full(len(ids), SELECTED, np.int16), {})


def raw(ids: pa.ChunkedArray) -> pa.Array:
    """Image ids as their 16 bytes."""
    texts = pc.replace_substring(ids, "-", "").combine_chunks()
    if isinstance(texts, pa.ChunkedArray):
        texts = pa.concat_arrays(texts.chunks) if texts.num_chunks else pa.array([], pa.string())
    data = bytes.fromhex("".join(texts.to_pylist()))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(texts), [None, pa.py_buffer(data)])
