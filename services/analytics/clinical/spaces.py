"""The spaces in which patients lie: by their vectors, by their tables, by both.

Vectors are reduced to principal components, of each model its own. Blocks (one of each model, one of the tables) are
divided by their first singular value before they are put side by side, so that none outweighs another by the number of
its columns: multiple factor analysis (Escofier & Pagès 1994). The variational autoencoder reduces what lies so side by
side once more. Everything is learned from the patients of `rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from services.analytics.clinical import vae
from services.analytics.clinical.join import Column
from services.analytics.clinical.tables import Coding

VECTORS, TABLES, FUSED, FUSED_VAE, FILMED = "vectors", "tables", "fused", "fused, VAE", "how filmed"
_LATENT = 8

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """What is known of P patients. vectors: model → (P, D) unit vectors.  columns: their variables."""

    vectors: dict[str, NDArray[np.float32]]
    columns: Sequence[Column]

    def __len__(self) -> int:
        return len(next(iter(self.vectors.values())))


@dataclass(frozen=True)
class Reduced:
    """blocks: of each model, then the tables, (P, F) each.  names: of their columns.  kept: model → share of the
    variance of its vectors that its components hold, over the patients they were learned from."""

    blocks: list[Numbers]
    names: list[list[str]]
    kept: dict[str, float]
    seen: NDArray[np.bool_]

    def of(self, space: str) -> Numbers:
        """(P, F): as features, each on its own scale."""
        return np.hstack({VECTORS: self.blocks[:-1], TABLES: self.blocks[-1:]}.get(space, self.blocks))

    def named(self, space: str) -> list[str]:
        """The names of `of`."""
        parts = {VECTORS: self.names[:-1], TABLES: self.names[-1:]}.get(space, self.names)
        return [name for part in parts for name in part]


def reduce(data: Data, components: int, seed: int, rows: NDArray[np.int64] | None = None) -> Reduced:
    """Components of each model's vectors and the coded tables, learned from the patients of `rows`."""
    learn = np.arange(len(data)) if rows is None else rows
    blocks, names, kept = [], [], {}
    for model, unit in data.vectors.items():
        count = min(components, unit.shape[1], len(learn) - 1)
        fitted = PCA(count, random_state=seed, svd_solver="auto").fit(unit[learn].astype(np.float64))
        blocks.append(fitted.transform(unit.astype(np.float64)))
        names.append([f"{model} {n + 1}" for n in range(count)])
        kept[model] = float(fitted.explained_variance_ratio_.sum())
    coding = Coding.learn(data.columns, learn)
    blocks.append(coding(data.columns))
    names.append(coding.names)
    return Reduced(blocks, names, kept, coding.seen(data.columns))


def points(found: Reduced, space: str, seed: int, rows: NDArray[np.int64] | None = None) -> Numbers:
    """(P, F): where patients lie in a space, blocks weighed, by what is learned from the patients of `rows`."""
    weighed = [_weighed(block, rows) for block in found.blocks]
    if space == VECTORS:
        return np.hstack(weighed[:-1])
    if space == TABLES:
        return weighed[-1]
    both = np.hstack(weighed)
    if space == FUSED:
        return both
    learn = np.arange(len(both)) if rows is None else rows
    scale = both[learn].std(axis=0).mean() or 1.0
    both = both / scale
    seen = np.hstack([np.ones(both[:, : both.shape[1] - found.seen.shape[1]].shape, dtype=bool), found.seen])
    latent = min(_LATENT, max(both.shape[1] // 2, 2))
    return vae.place(vae.learn(both[learn], seen[learn], latent, seed), both)


def components(patients: int, asked: int) -> int:
    """As many as asked for, or one for every ten patients, 2 to 16."""
    return asked or int(np.clip(patients // 10, 2, 16))


def _weighed(block: Numbers, rows: NDArray[np.int64] | None) -> Numbers:
    """Less the mean, over the first singular value per root of a patient: the first component has variance 1."""
    learn = block if rows is None else block[rows]
    if not block.shape[1]:
        return block
    centre = learn.mean(axis=0)
    first = float(np.linalg.norm(learn - centre, 2)) / np.sqrt(len(learn))
    found: Numbers = (block - centre) / (first or 1.0)
    return found
