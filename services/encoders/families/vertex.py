"""CXR-Foundation behind a Vertex AI endpoint, asked in the schema of Google's own client.

Facts: github.com/Google-Health/cxr-foundation, ``clientside/clients.py``: instances of ``input_bytes`` or
``prompt_query``; predictions of ``general_img_emb``, ``contrastive_img_emb``, ``contrastive_txt_emb`` or ``error``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.elixr import png, space
from services.encoders.endpoint import Endpoint, RefusedError
from services.encoders.network import Checkpoint
from services.encoders.remote import RemoteEncoder, field

EDGE = 1024  # even noise of 1024 x 1024 bytes fits a request of 1.5 MB; the network resizes to 1280 whatever it gets


def load(at: Checkpoint) -> VertexEncoder:
    """Options of `Endpoint`, and ``space`` as for ``cxr-foundation``. Raises INVALID_ARGUMENT, FAILED_PRECONDITION."""
    return VertexEncoder(at)


class VertexEncoder(RemoteEncoder):
    """See `RemoteEncoder`."""

    def __init__(self, at: Checkpoint) -> None:
        super().__init__(Endpoint(at))
        self._space = space(at)
        identity = self._endpoint.identity
        self.spec = ModelSpec(
            name=at.name, revision=at.revision, weights_sha256=identity,
            preprocessing=f"sent-display-within-{EDGE}-bicubic-min0-png8", pooling=f"endpoint-{self._space.pooling}",
            dim=self._space.dim, tokens=self._space.tokens,
            text_space=f"{at.name}-text-{identity[:12]}" if self._space.text else None,
        )  # fmt: skip

    def file(self, film: Film) -> bytes:
        """An 8-bit grey PNG, made smaller where an edge is longer than `EDGE`; its shape is kept."""
        picture = Image.fromarray(film.display)
        picture.thumbnail((EDGE, EDGE), Image.Resampling.BICUBIC, reducing_gap=None)
        return png(np.asarray(picture))

    def ask_images(self, files: Sequence[bytes]) -> list[Any]:
        rows = self._predictions([{"input_bytes": base64.b64encode(file).decode()} for file in files])
        tokens = (np.asarray(field(row, self._space.answer), np.float32).reshape(-1, self._space.dim) for row in rows)
        return [self._space.pool(part) for part in tokens]

    def ask_texts(self, texts: Sequence[str]) -> list[Any]:
        return [field(row, "contrastive_txt_emb") for row in self._predictions([{"prompt_query": t} for t in texts])]

    def _predictions(self, instances: list[Mapping[str, str]]) -> list[Any]:
        rows = field(self._endpoint.ask({"instances": instances}), "predictions")
        if any(isinstance(row, dict) and row.get("error") for row in rows):
            raise RefusedError("an instance has an error")
        return list(rows)
