"""Networks whose scores have no gradient: they are refused, with what works instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.errors import UsageError

# Methods that need no gradient, for messages.
WORKING = f"{' or '.join(SCORE_METHOD_NAMES)}, or ablationcam or scorecam with a named layer"
# What takes the gradient from a network's scores, and what can be done.
WITHOUT_GRADIENT = (
    "the forward runs under torch.no_grad(), detaches, checkpoints with use_reentrant=True, or has "
    f"quantised layers: take that out, or use a method that needs no gradient, {WORKING}"
)


def no_gradient(where: str) -> UsageError:
    """The error for a score without a gradient at a layer, or at the input."""
    return UsageError(
        f"the score does not depend on {where} by a gradient: no path leads from there to the "
        f"score, or {WITHOUT_GRADIENT}"
    )


@contextmanager
def reentrant_checkpoints_refused() -> Iterator[None]:
    """Inside the block, autograd's error about them becomes a UsageError."""
    try:
        yield
    except RuntimeError as error:
        if "use_reentrant=True" not in str(error):  # PyTorch's message
            raise
        raise no_gradient("the input") from error


def refuse_quantised(model: nn.Module) -> None:
    """Raise UsageError for a network with quantised layers.

    PyTorch gives them no gradient: what goes through them is missing, without an error where
    something goes past them.
    """
    name = quantised_layer(model)
    if name is not None:
        raise UsageError(
            f"{without_gradient(name)}: use {WORKING}, or the network as it was before quantisation"
        )


def quantised_layer(model: nn.Module) -> str | None:
    """The name of the first quantised layer; None for a network without any."""
    for name, module in model.named_modules():
        if "quantized" in type(module).__module__.split("."):
            return name
    return None


def without_gradient(quantised: str) -> str:
    """The sentence that a layer of this name is quantised, and so has no gradient."""
    return f"layer {quantised!r} is quantised, and such layers have no gradient"
