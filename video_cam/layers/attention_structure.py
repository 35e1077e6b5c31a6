"""Between which tokens a network attends, and where in the clip these tokens are.

Two forward passes of one sample find it, once per network and input shape. The first sees the calls
of attention and the modules around them. A call's *frame* is the smallest of these modules that
takes and gives the same grid of tokens, or one around it that is another call's. In the second pass
a frame's input is a leaf of the graph, so that gradients tell which token each key and query is
made of (see ``token_slots``). Calls with frames of the same shape, one after the other, belong to
one *stage*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.attention_calls import ModuleRun, watch_attention
from video_cam.layers.attention_reading import Reading, Slots
from video_cam.layers.attention_weights import AttentionCall
from video_cam.layers.axes import detached, input_size, run_network
from video_cam.layers.cache import Fact, learned
from video_cam.layers.disturbance import map_dim
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.layout import Fold, layouts
from video_cam.layers.measured_layout import settled_folds
from video_cam.layers.trace import trace
from video_cam.utils.devices import sent
from video_cam.utils.names import nearest
from video_cam.utils.nested import map_tensors, tensors_in

_TRIED = 3  # modules with the tokens of a frame that are measured before it is given up


@dataclass(frozen=True)
class Stage:
    """Tokens that attention mixes, from the first call that does to the last.

    Attributes:
        fold: how these tokens are folded to (N, K, T', H', W').
        tokens: number of tokens of one sample, the extra ones included.
        cells: int64 (T' H' W',), the token of each cell.
        feeds: int64 (tokens,), the token of the next stage that each one feeds, or the number of
            that stage's tokens for none; None for the last stage.
        share: float64 (tokens,), 1 / the number of tokens that feed the same one; 0 for none.
    """

    fold: Fold
    tokens: int
    cells: Tensor
    feeds: Tensor | None = None
    share: Tensor | None = None

    def on_grid(self, values: Tensor) -> Tensor:
        """Values of tokens (N, tokens) as (N, T', H', W')."""
        return values[:, self.cells].reshape(-1, *self.fold.grid)


@dataclass(frozen=True)
class Attention:
    """One call of attention.

    Attributes:
        module: name of the smallest module around it.
        block: name of the largest module with these calls alone that gives what it takes.
        stage: index of its stage.
        parts, heads: how many parts of one sample attend among themselves, and in how many heads.
        keys: int64 (parts x keys,), the token of each key, or the number of tokens for none.
        queries: int64 (parts x queries,), the same of each query; None where queries are no tokens,
            as in a head that pools by attention.
        share: float64 (parts x queries,), 1 / the number of queries of the same token; 0 for none.
        attends: bool (tokens,), whether a token has a query.
    """

    module: str
    block: str
    stage: int
    parts: int
    heads: int
    keys: Tensor
    queries: Tensor | None
    share: Tensor
    attends: Tensor


@dataclass(frozen=True)
class AttentionStructure:
    """The attention of one network for inputs of one shape.

    Attributes:
        calls: in the order of execution; None for a call that does not depend on the clip.
        stages: in the order of execution.
        read: bool (tokens,), the last stage's tokens that the outputs depend on, besides through
            attention whose queries are no tokens.
    """

    calls: tuple[Attention | None, ...]
    stages: tuple[Stage, ...]
    read: Tensor

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks, in the order of execution."""
        names = (call.block for call in self.calls if call is not None and call.queries is not None)
        return tuple(dict.fromkeys(names))

    def within(self, names: Sequence[str]) -> dict[int, Attention]:
        """The calls that depend on the clip and are in modules of these names, by number.

        Args:
            names: of modules; none for all calls.

        Raises:
            UsageError: for a module that holds none of them.
        """
        found = {number: one for number, one in enumerate(self.calls) if one is not None}
        for name in names:
            if not any(_is_in(one.module, [name]) for one in found.values()):
                raise UsageError(
                    f"layer {name!r} holds no attention; leave layers out for all blocks, or name "
                    f"some: {nearest(name, self.blocks)}"
                )
        return {n: one for n, one in found.items() if not names or _is_in(one.module, names)}


class NoAttention(UsageError):
    """A network without attention that can be seen."""


NO_ATTENTION = AttentionStructure((), (), torch.empty(0))


def find_attention(model: nn.Module, x: Any) -> AttentionStructure:
    """The attention of a network for inputs like ``x``; found once, then kept in memory.

    Args:
        x: as in ``compute_cams``.

    Raises:
        NoAttention: for a network without attention that can be seen.
        UsageError: for attention between anything but single tokens of a known place and time.
    """
    key = [str([tuple(tensor.shape[1:]) for tensor in tensors_in(x)])]
    return learned(_ATTENTION, model, key, partial(_find, model, x))


def _find(model: nn.Module, x: Any) -> AttentionStructure:
    x = map_tensors(lambda tensor: tensor[:1] if tensor.ndim else tensor, detached(x))
    around = _modules_around(model, x)
    if not around:
        raise NoAttention(
            f"{type(model).__name__} has no attention that can be seen: take a CAM method such as "
            "gradcam; where it attends in kernels of another package (flash_attn, xformers) or in "
            "TorchScript, load it with PyTorch's own attention"
        )
    frames = _Frames(model, x)
    chosen = _outermost([frames.frame(runs) for runs in around], around)
    if not any(chosen):
        raise UsageError(
            f"the attention in {_innermost(around[0])} is between no tokens with a known place in "
            "the clip: take a CAM method such as gradcam"
        )
    reading = Reading(model, chosen, [frames.fold(run) for run in chosen])
    with frozen_evaluation(model), torch.inference_mode(False), torch.enable_grad():
        reading.run(x)
    stages = _stages(reading)
    calls = tuple(
        None if slots is None else _attention(slots, stages[slots.stage], runs, frame, around)
        for runs, frame, slots in zip(around, chosen, reading.slots, strict=True)
    )
    return AttentionStructure(calls, stages, reading.read)


def _attention(
    slots: Slots,
    stage: Stage,
    runs: Sequence[ModuleRun],
    frame: ModuleRun | None,
    around: Sequence[Sequence[ModuleRun]],
) -> Attention:
    queries, share, attends = None, torch.empty(0), torch.empty(0)
    if slots.queries is not None:
        queries, share, count = _indices(slots.queries, stage.tokens)
        attends = count > 0
    return Attention(
        _innermost(runs),
        _block(runs, frame, around),
        slots.stage,
        slots.parts,
        slots.heads,
        _indices(slots.keys, stage.tokens)[0],
        queries,
        share,
        attends,
    )


def _indices(tokens: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Indices with ``count`` for NONE, 1 / how many are the same (0 for NONE), and how many are."""
    is_one = tokens >= 0
    number = torch.bincount(tokens[is_one], minlength=count)
    share = torch.where(is_one, 1 / number[tokens.clamp(min=0)].double(), 0.0)
    return torch.where(is_one, tokens, count), share, number


def _stages(reading: Reading) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for fold, shape, feeds in reversed(reading.stages()):
        stage = _stage(fold, shape, reading.read.device)
        if feeds is not None:
            indices, share, _ = _indices(feeds, found[0].tokens)
            stage = replace(stage, feeds=indices, share=share)
        found.insert(0, stage)
    return tuple(found)


def _modules_around(model: nn.Module, x: Any) -> list[Sequence[ModuleRun]]:
    """For each call of attention the modules that run around it, outermost first."""
    found: list[Sequence[ModuleRun]] = []

    def see(call: AttentionCall, running: Sequence[ModuleRun]) -> Tensor:
        found.append(running)
        return call.output

    with frozen_evaluation(model), torch.no_grad(), watch_attention(model, see):
        run_network(model, map_tensors(torch.clone, x))
    return found


class _Frames:
    """The smallest modules around attention that take and give a grid of tokens."""

    def __init__(self, model: nn.Module, x: Any) -> None:
        self._model, self._x, self._size = model, x, input_size(x)
        self._modules = trace(model, x).modules
        self._layouts = layouts(self._modules.values(), self._size)
        self._folds: dict[tuple[int, ...], Fold | None] = {}

    def frame(self, runs: Sequence[ModuleRun]) -> ModuleRun | None:
        """The frame of a call, given the modules around it; None without one."""
        for run in reversed(runs):
            if run.name and run.taken == run.given and self.fold(run) is not None:
                return run
        return None

    def fold(self, run: ModuleRun | None) -> Fold | None:
        """How a module's tokens fold."""
        if run is None or run.taken is None:
            return None
        if run.taken not in self._folds:
            self._folds[run.taken] = self._settled(run.taken, run.name)
        return self._folds[run.taken]

    def _settled(self, shape: tuple[int, ...], name: str) -> Fold | None:
        alike = [
            other
            for other, one in self._modules.items()
            if one.shape == shape and one.calls == 1 and other in self._layouts
        ]
        # The first ones look at their own places alone, which is measured best.
        for other in [*alike[:_TRIED], *(one for one in alike if one == name)]:
            found = settled_folds(self._model, self._layouts, [other], self._size, self._x)
            if other in found:
                return found[other]
        return None


def _outermost(
    frames: Sequence[ModuleRun | None], around: Sequence[Sequence[ModuleRun]]
) -> list[ModuleRun | None]:
    """For each call the outermost frame of any call that it runs in: frames do not nest."""
    numbers = {id(frame) for frame in frames if frame is not None}
    return [next((run for run in runs if id(run) in numbers), None) for runs in around]


def _stage(fold: Fold, shape: Sequence[int], device: torch.device) -> Stage:
    channels = map_dim(fold) % len(shape)
    places = [length for axis, length in enumerate(shape) if axis != channels]
    tokens = torch.Size(places).numel()
    # Exact in float64, and floating-point as the outputs that a fold is made for.
    numbers = torch.arange(tokens, dtype=torch.float64).reshape(places).unsqueeze(channels)
    return Stage(fold, tokens, sent(fold(numbers).long().flatten(), device))


def _is_in(module: str, names: Sequence[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def _innermost(runs: Sequence[ModuleRun]) -> str:
    return next((run.name for run in reversed(runs) if run.name), "its forward")


def _block(
    runs: Sequence[ModuleRun], frame: ModuleRun | None, around: Sequence[Sequence[ModuleRun]]
) -> str:
    """The largest module that gives what it takes and holds the same calls as the frame."""
    if frame is None:
        return ""

    def holds(run: ModuleRun) -> list[int]:
        return [i for i, others in enumerate(around) if any(one is run for one in others)]

    own = holds(frame)
    return next(
        run.name
        for run in runs
        if run.name and run.taken == run.given == frame.taken and holds(run) == own
    )


_ATTENTION: Fact[AttentionStructure] = Fact(
    "attention",
    uses_weights=False,
    to_json=lambda found: found,  # kept in memory only
    from_json=lambda model, content: content,
)
