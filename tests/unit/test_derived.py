"""Models whose vectors follow from another's are filled from what is stored, by themselves after an ingest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from services.core.affine import Affine
from services.core.aligned import Aligned, Named, derived
from services.core.facts import images, jobs
from services.core.tfidf import Tfidf
from services.core.types import JobState
from services.encoders.families.aligned import AlignedEncoder
from services.encoders.registry import Offer, Registry
from services.engine.supervisor import EngineProcess
from services.ingest import fill
from tests.kit.encoders import TinyEncoder
from tests.kit.ingesting import room, write_pictures


def following(base: TinyEncoder) -> AlignedEncoder:
    rng = np.random.default_rng(0)
    maps = [Affine(rng.standard_normal((n, 12)).astype(np.float32), np.ones(12, np.float32)) for n in (16, 3)]
    words = Tfidf(("effusion", "heart"), np.ones(2, np.float32), rng.standard_normal((2, 3)).astype(np.float32))
    made = Aligned(Named("tiny", base.spec.fingerprint), words, maps[0], maps[1])
    spec = replace(base.spec, name="tiny-words", dim=12, pooling=derived(base.spec) + "x", text_space="tfidf")
    return AlignedEncoder(spec, made, base, None)


def test_an_ingest_has_followers_filled_and_no_film_is_read_again(tmp_path: Path, engine: EngineProcess) -> None:
    base = TinyEncoder("tiny", 16)
    follower = following(base)
    registry = Registry(
        {"tiny": Offer(lambda: base, base.spec), "tiny-words": Offer(lambda: follower, follower.spec)},
        default=["tiny"],
    )
    names = write_pictures(tmp_path / "films", 7)
    with room(tmp_path / "data", engine.url, registry, workers=1) as at:
        worker = at.worker()
        worker.start()
        try:
            job = at.wait(at.submit(tmp_path / "films").job_id)
            encoded = base.encoded
            [follow] = jobs.recent(at.facts, fill.KIND)
            filled = at.wait(follow.job_id)
        finally:
            worker.stop()
        assert job.result["models"] == {"tiny": base.spec.fingerprint}
        assert (filled.state, filled.result["stored"]) == (JobState.SUCCEEDED, len(names))
        assert base.encoded == encoded == len(names), "its base has encoded each film once"
        held, vectors = at.store.vectors(follower.spec)
        assert set(held) == images.ids_of(at.facts, follower.spec.fingerprint) == images.ids_of(at.facts)
        np.testing.assert_allclose(vectors, follower.derive(at.store.vectors(base.spec, ids=held)[1]), atol=1e-5)
