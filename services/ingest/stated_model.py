"""What somebody states of a model whose vectors come ready made: a YAML file that becomes a specification."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.core.errors import HilumError, invalid
from services.core.models import ModelSpec
from services.ingest.reasons import Reason

_LONGEST = 16_384


class Reduce(BaseModel):
    """How an array becomes a vector: by the mean over axes, or by what stands at one place of an axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mean: tuple[int, ...] = ()
    take: tuple[int, int] | None = None  # axis, place

    def __call__(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raises IndexError, ValueError where the array has no such axis or place."""
        if self.take is not None:
            array = np.take(array, self.take[1], axis=self.take[0])
        return array.mean(axis=self.mean, dtype=np.float64).astype(np.float32) if self.mean else array

    def __str__(self) -> str:
        took = [f"place {self.take[1]} of axis {self.take[0]}"] if self.take is not None else []
        meant = [f"mean over axes {', '.join(map(str, self.mean))}"] if self.mean else []
        return ", then ".join(took + meant)


class StatedModel(BaseModel):
    """The facts a user states. Those that decide a vector are all in the specification, so that two statements that
    differ have two collections.

    preprocessing, pooling: in words.  dim, tokens: of a vector as it is stored.  shape: of an array as the files have
    it, without the axis of films; where it is stated every array must have it, or as many numbers in a row.
    array, names: member, column or feature that holds vectors and names.  normalise: make vectors unit length.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    revision: str = Field(min_length=1, max_length=128)
    dim: int
    preprocessing: str = Field(min_length=1, max_length=500)
    pooling: str = Field(default="as published", max_length=200)
    weights_sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    dtype: str = Field(default="unknown", max_length=32)
    tokens: int = 1
    normalise: bool = True
    shape: tuple[int, ...] = ()
    reduce: Reduce = Reduce()
    array: str = Field(default="", max_length=200)
    names: str = Field(default="", max_length=200)

    def spec(self) -> ModelSpec:
        """Where nobody knows the weights, a digest of what is stated stands for them. Raises INVALID_ARGUMENT."""
        told = self.model_dump(mode="json", exclude={"names"})
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        pooling = "; ".join(part for part in (self.pooling, str(self.reduce), self.array) if part)
        return ModelSpec(
            name=self.name, revision=self.revision, weights_sha256=self.weights_sha256 or f"unknown:{digest}",
            preprocessing=f"stated: {self.preprocessing}", pooling=pooling, dim=self.dim, tokens=self.tokens,
            dtype=self.dtype, normalised=self.normalise,
        )  # fmt: skip

    def vector(self, array: NDArray[Any] | None) -> NDArray[np.float32] | Reason:
        """An array of a file → spec.shape float32, finite and not zero; or why there is none."""
        if array is None:
            return Reason.WRONG_SHAPE
        if self.shape and array.shape != self.shape:
            if array.size != int(np.prod(self.shape)):
                return Reason.WRONG_SHAPE
            array = array.reshape(self.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            wide = np.asarray(array, dtype=np.float32)
            if not np.isfinite(wide).all():
                return Reason.NOT_FINITE
            try:
                found = self.reduce(wide)
            except (IndexError, ValueError):
                return Reason.WRONG_SHAPE
        wanted = self.spec().shape
        if tuple(n for n in found.shape if n != 1) != tuple(n for n in wanted if n != 1):
            return Reason.WRONG_SHAPE
        found = found.reshape(wanted)
        lengths = np.linalg.norm(found.astype(np.float64), axis=-1, keepdims=True)
        if not 1e-15 < lengths.min() <= lengths.max() < 1e18:
            return Reason.ZERO_VECTOR
        return (found / lengths).astype(np.float32) if self.normalise else found


def read_stated(text: str) -> StatedModel:
    """YAML → the statement. Raises INVALID_ARGUMENT saying what is wrong with it."""
    if len(text) > _LONGEST:
        raise invalid("a model's specification has at most 16,384 characters")
    try:
        told = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        raise invalid("the model's specification cannot be read as YAML") from None
    if not isinstance(told, dict):
        raise invalid("the model's specification is KEY: VALUE in YAML: name, revision, dim, preprocessing, …")
    return of(told)


def of(told: Mapping[str, Any]) -> StatedModel:
    """The same from its fields."""
    try:
        model = StatedModel.model_validate(told)
        model.spec()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:64] for part in first["loc"]) or "specification"
        raise invalid(f"the model's specification is wrong at {where}: {first['msg']}") from None
    except HilumError:
        raise
    return model
