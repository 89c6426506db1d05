"""Points that carry what facts say: the sets that a film is in, and whatever else its payload holds.

Facts are the truth and points a copy that filters need. Whatever interrupts a change of the copy, `settle` and `renew`
complete it when they are called again, and until then filters ask the facts (`filters.resolve`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models as qdrant

from services.core.facts import Facts, images, models, sets
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.store.payload import FORM
from services.core.types import ImageRecord

_PART = 2_000
_OLDER = qdrant.Filter(must_not=[qdrant.FieldCondition(key="form", match=qdrant.MatchValue(value=FORM))])
Names = dict[str, list[str]]


def store_films(
    facts: Facts, store: VectorStore, spec: ModelSpec, records: Sequence[ImageRecord], vectors: NDArray[np.float32]
) -> None:
    """Write films' points durably: vectors (N, *spec.shape) float32, and what their facts say.

    A set that is made meanwhile is not lost: whoever commits it last writes it.
    """
    ids = [record.image_id for record in records]
    inside = sets.of(facts, ids)
    store.upsert(spec, ids, vectors, [payload(record, inside.get(record.image_id)) for record in records])
    now_inside = sets.of(facts, ids)
    _carry(store, spec, {i: now_inside.get(i, {}) for i in ids if now_inside.get(i) != inside.get(i)})


def settle(facts: Facts, store: VectorStore, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Bring the points of every set that is being written or deleted up to date; False when `stopped` ended it.

    Idempotent, and cheap where nothing is to be done.
    """
    if not (states := sets.unfinished(facts)):
        return True
    for spec in models.every(facts):
        after = ""
        while ids := sets.held(facts, list(states), spec.fingerprint, after, _PART):
            if stopped():
                return False
            inside = sets.of(facts, ids)
            _carry(store, spec, {image_id: inside.get(image_id, {}) for image_id in ids})
            after = ids[-1]
    sets.move(facts, [set_id for set_id, state in states.items() if state == sets.WRITING], sets.WRITING, sets.READY)
    sets.drop(facts, [set_id for set_id, state in states.items() if state == sets.DELETING])
    return True


def renew(facts: Facts, store: VectorStore, stopped: Callable[[], bool] = lambda: False) -> int:
    """Write anew what points of an older form carry; how many there were. Ends early when `stopped` says so."""
    there, done = set(store.ours()), 0
    for spec in models.every(facts):
        if spec.collection not in there:
            continue
        store.index_fields(spec)
        for ids in store.ids_in(spec.collection, _OLDER):
            for start in range(0, len(ids), _PART):
                if stopped():
                    return done
                part = ids[start : start + _PART]
                records, inside = images.get(facts, part), sets.of(facts, part)
                store.set_payloads(spec, {i: payload(record, inside.get(i)) for i, record in records.items()})
                done += len(records)
    return done


def _carry(store: VectorStore, spec: ModelSpec, inside: dict[str, Names]) -> None:
    """Let points name the sets that their films are in; films with the same sets are told at once."""
    alike: defaultdict[tuple[tuple[str, ...], ...], list[str]] = defaultdict(list)
    for image_id, names in inside.items():
        alike[tuple(names.get(sets.COHORT, ())), tuple(names.get(sets.CLUSTER, ()))].append(image_id)
    fields = (sets.COHORT, sets.CLUSTER)
    store.set_fields(spec, [(dict(zip(fields, map(list, key), strict=True)), ids) for key, ids in alike.items()])
