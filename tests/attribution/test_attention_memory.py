"""What attention methods keep of a forward pass: no more than they need."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from tests.support.attention_networks import Divided, Frames, Joint
from tests.support.networks import clip, seeded
from video_cam import compute_cams
from video_cam.attribution.attention_record import attention_record
from video_cam.attribution.method_inputs import TargetPass
from video_cam.layers.hooks import frozen_evaluation


class InPlace(Joint):
    """Changes each block's output in place before the next one takes it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x)
        for block in self.blocks:
            tokens = block(tokens)
            read = tokens.clone()
            tokens *= 0.5
        return self.head(read)


@pytest.mark.parametrize("build", [Joint, Frames, Divided, InPlace])
def test_legrad_alone_is_that_beside_other_methods(build: type[nn.Module]) -> None:
    model, x = seeded(build), clip()
    [alone] = compute_cams(model, x, methods=["legrad"], targets=[1])
    _, beside = compute_cams(model, x, methods=["attention-gradient", "legrad"], targets=[1])
    torch.testing.assert_close(alone.values, beside.values, rtol=1e-6, atol=1e-9)
    assert alone.values.std() > 1e-7


def test_legrad_alone_has_a_graph_for_each_block_and_keeps_no_queries() -> None:
    model, x = seeded(Joint), clip()
    for alone in (True, False):
        record = attention_record(model, x, ["legrad"], alone=alone)
        with frozen_evaluation(model), record.recording(model):
            scores = model(x)
        first, second = (record.given[f"blocks.{block}"].sum() for block in (0, 1))
        assert scores.requires_grad is not alone
        outputs = [call.output for call in record.calls.values()]
        of_first, of_second = (
            torch.autograd.grad(one, outputs, retain_graph=True, allow_unused=True)
            for one in (first, second)
        )
        assert [one is None for one in of_first] == [False, True]
        assert [one is None for one in of_second] == [alone, False]
        assert [call.query is None for call in record.calls.values()] == [alone, alone]


def test_where_the_graph_begins_no_memory_is_kept() -> None:
    model, x = seeded(Joint), clip()
    record = attention_record(model, x, ["attention-gradient"])
    with frozen_evaluation(model), record.recording(model):
        model(x)
    begins = record.calls[0].output
    assert begins.is_leaf and begins.untyped_storage().nbytes() == begins.element_size()


def test_the_graph_does_not_outlive_the_call() -> None:
    model, x = seeded(Joint), clip()
    gc.collect()
    gc.disable()  # which would free what refers to itself, but later
    try:
        compute_cams(model, x, layers=["blocks.0"], targets=[1, 2])
        left = [one for one in gc.get_objects() if isinstance(one, TargetPass)]
    finally:
        gc.enable()
    assert left == []
