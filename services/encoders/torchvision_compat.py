"""Make a CUDA-built torchvision importable beside a CPU-only torch. Import this before open_clip, timm, transformers.

Such a torchvision wheel cannot load its compiled operators, yet its Python side registers shapes for two of them at
import and fails. Declaring the two (nothing here calls them) lets the import pass; on a CUDA torch this is a no-op.
"""

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def _declare_missing_operators() -> None:
    if torch.version.cuda is not None:
        return
    for name in ("nms", "qnms"):
        try:
            torch.library.define(f"torchvision::{name}", _SIGNATURE)
        except RuntimeError:  # a working torchvision, or an earlier call, has declared it
            continue


_declare_missing_operators()
