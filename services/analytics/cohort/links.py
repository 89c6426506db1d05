"""Which films belong together: of one patient, of one study, with the same pixels, looking the same, nearly the same to
a model. Each way is a number for each film, the same for films that belong together and −1 for none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from services.analytics import graph
from services.analytics.frame import Frame
from services.analytics.outliers.duplicates import bound
from services.analytics.progress import Progress
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, images
from services.core.near_hashes import near

PATIENT, STUDY, ACCESSION, BYTES, PIXELS, LOOKS, VECTORS = (
    "patient", "study", "accession", "file", "pixels", "looks", "embedding",
)  # fmt: skip
FIELDS = ("study_id", "accession_id", "bytes_sha256", "pixel_sha256", "phash")  # that a frame needs, beside NEEDED
# Of hashes, of small pictures, and of what pictures have beside their slow waves: measured (docs/guide/matching.md).
BITS, LIKENESS, DETAIL = 4, 0.985, 0.9
NEIGHBOURS = 10
_SIDE, _SMALL, _SLOW = 64, 32, 16
_PICTURES = 3_000  # at a time: 270 MB

Codes = NDArray[np.int64]
Pairs = NDArray[np.int64]  # (P, 2) rows


def by_name(frame: Frame) -> dict[str, Codes]:
    """What the record says alone. Patients, studies and accessions are of their dataset; files and pixels are not."""
    found = {
        name: frame.numbered(field).astype(np.int64)
        for name, field in ((PATIENT, "patient_id"), (STUDY, "study_id"), (ACCESSION, "accession_id"))
    }
    for name, field in ((BYTES, "bytes_sha256"), (PIXELS, "pixel_sha256")):
        found[name] = coded(frame.table[field])
    return found


def looking_alike(frame: Frame, facts: Facts, blobs: Blobs, progress: Progress) -> Codes:
    """Films whose hashes differ in at most `BITS`, and whose small pictures then correlate by `LIKENESS`, and without
    their slow waves, in which all chests are much the same, by `DETAIL`.

    A hash alone would not do: of many films all would hang together by chance. A pair of which a picture is not stored
    is taken for the same film, as a film too many on one side harms nothing.
    """
    texts = pc.fill_null(pc.cast(frame.table["phash"], pa.string()), "").to_pylist()
    rows = np.array([row for row, text in enumerate(texts) if text], np.int64)
    hashes = np.array([int(texts[row], 16) for row in rows], np.uint64)
    pixels = coded(frame.table["pixel_sha256"])
    found, ids, done = list[Pairs](), frame.table["image_id"], 0
    progress("looks", 0, max(len(rows), 1))
    for one, other, _ in near(hashes, BITS):
        pairs = np.stack([rows[one], rows[other]], axis=1)
        pairs = pairs[pixels[pairs[:, 0]] != pixels[pairs[:, 1]]]  # these are together already
        found += list(_confirmed(pairs, ids, facts, blobs))
        done += len(pairs)
        progress("looks", min(done, len(rows)), max(len(rows), 1))
    progress("looks", max(len(rows), 1), max(len(rows), 1))
    return together(len(frame), np.concatenate([*found, np.empty((0, 2), np.int64)]))


def _confirmed(pairs: Pairs, ids: pa.ChunkedArray, facts: Facts, blobs: Blobs) -> Iterator[Pairs]:
    for start in range(0, len(pairs), _PICTURES // 2):
        part = pairs[start : start + _PICTURES // 2]
        rows, place = np.unique(part, return_inverse=True)
        small, detail, there = _small(ids.take(pa.array(rows)).to_pylist(), facts, blobs)
        one, other = place.reshape(-1, 2).T
        alike = (_product(small, one, other) >= LIKENESS) & (_product(detail, one, other) >= DETAIL)
        yield part[alike | ~(there[one] & there[other])]


def _small(
    ids: Sequence[str], facts: Facts, blobs: Blobs
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """(n, 1024) small pictures and (n, 4096) details as vectors whose products are correlations; (n,) where there is a
    picture."""
    pictures, there = np.zeros((len(ids), _SIDE, _SIDE), np.float32), np.zeros(len(ids), bool)
    slow = pictures.copy()
    digests = images.thumbnails(facts, ids)
    for row, image_id in enumerate(ids):
        try:
            with Image.open(BytesIO(blobs.get(digests[image_id])), formats=("JPEG", "WEBP", "PNG")) as picture:
                grey = picture.convert("F").resize((_SIDE, _SIDE), Image.Resampling.BOX)
        except (HilumError, OSError, KeyError):
            continue
        waves = grey.resize((_SLOW, _SLOW), Image.Resampling.BOX).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        pictures[row], slow[row], there[row] = grey, waves, True
    step = _SIDE // _SMALL
    small = pictures.reshape(-1, _SMALL, step, _SMALL, step).mean(axis=(2, 4))
    return _unit(small), _unit(pictures - slow), there


def _unit(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _product(unit: NDArray[np.float32], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.einsum("ij,ij->i", unit[one], unit[other])
    return found


def nearly_the_same(unit: NDArray[np.float32], same: float, seed: int, progress: Progress) -> tuple[Codes, float]:
    """Films at most `same` apart (cosine distance; 0: a twentieth of the median distance to the nearest film), by the
    graph of `NEIGHBOURS`; and that distance. unit: (N, D), L2-normalised."""
    k = min(NEIGHBOURS, len(unit) - 1)
    if k < 1:
        return np.full(len(unit), -1, np.int64), same
    found = graph.build(unit, k, seed, progress, "nearly the same")
    most = bound(found, same)
    row, place = np.nonzero(found.distances <= most)
    return together(len(unit), np.stack([row, found.ids[row, place]], axis=1)), most


def together(films: int, pairs: Pairs) -> Codes:
    """(N,) number of the group that pairs hold together; −1 of films without a partner."""
    edges = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(films, films))
    codes = connected_components(edges, directed=False)[1].astype(np.int64)
    return np.where(np.bincount(codes, minlength=1)[codes] > 1, codes, -1) if films else codes


def components(films: int, ways: Sequence[Codes]) -> Codes:
    """(N,) numbers from 0: films that belong together in any way, or through others that do, have the same."""
    pairs = [np.empty((0, 2), np.int64)]
    for codes in ways:
        order = np.argsort(codes, kind="stable")
        order = order[codes[order] >= 0]
        same = codes[order][1:] == codes[order][:-1]
        pairs.append(np.stack([order[1:][same], order[:-1][same]], axis=1))
    held = np.concatenate(pairs)
    edges = coo_array((np.ones(len(held), np.int8), (held[:, 0], held[:, 1])), shape=(films, films))
    return connected_components(edges, directed=False)[1].astype(np.int64)


def coded(column: pa.ChunkedArray) -> Codes:
    """(N,) which value of text each film has; −1 for blank or none."""
    text = pc.cast(column, pa.string()).combine_chunks()
    text = pc.if_else(pc.equal(text, ""), None, text)
    codes = pc.fill_null(text.dictionary_encode().indices, -1)
    return codes.to_numpy(zero_copy_only=False).astype(np.int64)
