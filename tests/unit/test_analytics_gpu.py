"""The way back from the card: what is asked of it is done by the processor where it cannot."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from services.analytics import cluster, fuzzy, gpu, graph
from services.analytics.progress import Progress
from tests.kit.clustered import vectors


@pytest.mark.skipif(find_spec("cuml") is not None, reason="cuML is installed here")
def test_without_a_card_everything_is_done_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "MANY", 100)
    unit = vectors(400, 16, 0.5)

    def both() -> tuple[graph.Graph, np.ndarray]:
        near = graph.build(unit, 6, 0, Progress(), exact_films=100)
        return near, cluster.leiden(fuzzy.weights(near), 1.0, 0).members

    plain, members = both()
    monkeypatch.setenv(gpu.VARIABLE, "1")
    asked, again = both()
    assert asked.method == plain.method == "inverted lists"
    assert np.array_equal(asked.ids, plain.ids)
    assert np.array_equal(again, members)


def test_nobody_asks_the_card_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gpu.VARIABLE, raising=False)
    assert gpu._tried(lambda: 1) is None
    monkeypatch.setenv(gpu.VARIABLE, "1")
    assert gpu._tried(lambda: 1) == 1
    assert gpu._tried(lambda: 1 // 0) is None
