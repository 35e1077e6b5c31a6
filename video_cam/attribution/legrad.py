"""LeGrad: gradients of each block's own scores with respect to its attention.

Bousselham et al. 2024, "LeGrad: An Explainability Method for Vision Transformers via Feature
Formation Sensitivity". A block's scores are those that the network's head gives for the mean of the
tokens that the block puts out. To get them the network runs once more for each block, without its
blocks: only what is before the first and behind the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.attention_record import AttentionRecord, output_gradients
from video_cam.attribution.attention_relevance import positive_gradient
from video_cam.errors import UsageError
from video_cam.layers.attention_structure import Stage
from video_cam.layers.axes import run_network
from video_cam.layers.disturbance import map_dim
from video_cam.layers.hooks import (
    find_module,
    first_tensor,
    frozen_evaluation,
    replace_first_tensor,
)
from video_cam.layers.layout import Fold
from video_cam.layers.outputs import class_scores
from video_cam.utils.nested import map_tensors

_SAME = 1e-3  # largest difference of scores that are the same, as a share of the largest score


def legrad(
    record: AttentionRecord,
    model: nn.Module,
    x: Any,
    score: Callable[[Any], Tensor],
    reads_last: bool,
) -> Tensor:
    """The mean over attentions of LeGrad's maps, (N, T', H', W').

    Args:
        record: of the network's forward pass for ``x``.
        model, x: the network and its input.
        score: the network's outputs -> the target's scores (N,).
        reads_last: what ``reads_last_block`` found.

    Raises:
        UsageError: for a network whose head does not read the last block's tokens alone.
    """
    if not reads_last:
        raise UsageError(
            "legrad reads every block's tokens with the network's head, and these scores depend on "
            "more than the last block's tokens: take attention-gradient"
        )
    structure, counted = record.structure, record.counted
    [stage] = structure.stages
    x = map_tensors(torch.Tensor.detach, x)
    total, count = None, 0
    with frozen_evaluation(model), torch.inference_mode(False), torch.enable_grad():
        for block in structure.blocks:
            numbers = [number for number, one in counted.items() if one.block == block]
            if not numbers:
                continue
            tokens = _mean_of_tokens(_first(record.given[block]), stage.fold)
            own_score = score(_behind_blocks(record, model, x, tokens)).sum()
            gradients = output_gradients(record, own_score, numbers)
            for number in numbers:
                call, one = record.calls[number], counted[number]
                found = positive_gradient(call, gradients[number], one, stage)
                total = found if total is None else total + found
                count += 1
    return _on_grid(total, count, stage)


def reads_last_block(record: AttentionRecord, model: nn.Module, x: Any, outputs: Any) -> Tensor:
    """Whether the class scores are a function of the last block's output alone, bool ().

    Args:
        record: of the network's forward pass for ``x``.
        model, x: the network and its input.
        outputs: of that pass.

    Raises:
        UsageError: for a network whose blocks do not pass on the same tokens.
    """
    structure = record.structure
    if len(structure.stages) > 1 or not structure.blocks:
        raise UsageError(
            "legrad reads the tokens of every block with the network's head, and those of "
            f"{type(model).__name__} are not the same tokens in all blocks: take "
            "attention-gradient"
        )
    last = _first(record.given[structure.blocks[-1]]).detach()
    with frozen_evaluation(model), torch.inference_mode(False), torch.no_grad():
        again = _behind_blocks(record, model, map_tensors(torch.Tensor.detach, x), last)
    before, after = class_scores(outputs).detach(), class_scores(again)
    if before.shape != after.shape:
        return torch.tensor(False)
    return ((before - after).abs() <= _SAME * before.abs().max()).all()


def _on_grid(total: Tensor | None, count: int, stage: Stage) -> Tensor:
    if total is None:
        raise UsageError("legrad needs attention in the network's blocks: take attention-gradient")
    return stage.on_grid(total / count)


def _behind_blocks(record: AttentionRecord, model: nn.Module, x: Any, tokens: Tensor) -> Any:
    """The network's outputs for these tokens in place of those behind its blocks."""
    # The same for all blocks, so that what reads another one than the last is noticed.
    given = {
        name: replace_first_tensor(record.given[name], tokens) for name in record.structure.blocks
    }
    with _forwards_replaced(model, given):
        return run_network(model, map_tensors(torch.clone, x))


def _mean_of_tokens(tokens: Tensor, fold: Fold) -> Tensor:
    """The mean token of a sample, or of each frame of it, in place of every token."""
    channels = map_dim(fold) % tokens.ndim
    # A frame's own tokens where frames are samples, or have an axis of their own.
    first = 2 if fold.frames and tokens.ndim == 4 and fold.axes == "tokens" else 1
    axes = [axis for axis in range(first, tokens.ndim) if axis != channels]
    return tokens.mean(axes, keepdim=True).expand_as(tokens)


@contextmanager
def _forwards_replaced(model: nn.Module, given: Mapping[str, Any]) -> Iterator[None]:
    """These modules return these outputs inside the block, without running."""
    modules = {name: find_module(model, name) for name in given}
    own = {name: vars(module).get("forward") for name, module in modules.items()}
    try:
        for name, module in modules.items():
            vars(module)["forward"] = _returning(given[name])
        yield
    finally:
        for name, module in modules.items():
            forward = own[name]
            if forward is None:
                vars(module).pop("forward", None)
            else:
                vars(module)["forward"] = forward


def _returning(output: Any) -> Callable[..., Any]:
    # Copies, because what follows may be an operation in place.
    return lambda *_inputs, **_named: replace_first_tensor(output, _first(output).clone())


def _first(output: Any) -> Tensor:
    tensor = first_tensor(output)
    assert tensor is not None  # a block gives the tokens that it takes
    return tensor
