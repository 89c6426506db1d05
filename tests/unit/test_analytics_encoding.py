"""Analyses ask for words where their service does: over the wire, in batches, each text once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.analytics import encoding
from services.analytics.jobs import environment
from services.analytics.progress import Progress
from services.core.config import Settings, from_environment
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.encoders.registry import Registry
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from tests.kit.records import make_spec
from tests.kit.served import served

TEXTS = [f"effusion of {n} ml on the left" for n in range(70)] + ["no effusion", "effusion of 3 ml on the left"]


def test_words_come_back_as_the_encoder_makes_them(facts: Facts, tmp_path: Path) -> None:
    registry = Registry.bundled(threads=1)
    encoder = registry.get("hilum-cxr-clip")
    pool = DecodePool(1)
    api = EncodeApi(facts, registry, pool)
    seen: list[tuple[str, int, int]] = []
    try:
        with served([api]) as at:
            child = from_environment(environment(Settings(tmp_path, encode=at.grpc)))
            encode = encoding.client(child)
            assert encode is not None
            progress = Progress(lambda stage, done, total, left: seen.append((stage, done, total)))
            found = encoding.texts(encode, encoder.spec, TEXTS, progress)
            with pytest.raises(HilumError) as other:
                encoding.texts(encode, make_spec("hilum-cxr-clip", 64), ["x"], progress)
            with pytest.raises(HilumError) as blank:
                encoding.texts(encode, encoder.spec, ["effusion", " "], progress)
    finally:
        api.close()
        pool.close()
    assert (seen[0], seen[1][2]) == (("words", 0, 71), 71)
    np.testing.assert_allclose(found, encoder.encode_texts(TEXTS), atol=1e-4)
    assert other.value.code is ErrorCode.FAILED_PRECONDITION
    assert blank.value.code is ErrorCode.INVALID_ARGUMENT


def test_without_an_address_nobody_encodes(tmp_path: Path) -> None:
    assert encoding.client(Settings(tmp_path)) is None
