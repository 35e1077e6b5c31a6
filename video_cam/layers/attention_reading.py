"""The forward pass that reads which tokens attend to which; see ``attention_structure``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.attention_calls import ModuleRun, watch_attention
from video_cam.layers.attention_weights import AttentionCall
from video_cam.layers.axes import run_network
from video_cam.layers.disturbance import map_dim
from video_cam.layers.hooks import find_module, first_tensor, replace_first_tensor
from video_cam.layers.layout import Fold
from video_cam.layers.outputs import original_output, scores_by_name
from video_cam.layers.token_slots import SEVERAL, slot_of_tokens, tokens_of_slots
from video_cam.utils.devices import sent
from video_cam.utils.nested import map_tensors, tensors_in

_READ = 1e-4  # of the largest gradient at a token: below, the outputs do not depend on it


@dataclass(frozen=True)
class Slots:
    """What ``attention_structure.Attention`` says of one call."""

    stage: int
    parts: int
    heads: int
    keys: Tensor
    queries: Tensor | None


@dataclass
class _OpenStage:
    """A stage while the pass runs; ``given`` is the latest output of one of its frames, a leaf."""

    fold: Fold
    shape: tuple[int, ...]
    given: Tensor | None = None
    feeds: Tensor | None = None

    @property
    def channels(self) -> int:
        return map_dim(self.fold) % len(self.shape)


class Reading:
    """One pass in which the inputs and outputs of frames are leaves of the graph.

    Attributes:
        slots: of each call; None for a call that does not depend on the clip.
        read: of ``AttentionStructure``.
    """

    def __init__(
        self, model: nn.Module, frames: Sequence[ModuleRun | None], folds: Sequence[Fold | None]
    ) -> None:
        """Prepare for a network.

        Args:
            frames: of each call of attention.
            folds: of the tokens that each frame takes and gives.
        """
        self._model, self._frames = model, frames
        self._folds = {
            id(frame): fold for frame, fold in zip(frames, folds, strict=True) if frame and fold
        }
        # Runs of the modules that hold frames, by name and number of the call.
        self._by_run: dict[tuple[str, int], ModuleRun] = {
            (frame.name, frame.number): frame for frame in frames if frame
        }
        self._runs: Counter[str] = Counter()
        self._stages: list[_OpenStage] = []
        self._inside: list[tuple[ModuleRun, Tensor] | None] = []
        self.slots: list[Slots | None] = []
        self.read = torch.empty(0)

    def run(self, x: Any) -> None:
        """Run the network on one sample, with gradients enabled.

        Raises:
            UsageError: where a key or query is not made of one token.
        """
        with ExitStack() as stack:
            stack.enter_context(watch_attention(self._model, self._on_call))
            for name in dict.fromkeys(name for name, _ in self._by_run):
                module = find_module(self._model, name)
                before = module.register_forward_pre_hook(self._before(name), with_kwargs=True)
                after = module.register_forward_hook(self._after)
                stack.callback(before.remove)
                stack.callback(after.remove)
            x = map_tensors(
                lambda one: one.clone().requires_grad_() if one.is_floating_point() else one, x
            )
            outputs = run_network(self._model, map_tensors(torch.clone, x))
            self.read = self._tokens_read(outputs)

    def stages(self) -> list[tuple[Fold, tuple[int, ...], Tensor | None]]:
        """Fold, shape and ``feeds`` of each stage."""
        return [(stage.fold, stage.shape, stage.feeds) for stage in self._stages]

    def _before(self, name: str) -> Callable[..., Any]:
        def hook(_module: nn.Module, inputs: Any, named: Any) -> Any:
            frame = self._by_run.get((name, self._runs[name]))
            self._runs[name] += 1
            if frame is None:
                self._inside.append(None)
                return None
            tensor = next(iter(tensors_in([inputs, named])))
            self._enter_stage(frame, tensor)
            leaf = tensor.detach().clone().requires_grad_()
            self._inside.append((frame, leaf))
            taken = leaf.clone()  # the module may change its input in place

            def exchanged(one: Tensor) -> Tensor:
                return taken if one is tensor else one

            return map_tensors(exchanged, inputs), map_tensors(exchanged, named)

        return hook

    def _after(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        frame = self._inside.pop()
        tensor = first_tensor(output)
        if frame is None or tensor is None:
            return output
        leaf = tensor.detach().clone().requires_grad_()
        self._stages[-1].given = leaf
        return replace_first_tensor(output, leaf.clone())

    def _enter_stage(self, frame: ModuleRun, tensor: Tensor) -> None:
        """Begin a stage where a frame's tokens are others than those of the frame before it."""
        latest = self._stages[-1] if self._stages else None
        if latest is not None and latest.shape == frame.taken:
            return
        stage = _OpenStage(self._folds[id(frame)], tuple(tensor.shape))
        if latest is not None and latest.given is not None:
            rows = tensor.movedim(stage.channels, -1).flatten(0, -2)[None]
            feeds = slot_of_tokens(latest.given, latest.channels, rows)
            if bool((feeds == SEVERAL).any()) or not bool((feeds >= 0).any()):
                raise UsageError(
                    f"the tokens that layer {frame.name!r} takes are made of several of the tokens "
                    "before it that overlap, so attention cannot be followed through it: take a "
                    "CAM method such as gradcam"
                )
            latest.feeds = feeds
        self._stages.append(stage)

    def _on_call(self, call: AttentionCall, _running: Sequence[ModuleRun]) -> Tensor:
        number = len(self.slots)
        slots = self._slots(call, self._frames[number]) if call.value.requires_grad else None
        self.slots.append(slots)
        # Without its graph, so that what follows depends on each token through its own path alone.
        return call.output.detach()

    def _slots(self, call: AttentionCall, frame: ModuleRun | None) -> Slots:
        inside = next((one for one in reversed(self._inside) if one and one[0] is frame), None)
        if not self._stages or (inside is None and self._stages[-1].given is None):
            raise _not_of_tokens(_running_name(frame))
        stage = self._stages[-1]
        leaf = stage.given if inside is None else inside[1]
        assert leaf is not None
        keys = tokens_of_slots(leaf, stage.channels, _rows(call.value))
        if keys is None or not bool((keys >= 0).any()):
            raise _not_of_tokens(_running_name(frame))
        parts, queries_count, keys_count = call.shape
        queries: Tensor | None = keys
        if call.query is not None and call.query.requires_grad:
            queries = tokens_of_slots(leaf, stage.channels, _rows(call.query))
            if queries is None:
                raise _not_of_tokens(_running_name(frame))
            if not bool((queries >= 0).any()):
                queries = None if inside is None else keys
        elif inside is None and (call.query is not None or queries_count != keys_count):
            queries = None
        if queries is keys and queries_count != keys_count:
            raise _not_of_tokens(_running_name(frame))
        return Slots(len(self._stages) - 1, parts, call.heads, keys, queries)

    def _tokens_read(self, outputs: Any) -> Tensor:
        """The tokens of the last stage at which the outputs have a gradient."""
        stage = self._stages[-1]
        scores = scores_by_name(original_output(outputs))
        assert stage.given is not None  # the last frame has ended
        found = None
        if scores is not None and scores.requires_grad:
            generator = torch.Generator().manual_seed(0)
            mix = sent(torch.randn(scores.shape, generator=generator), scores.device)
            (found,) = torch.autograd.grad(
                (scores * mix.to(scores.dtype)).sum(), stage.given, allow_unused=True
            )
        found = torch.zeros_like(stage.given) if found is None else found
        sizes = found.movedim(stage.channels, -1).flatten(0, -2).float().norm(dim=1)
        pooled = any(one is not None and one.queries is None for one in self.slots)
        if not bool(sizes.any()) and not pooled:
            raise UsageError(
                "the network's scores do not depend on the tokens behind its last attention, so "
                "attention says nothing about them: load trained weights where the head is still "
                "all zeros, else take a CAM method such as gradcam"
            )
        return sizes > _READ * sizes.max()


def _rows(values: Tensor) -> Tensor:
    """(B, heads, L, d) -> (B, L, heads x d)."""
    return values.transpose(1, 2).flatten(2)


def _running_name(frame: ModuleRun | None) -> str:
    return "the network" if frame is None else f"layer {frame.name!r}"


def _not_of_tokens(where: str) -> UsageError:
    return UsageError(
        f"the attention in {where} is not between single tokens: its keys or queries are pooled or "
        "made of several tokens each; take a CAM method such as gradcam"
    )
