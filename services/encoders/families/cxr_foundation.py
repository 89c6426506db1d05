"""CXR-Foundation (ELIXR) from Google's two TensorFlow SavedModels: one sees a film, the other makes vectors of what was
seen, or of words.

Facts: Google's notebooks and client for the model (github.com/Google-Health/cxr-foundation, ``clientside/clients.py``).
The graphs take one film or text at a time. Needs ``pip install 'hilum[cxr-foundation]'``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.errors import invalid
from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.base import Prepared
from services.encoders.checkpoint import broken, sha256
from services.encoders.elixr import PREPROCESSING, Space, png, reads_no_words, space
from services.encoders.network import Checkpoint
from services.encoders.vectors import unit

SEES, BINDS = "elixr-c-v2-pooled", "pax-elixr-b-text"
VOCABULARY = "bert/vocab.txt"
_FEATURES, _TOKENS = (1, 8, 8, 1376), 128
_SEP = 102
_HOSTILE = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles"}
_Graph = Callable[..., Any]


def load(at: Checkpoint) -> CxrFoundation:
    """Option ``space``: ``general`` (films alone, the default) or ``contrastive`` (films and words, 32 vectors each).

    Raises INVALID_ARGUMENT for another space, FAILED_PRECONDITION for an unfit folder or without TensorFlow.
    """
    return CxrFoundation(at, space(at))


class CxrFoundation:
    """See ``services.encoders.base.Encoder``."""

    def __init__(self, at: Checkpoint, chosen: Space) -> None:
        tf = _tensorflow()
        self._tf, self._space = tf, chosen
        self._see = _graph(tf, at.folder / SEES, "input_example")
        self._bind = _graph(tf, at.folder / BINDS, "image_feature", "ids", "paddings")
        words = ""
        if chosen.text:
            if not (at.folder / VOCABULARY).is_file():
                raise broken(f"the checkpoint lacks {VOCABULARY}, the vocabulary of BERT base uncased; add it")
            self._tokenizer = _tokenizer(at.folder / VOCABULARY)
            words = f"{at.name}-bert-{_TOKENS}-{sha256(at.folder / VOCABULARY)[:12]}"
        self._spec = ModelSpec(
            name=at.name, revision=at.revision, weights_sha256=sha256(*_files(at.folder)), preprocessing=PREPROCESSING,
            pooling=chosen.pooling, dim=chosen.dim, tokens=chosen.tokens, text_space=words or None,
        )  # fmt: skip

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def preprocess(self, film: Film) -> Prepared:
        """The film as displayed, as the bytes of an 8-bit PNG: ``(bytes,) uint8``. The graph resizes and scales."""
        return np.frombuffer(png(film.display), np.uint8)

    def encode_images(self, batch: Sequence[Prepared]) -> NDArray[np.float32]:
        """N films → ``(N, 768)``, or ``(N, 32, 128)`` in the space of words; float32, L2-normalised."""
        found = [self._space.pool(self._image(film.tobytes())) for film in batch]
        return unit(np.array(found, np.float32).reshape(-1, *self._spec.shape))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts → ``(N, 128) float32``, L2-normalised; what exceeds 128 tokens is cut off."""
        if isinstance(texts, str):
            raise invalid("texts is a list of texts, not one text")
        if not self._space.text:
            raise reads_no_words(self._spec)
        return unit(np.array([self._text(text) for text in texts], np.float32).reshape(-1, self._spec.dim))

    def _image(self, file: bytes) -> NDArray[np.float32]:
        """``(32, D)``, not yet normalised."""
        tf = self._tf
        example = tf.train.Example()
        example.features.feature["image/encoded"].bytes_list.value.append(file)
        example.features.feature["image/format"].bytes_list.value.append(b"png")
        seen = self._see(input_example=tf.constant([example.SerializeToString()]))["feature_maps_0"]
        nothing = tf.zeros((1, 1, _TOKENS))
        bound = self._bind(image_feature=seen, ids=tf.cast(nothing, tf.int32), paddings=nothing)
        return bound[self._space.output][0].numpy()

    def _text(self, text: str) -> NDArray[np.float32]:
        """``(128,)``. The end token counts as padding, as it did in training."""
        found = self._tokenizer(text.lower(), padding="max_length", max_length=_TOKENS, truncation=True)
        ids = np.array(found["input_ids"], np.int32)
        paddings = 1 - np.array(found["attention_mask"], np.float32)
        end = ids == _SEP
        ids[end], paddings[end] = 0, 1
        tf = self._tf
        return self._bind(
            image_feature=tf.zeros(_FEATURES),
            ids=tf.constant(ids[None, None]),
            paddings=tf.constant(paddings[None, None]),
        )["contrastive_txt_emb"][0].numpy()


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow as tf
        import tensorflow_text  # noqa: F401 - the graphs use its operations
    except ImportError as error:
        raise broken("this encoder needs TensorFlow: pip install 'hilum[cxr-foundation]'") from error
    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)  # or it takes all memory from the other encoders
        except RuntimeError:  # it is in use already, by an encoder loaded before
            break
    return tf


def _graph(tf: Any, folder: Path, *inputs: str) -> _Graph:
    """The signature of a SavedModel. Such a file is a program: one that would touch files or run Python is refused."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    if not (folder / "saved_model.pb").is_file():
        raise broken(f"the checkpoint lacks {folder.name}/saved_model.pb; fetch it again")
    try:
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        graphs = [meta.graph_def for meta in model.meta_graphs]
        nodes = [n for g in graphs for part in (g.node, *(f.node_def for f in g.library.function)) for n in part]
        if found := _HOSTILE & {node.op for node in nodes}:
            raise broken(f"{folder.name} would {' and '.join(sorted(found))}, which no encoder has to; fetch it again")
        graph = tf.saved_model.load(str(folder)).signatures["serving_default"]
        taken = graph.structured_input_signature[1].keys()
    except (OSError, ValueError, KeyError, DecodeError, tf.errors.OpError) as error:
        raise broken(f"{folder.name} cannot be read as a TensorFlow SavedModel; fetch it again") from error
    if set(inputs) != set(taken):
        raise broken(f"{folder.name} is no part of CXR-Foundation: it takes other inputs; fetch it again")
    return graph


def _files(folder: Path) -> list[Path]:
    """What decides a vector, in a fixed order."""
    return [
        file for name in (SEES, BINDS)
        for file in (folder / name / "saved_model.pb", *sorted((folder / name / "variables").glob("variables.*")))
    ]  # fmt: skip


def _tokenizer(vocabulary: Path) -> Any:
    """BERT's, lower case. Google's clients use TensorFlow Hub's preprocessor of the same vocabulary."""
    import services.encoders.offline  # noqa: F401  # isort: skip
    from transformers import BertTokenizer

    tokenizer = BertTokenizer(vocab=str(vocabulary), do_lower_case=True)
    if tokenizer.sep_token_id != _SEP:  # where every BERT that Google published has it
        raise broken(f"the checkpoint's {VOCABULARY} is not that of BERT base uncased; fetch it again")
    return tokenizer
