"""Other code for linear layers that films go through and words do not, so that vectors of words stay what they are.

A layer keeps its weights beside: where somebody asks for gradients it is itself again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from services.core.errors import ErrorCode, HilumError
from services.encoders.network import Image, Network

Linear = Callable[[torch.Tensor], torch.Tensor]


def replace(
    image: Image, network: Network, pixels: torch.Tensor, made: Callable[[torch.nn.Linear], Linear]
) -> None:  # fmt: skip
    """Run ``made(layer)`` instead of each. Raises FAILED_PRECONDITION when there is none, or no processor to run it."""
    layers = _called(network.module, lambda: image(pixels))
    text = network.text
    if text is not None:
        layers -= _called(network.module, lambda: text.embed(text.tokenise(["normal chest"])))
    if not layers or pixels.device.type != "cpu":
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "this network has no linear layer that could run so here")
    for layer in layers:
        layer.forward = _either(made(layer), layer.forward)  # type: ignore[method-assign]


def _either(fast: Linear, plain: Linear) -> Linear:
    return lambda given: plain(given) if torch.is_grad_enabled() else fast(given)


def _called(module: torch.nn.Module, run: Callable[[], object]) -> set[torch.nn.Linear]:
    called: set[torch.nn.Linear] = set()
    hooks = [
        layer.register_forward_hook(lambda layer, *_: called.add(layer))
        for layer in module.modules()
        if type(layer) is torch.nn.Linear
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return called
