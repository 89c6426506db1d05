"""A tiny CXR-Foundation: two SavedModels with the signatures of Google's, and a vocabulary in BERT's layout."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np

WORDS = "no small large left right pleural effusion opacity cardiomegaly edema with xray chest , ."


def write(folder: Path) -> Path:
    """``elixr-c-v2-pooled``, ``pax-elixr-b-text`` and ``bert/vocab.txt``; needs TensorFlow."""
    import tensorflow as tf

    for name, module in (("elixr-c-v2-pooled", _sees(tf)), ("pax-elixr-b-text", _binds(tf))):
        tf.saved_model.save(module, str(folder / name), signatures={"serving_default": module.serve})
    write_vocabulary(folder / "bert")
    return folder


def write_vocabulary(folder: Path) -> None:
    """Special tokens where BERT base uncased has them."""
    words = [f"[unused{i}]" for i in range(999)]
    words[0], words[100:104] = "[PAD]", ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = string.ascii_lowercase + string.digits
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text(
        "\n".join([*words, *WORDS.split(), *letters, *(f"##{c}" for c in letters)]) + "\n"
    )


def _values(*shape: int, scale: float = 0.05, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def _sees(tf: Any) -> Any:
    class Sees(tf.Module):
        """As the published graph: 8 bits, resized, scaled from minimum to maximum; features on an 8 x 8 grid."""

        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(_values(3, 1376, scale=1, seed=1))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="input_example")])
        def serve(self, input_example: Any) -> dict[str, Any]:
            def one(example: Any) -> Any:
                features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
                found = tf.io.parse_single_example(example, features)
                x = tf.io.decode_png(found["image/encoded"], channels=1)
                x = tf.cast(tf.image.resize(x, [32, 32]), tf.float32)
                low, high = tf.reduce_min(x), tf.reduce_max(x)
                x = tf.math.divide_no_nan(x - low, high - low)
                x = tf.concat([x, x * x, tf.abs(x - 0.5)], -1)
                return tf.reduce_mean(tf.reshape(x, [8, 4, 8, 4, 3]), [1, 3]) @ self.kernel

            return {"feature_maps_0": tf.map_fn(one, input_example, fn_output_signature=tf.float32)}

    return Sees()


def _binds(tf: Any) -> Any:
    class Binds(tf.Module):
        """32 questions to what was seen; the mean of the words that are no padding, weighted by their place."""

        def __init__(self) -> None:
            super().__init__()
            self.general = tf.Variable(_values(1376, 768, seed=2))
            self.contrastive = tf.Variable(_values(768, 128, seed=3))
            self.words = tf.Variable(_values(30522, 128, seed=4))
            self.questions = tf.Variable(_values(32, 64, scale=1, seed=5))

        @tf.function(input_signature=[
            tf.TensorSpec([1, 8, 8, 1376], tf.float32, name="image_feature"),
            tf.TensorSpec([1, 1, 128], tf.int32, name="ids"),
            tf.TensorSpec([1, 1, 128], tf.float32, name="paddings"),
        ])  # fmt: skip
        def serve(self, image_feature: Any, ids: Any, paddings: Any) -> dict[str, Any]:
            x = tf.reshape(image_feature, [1, 64, 1376]) @ self.general
            x = tf.einsum("qn,bnd->bqd", self.questions, x)
            weight = (1 - paddings)[:, 0, :, None] * tf.linspace(1.0, 2.0, 128)[None, :, None]
            words = tf.reduce_sum(tf.gather(self.words, ids[:, 0]) * weight, 1)
            return {
                "img_emb": x,
                "all_contrastive_img_emb": tf.math.l2_normalize(x @ self.contrastive, -1),
                "contrastive_txt_emb": words / tf.maximum(tf.reduce_sum(weight, 1), 1.0),
            }

    return Binds()
