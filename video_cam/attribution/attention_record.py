"""The attention of one forward pass, and relevance from the scores back to the first tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.attention_relevance import (
    added,
    before_stage,
    pooled,
    read_tokens,
    rolled_out,
    weighted_gradient,
)
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.errors import UsageError
from video_cam.layers.attention_calls import ModuleRun, watch_attention
from video_cam.layers.attention_structure import (
    NO_ATTENTION,
    Attention,
    AttentionStructure,
    find_attention,
)
from video_cam.layers.attention_weights import AttentionCall
from video_cam.layers.hooks import (
    find_module,
    first_tensor,
    forward_hooks,
    replace_first_tensor,
)

ATTENTION = "attention"  # in place of a layer's name

# Through one attention: (relevance behind it, its weights, it) -> relevance before it
Step = Callable[[Tensor, Tensor, Attention], Tensor]


def attention_record(
    model: nn.Module,
    x: Any,
    methods: Sequence[str],
    blocks: Sequence[str] = (),
    alone: bool = False,
) -> AttentionRecord:
    """A record for the methods of ATTENTION_METHOD_NAMES among these; without any, of nothing.

    Args:
        model: the network, the same object in every call, because what is found of its attention
            is kept under it.
        x: its input.
        methods: names of methods.
        blocks: as in AttentionRecord.
        alone: whether nothing else needs the graph of the pass.
    """
    of_attention = [name for name in methods if name in ATTENTION_METHOD_NAMES]
    structure = find_attention(model, x) if of_attention else NO_ATTENTION
    separate = alone and "attention-gradient" not in of_attention
    return AttentionRecord(structure, of_attention, blocks, separate)


@dataclass
class AttentionRecord:
    """What attention methods need of one forward pass.

    Attributes:
        structure: of the network's attention.
        methods: names of the methods.
        blocks: names of modules; only attention in them counts. Empty for all.
        separate: whether each block gets a graph of its own, from its attention to its output.
            LeGrad needs no more, and all of them take half the memory of the whole graph.
        calls: the calls that count, by number; with their graph where a method needs gradients.
        weights: their means over heads, where a method needs these.
        given: block -> output, where a method needs these.
    """

    structure: AttentionStructure
    methods: Sequence[str]
    blocks: Sequence[str] = ()
    separate: bool = False
    calls: dict[int, AttentionCall] = field(default_factory=dict)
    weights: dict[int, Tensor] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    _seen: int = 0

    @property
    def needs_gradient(self) -> bool:
        """Whether a method needs the graph of the pass."""
        return bool({"attention-gradient", "legrad"} & {*self.methods})

    @property
    def counted(self) -> dict[int, Attention]:
        """The attention that counts, by number."""
        return self.structure.within(self.blocks)

    @contextmanager
    def recording(self, model: nn.Module) -> Iterator[None]:
        """Record the forward pass of the network that is made inside the block."""
        self.calls.clear()
        self.weights.clear()
        self.given.clear()
        self._seen = 0
        if not self.methods:
            yield
            return
        counted = self.counted
        with ExitStack() as stack:
            if "legrad" in self.methods:
                modules = {name: find_module(model, name) for name in self.structure.blocks}
                stack.enter_context(forward_hooks(modules, self._keep_output))
            stack.enter_context(watch_attention(model, partial(self._on_call, counted)))
            yield

    def relevance(self, weights: Callable[[int], Tensor], step: Step, samples: int) -> Tensor:
        """Relevance (N, T', H', W') of the first stage's cells.

        Args:
            weights: number of a call -> its (N x parts, queries, keys).
            step: through one attention.
            samples: N.
        """
        r = read_tokens(self.structure, samples)
        current = len(self.structure.stages) - 1
        for number, one in reversed(self.counted.items()):
            for stage in reversed(self.structure.stages[one.stage : current]):
                r = before_stage(r, stage)
            current = one.stage
            if one.queries is None:
                r = r + pooled(weights(number), one, r.shape[1])
            else:
                r = step(r, weights(number), one)
        return self._on_first_grid(r, current)

    def read_cells(self, samples: int) -> Tensor:
        """Where the scores read the tokens themselves, (N, T', H', W') of the first stage."""
        return self._on_first_grid(
            read_tokens(self.structure, samples), len(self.structure.stages) - 1
        )

    def _on_first_grid(self, r: Tensor, current: int) -> Tensor:
        for stage in reversed(self.structure.stages[:current]):
            r = before_stage(r, stage)
        return self.structure.stages[0].on_grid(r)

    def _on_call(
        self, counted: Mapping[int, Attention], call: AttentionCall, _running: Sequence[ModuleRun]
    ) -> Tensor:
        number, self._seen = self._seen, self._seen + 1
        if number >= len(self.structure.calls):
            raise UsageError(
                "the network attends more often than in the pass before, so its attention cannot "
                "be followed: take a CAM method such as gradcam"
            )
        if number not in counted:
            return call.output
        if "attention-rollout" in self.methods:
            with torch.no_grad():
                self.weights[number] = call.mean_weights()
        if not self.needs_gradient:
            return call.output
        if call.output.requires_grad:
            self.calls[number] = call
            return call.output.clone()  # the next operation may be in place
        # The graph begins here: at zeros without memory of their own, which are added.
        output = call.output.detach()
        begin = output.new_zeros(()).expand(output.shape).requires_grad_()
        call = replace(call, output=begin)
        self.calls[number] = call.without_weights() if self.separate else call
        return output + begin

    def _keep_output(self, name: str, _module: nn.Module, output: Any) -> Any:
        tensor = first_tensor(output)
        if tensor is None:
            return None
        self.given[name] = output
        # A copy, because the next block may begin with an operation in place.
        copied = (tensor.detach() if self.separate else tensor).clone()
        return replace_first_tensor(output, copied)


def rollout(record: AttentionRecord, samples: int) -> Tensor:
    """Attention rollout (Abnar and Zuidema 2020), (N, T', H', W'), the same for every class."""
    return record.relevance(record.weights.__getitem__, rolled_out, samples)


def gradient_relevance(record: AttentionRecord, scores: Tensor) -> Tensor:
    """Gradient-weighted attention (Chefer, Gur and Wolf 2021), (N, T', H', W').

    Without the identity that the paper's R begins with: that is the same for all cells.
    """
    gradients = output_gradients(record, scores.sum(), [*record.calls])

    def weights(number: int) -> Tensor:
        return weighted_gradient(record.calls[number], gradients[number])

    samples = len(scores)
    return record.relevance(weights, added, samples) - record.read_cells(samples)


def output_gradients(
    record: AttentionRecord, score: Tensor, numbers: Sequence[int]
) -> dict[int, Tensor]:
    """The gradients of a score with respect to the outputs of calls, by number."""
    outputs = [record.calls[number].output for number in numbers]
    found = torch.autograd.grad(score, outputs, retain_graph=True, allow_unused=True)
    return {
        number: torch.zeros_like(output) if one is None else one
        for number, output, one in zip(numbers, outputs, found, strict=True)
    }
