"""MedImageInsight behind an Azure Machine Learning online endpoint, asked in its documented schema.

Facts: Azure's "How to use MedImageInsight" (request and response schema, 77 tokens, PNG, resized to 512 there) and
Microsoft's ``healthcareai_toolkit`` (Bearer key, one answer per row).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.endpoint import Endpoint
from services.encoders.microsoft import jpeg, recipe
from services.encoders.network import Checkpoint
from services.encoders.remote import RemoteEncoder, field

DIM, SIZE = 1024, 480
_UNUSED = (0.0,) * 3, (1.0,) * 3  # means and deviations are the endpoint's business


def load(at: Checkpoint) -> AzureEncoder:
    """Options of `Endpoint`; ``preprocessing``: how films are sent, ``toolkit`` (default), ``card`` or ``mcp``;
    ``deployment``: which one behind the url, where there are several; ``dim``: of its vectors, where they are not 1024.
    Raises INVALID_ARGUMENT, FAILED_PRECONDITION.
    """
    return AzureEncoder(at)


class AzureEncoder(RemoteEncoder):
    """See `RemoteEncoder`."""

    def __init__(self, at: Checkpoint) -> None:
        deployment = str(at.options.get("deployment", ""))
        super().__init__(Endpoint(at, {"azureml-model-deployment": deployment} if deployment else None))
        self._variant = at.option("preprocessing", "toolkit", "card", "mcp")
        self._recipe = recipe(self._variant, SIZE, *_UNUSED)
        how = self._recipe
        sent = "display-512-p5-95-jpeg75" if self._variant == "mcp" else f"{how.levels.name}-{how.fit.name}-png"
        identity = self._endpoint.identity
        self.spec = ModelSpec(
            name=at.name, revision=at.revision, weights_sha256=identity, preprocessing=f"sent-{sent}",
            pooling="endpoint-image-features", dim=int(at.options.get("dim", DIM)),
            text_space=f"{at.name}-text-{identity[:12]}",
        )  # fmt: skip

    def file(self, film: Film) -> bytes:
        """A grey PNG, which the schema allows and is smaller than the toolkit's of three equal channels; or a JPEG."""
        if self._variant == "mcp":
            return jpeg(film.display)
        return _png(np.asarray(self._recipe(film), np.uint8))

    def ask_images(self, files: Sequence[bytes]) -> list[Any]:
        return self._features([[base64.b64encode(file).decode(), None] for file in files], "image_features")

    def ask_texts(self, texts: Sequence[str]) -> list[Any]:
        return self._features([["", text] for text in texts], "text_features")

    def _features(self, rows: list[list[str | None]], name: str) -> list[Any]:
        data = {"columns": ["image", "text"], "index": list(range(len(rows))), "data": rows}
        answer = self._endpoint.ask({"input_data": data, "params": {"get_scaling_factor": False}})
        if isinstance(answer, list):  # as deployments answer; the documentation shows one object for all rows
            return [field(row, name) for row in answer]
        return list(field(answer, name))


def _png(grey: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()
