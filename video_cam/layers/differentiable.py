"""Networks whose scores have no gradient: they are refused, with what works instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from video_cam.errors import UsageError

# What takes the gradient from a network's scores, and what can be done.
WITHOUT_GRADIENT = (
    "the forward runs under torch.no_grad(), detaches, checkpoints with use_reentrant=True, or has "
    "quantised layers: take that out, or use a method that needs no gradient, ablationcam or "
    "scorecam, with a named layer"
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
    for name, module in model.named_modules():
        if "quantized" in type(module).__module__.split("."):
            raise UsageError(
                f"layer {name!r} is quantised ({type(module).__name__}), and such layers have no "
                "gradient: use ablationcam or scorecam with a named layer, or the network as it "
                "was before quantisation"
            )
