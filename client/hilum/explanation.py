"""Where in a film a model sees what it was asked for."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum import queries, requests
from hilum.errors import HilumError
from hilum.v1 import query_pb2, saliency_pb2


@dataclass(frozen=True, slots=True)
class Saliency:
    """One film's map. values: ``(h, w) float32``, 1 at the strongest place, 0 where nothing speaks for what was asked.

    low, high: the raw values behind it; 1 is `high`.  area: (top, left, height, width) of what the grid covers, in
    fractions of the film.  overlay: PNG of the film with the map over it; layer: of the map alone.
    """

    values: NDArray[np.float32]
    low: float
    high: float
    area: tuple[float, float, float, float]
    overlay: bytes
    layer: bytes

    @classmethod
    def of(cls, found: saliency_pb2.SaliencyMap) -> Saliency:
        values = np.array(found.values, np.float32).reshape(found.height, found.width)
        area = (found.area.top, found.area.left, found.area.height, found.area.width)
        return cls(values, found.low, found.high, area, found.overlay.data, found.layer.data)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the overlay as a PNG file. Raises INVALID_ARGUMENT when it cannot be written."""
        try:
            Path(path).write_bytes(self.overlay)
        except OSError as error:
            raise HilumError("INVALID_ARGUMENT", f"cannot write the picture: {error.strerror}") from None


@dataclass(frozen=True)
class Explanation:
    """maps: of the film; then of the film it was compared with, if any. unit: what the raw values are.

    similarity: of the film with what was asked, as the model sees the kept picture. A map shows what changes that
    number. It is no explanation of a disease.
    """

    maps: list[Saliency]
    method: str
    unit: str
    similarity: float
    model: dict[str, str]
    notes: list[str]

    @classmethod
    def of(cls, answer: saliency_pb2.Explanation) -> Explanation:
        said = answer.provenance
        model = {"name": said.models[0].name, "fingerprint": said.models[0].fingerprint}
        maps = [Saliency.of(found) for found in answer.maps]
        return cls(maps, answer.method, answer.unit, answer.similarity, model, list(said.notes))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: everything but the pictures."""
        maps = [
            {"values": [[round(v, 4) for v in row] for row in m.values.tolist()],
             "low": m.low, "high": m.high, "area": m.area}
            for m in self.maps
        ]  # fmt: skip
        return {
            "maps": maps, "method": self.method, "unit": self.unit, "similarity": self.similarity, "model": self.model,
            "notes": self.notes,
        }  # fmt: skip

    def _repr_html_(self) -> str:
        """The films with their maps, for notebooks."""
        pictures = "".join(
            f'<img style="width:320px" src="data:image/png;base64,{base64.b64encode(m.overlay).decode()}">'
            for m in self.maps
        )
        words = html.escape(f"{self.model['name']} · {self.method} · similarity {self.similarity:.3f}")
        return f'<div>{pictures}<p style="font:12px sans-serif">{words}</p></div>'


def request(
    id: str,
    *,
    text: str | None = None,
    other: str | None = None,
    image: requests.PathLike | bytes | None = None,
    vector: Sequence[float] | np.ndarray[Any, Any] | None = None,
    model: str = "",
    method: str = "",
) -> query_pb2.ExplainMatchRequest:
    """Where in the stored film `id` a model sees words (`text`), another stored film (`other`), a film in a file or in
    bytes (`image`), or a `vector` of the model named.

    method: ``hiding``, ``gradient`` or ``patches``; empty for what suits the model.
    """
    query = queries.search(text=text, id=other, image=image, vector=vector).query
    return query_pb2.ExplainMatchRequest(image_id=id, query=query, model=model, method=method)
