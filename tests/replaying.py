"""Recording a pass of its own, as the tests of replaying and of re-scoring want it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from video_cam import rescore
from video_cam.capture import capture, frozen_evaluation
from video_cam.grids import Unpack, detached, to_grid, unpacked
from video_cam.nested import tensors_in
from video_cam.replay import Replay, recording


@contextmanager
def replay(
    model: nn.Module, x: Any, layer: str, *, samples: int | None = None, captured: bool = False
) -> Iterator[Replay]:
    """A recorded pass of ``x``, of which what follows ``layer`` can be run again in the block.

    captured: the pass builds a graph from the layer on, as it does where gradients are wanted too.
    """
    with frozen_evaluation(model):
        if captured:
            with capture(model, [layer]), recording(model, x, [layer]) as recorded:
                outputs = model(detached(x))
        else:
            with torch.inference_mode(), recording(model, x, [layer]) as recorded:
                outputs = model(detached(x))
        yield recorded.replay(layer, outputs, samples or len(next(tensors_in(x))))


def ablation_weights(
    model: nn.Module, x: Any, layer: str, score: rescore.Score, **options: Any
) -> Tensor:
    with replay(model, x, layer, samples=options.pop("samples", None)) as recorded:
        return rescore.ablation_weights(recorded, score, **options)


def score_weights(
    model: nn.Module,
    x: Any,
    layer: str,
    score: rescore.Score,
    *,
    unpack: Unpack = to_grid,
    samples: int | None = None,
    **options: Any,
) -> Tensor:
    with replay(model, x, layer, samples=samples) as recorded:
        channels = unpacked(unpack, recorded.activation, layer)
    return rescore.score_weights(model, x, channels, score, **options)
