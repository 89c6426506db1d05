"""A network with its recipe, run as an encoder. Families build the `Network`; everything they share is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import numpy as np
import torch
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.base import Encoder, Frame, Patches, Prepared
from services.encoders.checkpoint import sha256
from services.encoders.preprocess import Recipe
from services.encoders.rows import Rows
from services.encoders.runtime import CPU, forward

Tensors = Mapping[str, torch.Tensor]
Image = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a family finds what it loads. options: the family's own settings, from the model's manifest.

    lend: gives the encoder of a name that is at hand, for a family that builds on others. Raises UNKNOWN_MODEL.
    """

    folder: Path
    name: str
    revision: str
    options: Mapping[str, Any] = field(default_factory=dict)
    lend: Callable[[str], Encoder] | None = None

    def option(self, name: str, *choices: str) -> str:
        """One of `choices`; the first where nothing is chosen. Raises INVALID_ARGUMENT naming them."""
        chosen = str(self.options.get(name, choices[0]))
        if chosen not in choices:
            raise invalid(f"the option {name} is one of: {', '.join(choices)}")
        return chosen


@dataclass(frozen=True, slots=True)
class TextTower:
    """Words to the space of the images.

    space: names tokenizer and tower, for the fingerprint.  tokenise: N texts → tensors with N rows each.
    embed: those tensors → ``(N, D)``, not yet normalised.
    """

    space: str
    tokenise: Callable[[list[str]], Tensors]
    embed: Callable[[Tensors], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Network:
    """What a family makes of a checkpoint.

    module: everything with weights, in evaluation mode.  weights: the files they came from.
    image: ``(N, C, S, S) float32`` normalised → ``(N, D)`` or ``(N, tokens, D)``, not yet unit length.
    patches: the same pixels → ``(N, h, w, P)``; None where the architecture has no local vectors.
    patches_read_text: do those lie in the space of the text tower?
    logit_scale: the factor that the authors' softmax puts before a cosine, where one was trained.
    """

    module: torch.nn.Module
    weights: Sequence[Path]
    recipe: Recipe
    image: Image
    pooling: str
    dim: int
    tokens: int = 1
    text: TextTower | None = None
    patches: Callable[[torch.Tensor], torch.Tensor] | None = None
    patches_read_text: bool = False
    logit_scale: float | None = None


class TorchEncoder:
    """See ``services.encoders.base.Encoder`` and ``SeesPatches``. It starts on the processor, in eager float32.

    path: how films go through the network; see ``services.encoders.paths``.
    """

    def __init__(self, at: Checkpoint, network: Network) -> None:
        self.network = network
        network.module.eval().requires_grad_(False)
        self._spec = ModelSpec(
            name=at.name,
            revision=at.revision,
            weights_sha256=sha256(*network.weights),
            preprocessing=network.recipe.name,
            pooling=network.pooling,
            dim=network.dim,
            tokens=network.tokens,
            text_space=network.text.space if network.text else None,
        )
        self.move(CPU)

    def move(self, device: torch.device) -> None:
        """Run on `device` from now on, in eager float32. Not while anybody encodes."""
        network = self.network
        network.module.to(device)
        self.device = device
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=device)[:, None, None]
            for values in (network.recipe.mean, network.recipe.std)
        )
        self.take("eager", network.image)
        self._rows = Rows(self._image_of(network.image), device)
        self._patch_rows = Rows(self._image_of(network.patches), device) if network.patches else None
        self._text_rows = Rows(network.text.embed, device) if network.text else None

    def take(self, path: str, image: Image) -> None:
        """Send films through `image` instead of the network's own; it must give the same vectors, nearly."""
        self.path, self._image = path, image

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def logit_scale(self) -> float | None:
        """The factor before a cosine in the authors' softmax; None where none was trained."""
        return self.network.logit_scale

    def preprocess(self, film: Film) -> Prepared:
        """Film to ``(S, S)`` grey, 0–255."""
        return self.network.recipe(film)

    def frame(self, height: int, width: int) -> Frame:
        """The part of a film that the network sees."""
        return self.network.recipe.fit.frame(height, width)

    def encode_images(self, batch: Sequence[Prepared]) -> NDArray[np.float32]:
        """N prepared films to ``(N, D) float32``, L2-normalised."""
        if not len(batch):
            return np.empty((0, *self._shape), np.float32)
        return forward(self._image_of(self._image), {"pixels": _stacked(batch)}, self.device, self._rows)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts to ``(N, D) float32``, L2-normalised; what exceeds the model's context is cut off."""
        if isinstance(texts, str):
            raise invalid("texts is a list of texts, not one text")
        if self.network.text is None:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, f"{self._spec.name} reads no text; choose an image-text model"
            )
        if not texts:
            return np.empty((0, self._spec.dim), np.float32)
        tokens = self.network.text.tokenise(list(texts))
        return forward(self.network.text.embed, tokens, self.device, self._text_rows)

    def encode_patches(self, batch: Sequence[Prepared]) -> Patches:
        """Local vectors. Raises FAILED_PRECONDITION where the architecture has none."""
        patches = self.network.patches
        if patches is None:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, f"{self._spec.name} has no local vectors; choose a transformer model"
            )
        grid = forward(self._image_of(patches), {"pixels": _stacked(batch)}, self.device, self._patch_rows)
        return Patches(grid, self.network.patches_read_text)

    @property
    def _shape(self) -> tuple[int, ...]:
        spec = self._spec
        return (spec.tokens, spec.dim) if spec.tokens > 1 else (spec.dim,)

    def pixels(self, grey: torch.Tensor) -> torch.Tensor:
        """``(N, S, S)`` 0–255 on this encoder's device to ``(N, C, S, S) float32``, normalised there."""
        return (grey.float()[:, None] / 255 - self._mean) / self._std

    def _image_of(self, network: Image) -> Callable[[Tensors], torch.Tensor]:
        return lambda part: network(self.pixels(part["pixels"]))


def _stacked(batch: Sequence[Prepared]) -> torch.Tensor:
    return torch.from_numpy(np.stack(batch))
