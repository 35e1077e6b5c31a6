"""Are the maps of a generated network right, refused, or wrong?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv3d

from tests.support.generated_networks import Generated, Truth
from video_cam import UsageError, compute_cams
from video_cam.layers.hooks import find_module, first_tensor
from video_cam.utils.nested import map_tensors

RIGHT, REFUSED, WRONG = "right", "refused", "wrong"
PLACES = 4  # that are disturbed, one at a time


def judge(one: Generated, seed: int, align: str = "probe") -> Iterator[tuple[str, str]]:
    """Each layer with a known grid, and RIGHT, REFUSED or WRONG.

    A map is right if it is the one that autograd and the known grid give, and if a bright patch in
    the input changes the layer most where ``compute_cams`` says that the patch is.
    """
    for layer, truth in one.truths.items():
        yield layer, _judged(one, layer, truth, Random(seed), align)


def _judged(one: Generated, layer: str, truth: Truth, random: Random, align: str) -> str:
    try:
        cams = compute_cams(
            one.network,
            one.x,
            layers=[layer],
            methods=["gradcam", "hirescam"],
            targets=[0],
            align=align,
        )
    except UsageError:
        return REFUSED
    if truth is None:
        return WRONG
    A, G = _by_hand(one, layer)
    A, G = truth(A), truth(G)
    expected = [(G.mean((2, 3, 4), keepdim=True) * A).sum(1), (G * A).sum(1)]
    for cam, values in zip(cams, expected, strict=True):
        scale = float(values.abs().max())
        if cam.values.shape != values.shape or (
            scale and float((cam.values - values).abs().max()) > 1e-6 * scale
        ):
            return WRONG
    found = [_is_moved(one, layer, truth, cams[0], random) for _ in range(PLACES)]
    return RIGHT if sum(found) > PLACES // 2 else WRONG


def _is_moved(one: Generated, layer: str, truth: Any, cam: Any, random: Random) -> bool:
    """Whether a bright patch at the centre of a cell changes that cell or its neighbour most."""
    centres = (cam.centres.t, cam.centres.y, cam.centres.x)
    cell = [random.randrange(len(axis)) for axis in centres]
    share = [(axis[i] + 0.5) / n for axis, i, n in zip(centres, cell, cam.input_size, strict=True)]
    half = [0.5 / len(axis) for axis in centres]

    def bright(x: Tensor) -> Tensor:
        x = x.clone()
        # Rounded: a centre that is measured a hundredth of a frame early is in the same frame.
        starts = [
            round(max(at - w, 0) * n) for at, w, n in zip(share, half, x.shape[2:], strict=True)
        ]
        bounds = [
            (start, max(round(min(at + w, 1) * n), start + 1))
            for start, at, w, n in zip(starts, share, half, x.shape[2:], strict=True)
        ]
        x[(slice(None), slice(None), *(slice(*bound) for bound in bounds))] += 5
        return x

    before = truth(_output(one.network, one.x, layer))
    after = truth(_output(one.network, map_tensors(bright, one.x), layer))
    # Smoothed, because a kernel with signs may change the cells around the patch most.
    change = (after - before).square().sum(1, keepdim=True)
    bell = torch.tensor([1.0, 2, 1]).to(change)
    kernel = bell[:, None, None] * bell[:, None] * bell
    change = conv3d(change, kernel[None, None], padding=1)[0, 0]
    most = torch.unravel_index(change.argmax(), change.shape)
    return all(abs(int(a) - b) <= 1 for a, b in zip(most, cell, strict=True))


def _by_hand(one: Generated, layer: str) -> tuple[Tensor, Tensor]:
    with _outputs_of(one.network, layer) as kept:
        scores = one.network(_copied(one.x))
    (G,) = torch.autograd.grad(scores[:, 0].sum(), kept[0])
    return kept[0].detach(), G


@torch.no_grad()
def _output(network: nn.Module, x: Any, layer: str) -> Tensor:
    with _outputs_of(network, layer) as kept:
        network(_copied(x))
    return kept[0].clone()


@contextmanager
def _outputs_of(network: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """A list that gets the layer's first tensor at every call inside the block."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        tensor = first_tensor(output)
        assert tensor is not None
        kept.append(tensor)

    hook = find_module(network, layer).register_forward_hook(keep)
    try:
        yield kept
    finally:
        hook.remove()


def _copied(x: Any) -> Any:
    return map_tensors(torch.clone, x)
