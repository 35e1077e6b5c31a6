"""Attention methods against the matrices of their papers, in float64."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torchcam.methods import LeGrad
from torchvision.models import VisionTransformer

from tests.support.attention_networks import (
    CODES,
    MODULES,
    Divided,
    Factorised,
    Frames,
    Joint,
)
from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import PoolLinear, clip, seeded
from tests.support.random_networks import fill
from video_cam import UsageError, compute_cams
from video_cam.attribution.attention_record import (
    attention_record,
    gradient_relevance,
    rollout,
)
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.config import ExplainConfig

GRID = (2, 6, 5)  # of ``clip()`` in patches of the networks
ROLLOUT, GRADIENT, LEGRAD = ATTENTION_METHOD_NAMES


def maps_of(model: nn.Module, x: Tensor, target: int = 1) -> dict[str, Tensor]:
    """Method -> map (N, T', H', W')."""
    cams = compute_cams(model, x, methods=ATTENTION_METHOD_NAMES, targets=[target])
    assert {cam.layer for cam in cams} == {"attention"}
    return {cam.method: cam.values.double() for cam in cams}


def above_mean(values: Tensor) -> Tensor:
    """Maps (N, T', H', W') as attention rollout and LeGrad are given out."""
    return values - values.mean((1, 2, 3), keepdim=True)


def rolled_out(weights: list[Tensor], row: Tensor) -> Tensor:
    """Abnar and Zuidema: a row of the product of (A + I) / 2, (N, L)."""
    product = torch.eye(weights[0].shape[-1], dtype=torch.float64)
    for A in weights:
        product = (A.mean(1) + torch.eye(A.shape[-1])) / 2 @ product
    return (row[None, None] @ product)[:, 0]


def relevance(weights: list[Tensor], gradients: list[Tensor], row: Tensor) -> Tensor:
    """Chefer et al.: a row of R, R + (dA * A)^+ R and so on, without that of I, (N, L)."""
    identity = torch.eye(weights[0].shape[-1], dtype=torch.float64)
    R = identity.expand(len(weights[0]), -1, -1)
    for A, dA in zip(weights, gradients, strict=True):
        R = R + (A * dA).clamp(min=0).mean(1) @ R
    return (row[None, None] @ (R - identity))[:, 0]


@pytest.mark.parametrize("head", ["class", "mean"])
def test_the_maps_are_those_of_the_papers(head: str) -> None:
    model, x = seeded(Joint, head=head), clip()
    found = maps_of(model, x)
    scores, weights, given = model.in_loops(x)
    first = head == "class"
    row = torch.eye(weights[0].shape[-1], dtype=torch.float64)[0]
    row = row if first else torch.full_like(row, 1 / len(row))

    def on_grid(values: Tensor) -> Tensor:
        return values[:, int(first) :].reshape(len(x), *GRID)

    expected = above_mean(on_grid(rolled_out(weights, row)))
    torch.testing.assert_close(found[ROLLOUT], expected, rtol=1e-5, atol=1e-9)
    gradients = torch.autograd.grad(scores[:, 1].sum(), weights, retain_graph=True)
    expected = on_grid(relevance(weights, gradients, row))
    torch.testing.assert_close(found[GRADIENT], expected, rtol=1e-5, atol=1e-12)
    legrad = torch.zeros(len(x), weights[0].shape[-1], dtype=torch.float64)
    for A, Z in zip(weights, given, strict=True):
        score = model.fc(model.norm(Z.mean(1)))[:, 1].sum()
        (dA,) = torch.autograd.grad(score, A, retain_graph=True)
        legrad += dA.clamp(min=0).mean((1, 2)) / len(weights)
    expected = above_mean(on_grid(legrad))
    torch.testing.assert_close(found[LEGRAD], expected, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("code", [*CODES, *MODULES])
def test_attention_is_found_in_whatever_code_computes_it(code: str) -> None:
    expected = maps_of(seeded(Joint), clip())
    model = seeded(Joint, code=code)
    before = state_of(model)
    found = maps_of(model, clip())
    assert_same_state(before, model)
    for method in ATTENTION_METHOD_NAMES:
        torch.testing.assert_close(found[method], expected[method], rtol=1e-5, atol=1e-9)


def test_one_block_with_weights_set_by_hand() -> None:
    """Keys and queries are 0, so A is 1/L everywhere, and the map (A + I) / 2 of the class token.

    The value of a token is its brightness, which the head reads: with a linear head and no other
    path, dA of the class token's row is the brightness, and the relevance A dA.
    """
    model = seeded(Joint, depth=1)
    block, length = model.blocks[0], 1 + 2 * 6 * 5
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.patch_embed.weight[0] = 1 / 24  # the mean of a patch
        model.norm = block.norm1 = nn.Identity()
        block.attn.qkv.weight[2 * 12, 0] = 1  # value 0 of head 0 is channel 0
        block.attn.proj.weight[3, 0] = 1
        model.fc.weight[1, 3] = 2
    x = clip().abs()
    record = attention_record(model, x, ATTENTION_METHOD_NAMES)
    with record.recording(model):
        scores = model(x)[:, 1]
    even = torch.full((2, *GRID), 0.5 / length, dtype=torch.float64)
    torch.testing.assert_close(rollout(record, 2), even, rtol=1e-12, atol=0)
    brightness = model.patch_embed(x)[:, 0].detach()
    # The mean over two heads, of which the second has no value.
    expected = brightness / length
    torch.testing.assert_close(gradient_relevance(record, scores), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("build", [Joint, Frames, Divided, Factorised])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_bright_patch_moved_by_a_token_moves_the_map(build: type[nn.Module], axis: int) -> None:
    model, x = seeded(build), clip(batch=1)
    x[:, :, :2, 4:6, 2:4] += 4
    tubelet = 1 if build in (Frames, Factorised) else 2
    moved = x.roll((tubelet, 2, 2)[axis], 2 + axis)
    for method in ATTENTION_METHOD_NAMES:
        if method == LEGRAD and build is Factorised:
            continue
        first, second = (
            compute_cams(model, one, methods=[method], targets=[2])[0] for one in (x, moved)
        )
        torch.testing.assert_close(
            second.values, first.values.roll(1, 1 + axis), rtol=1e-4, atol=1e-9
        )
        assert first.values.std() > 1e-6
        steps = [b - a for axis_ in "tyx" for a, b in pairwise(getattr(first.centres, axis_))]
        assert steps == pytest.approx([tubelet] * (4 // tubelet - 1) + [2] * 9)


def test_frames_and_moments_are_composed_token_by_token() -> None:
    """Attention over time goes to the class token of each frame, and from it to its patches."""
    model, x = seeded(Factorised), clip(batch=1)
    tokens = model.patch_embed(x[0].transpose(0, 1)).flatten(2).transpose(1, 2)
    tokens = torch.cat([model.class_token.expand(4, 1, 12), tokens], 1)
    space = model.in_space.attn.weights(model.in_space.norm1(tokens)).mean(1)  # (T, L, L)
    moments = model.in_space(tokens)[:, 0][None]
    time = model.in_time.attn.weights(model.in_time.norm1(moments))[0].mean(0)  # (T, T)
    expected = torch.zeros(4, 30, dtype=torch.float64)
    for frame in range(4):
        share = sum((time[i, frame] + (i == frame)) / 2 / 4 for i in range(4))
        expected[frame] = share * space[frame, 0, 1:] / 2
    [cam] = compute_cams(model, x, methods=[ROLLOUT])
    expected = above_mean(expected.reshape(1, 4, 6, 5))
    torch.testing.assert_close(cam.values.double(), expected, rtol=1e-5, atol=1e-9)


def test_the_methods_stand_beside_those_of_layers() -> None:
    model, x = seeded(Joint, head="mean"), clip()
    methods = ["gradcam", *ATTENTION_METHOD_NAMES]
    cams = compute_cams(model, x, layers=["blocks.1"], methods=methods, targets=[None, 2])
    assert [(cam.layer, cam.method) for cam in cams[:4]] == [
        ("blocks.1", "gradcam"),
        *(("attention", name) for name in ATTENTION_METHOD_NAMES),
    ]
    alone = maps_of(model, x, target=2)
    for cam in cams[5:]:
        torch.testing.assert_close(cam.values.double(), alone[cam.method], rtol=1e-5, atol=1e-12)
    assert not torch.allclose(cams[2].values, cams[6].values)  # of another class


def test_layers_name_the_blocks_whose_attention_is_followed() -> None:
    model, x = seeded(Joint), clip()
    _, weights, _ = model.in_loops(x)
    row = torch.eye(weights[0].shape[-1], dtype=torch.float64)[0]
    for names, parts in ((["blocks.1"], weights[1:]), (["module.blocks"], weights)):
        [cam] = compute_cams(model, x, layers=names, methods=[ROLLOUT])
        expected = above_mean(rolled_out(parts, row)[:, 1:].reshape(2, *GRID))
        torch.testing.assert_close(cam.values.double(), expected, rtol=1e-5, atol=1e-9)
    for names in (["norm"], ["blocks.2"], ["norm", "blocks.1"], ["blocks.1", "norm"]):
        name = next(one for one in names if one != "blocks.1")
        with pytest.raises(
            UsageError, match=f"layer '{name}' holds no attention; leave .*: [a-z][^;]*$"
        ):
            compute_cams(model, x, layers=names, methods=[GRADIENT])
    config = ExplainConfig(methods=(LEGRAD,), layers=("blocks.1",))
    assert config.layers == ("blocks.1",)
    with pytest.raises(UsageError, match="legrad makes one map of the attention in all blocks"):
        ExplainConfig(methods=(LEGRAD,), layers=("blocks.0", "blocks.1"), fuse="mean")


class Failing(Joint):
    """Fails behind its blocks, but not on the clip that its structure is found with."""

    def head(self, tokens: Tensor) -> Tensor:
        if len(tokens) > 1:
            raise RuntimeError("no head for two")
        return super().head(tokens)


def test_the_network_is_left_as_found_after_an_error() -> None:
    model = seeded(Failing).train()
    before, attributes = state_of(model), [dict(vars(module)) for module in model.modules()]
    with pytest.raises(RuntimeError, match="no head for two"):
        maps_of(model, clip())
    assert_same_state(before, model)
    assert [dict(vars(module)) for module in model.modules()] == attributes


class Pooled(Joint):
    """Keys and values are means of neighbouring tokens, as in MViT."""

    def __init__(self) -> None:
        super().__init__(head="mean")
        self.blocks = nn.ModuleList([PooledBlock()])


class PooledBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(12, 36)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, 2)
        k, v = (one.unflatten(1, (-1, 2)).mean(2)[:, None] for one in (k, v))
        return x + nn.functional.scaled_dot_product_attention(q[:, None], k, v)[:, 0]


class TwoReadings(Joint):
    """The scores read the first block's tokens, too."""

    def forward(self, x: Tensor) -> Tensor:
        first = self.blocks[0](self.embed(x))
        return self.head(self.blocks[1](first)) + self.fc(first[:, 0]).square()


class HeadOfZeros(Joint):
    """As a network is before training."""

    def head(self, tokens: Tensor) -> Tensor:
        return super().head(tokens) * 0


REFUSED = {
    "no attention": (
        PoolLinear,
        ROLLOUT,
        "PoolLinear has no attention that can be seen",
    ),
    "pooled": (Pooled, GRADIENT, "layer 'blocks.0' is not between single tokens: .* pooled"),
    "factorised": (
        Factorised,
        LEGRAD,
        "not the same tokens in all blocks: take atten",
    ),
    "zeros": (HeadOfZeros, ROLLOUT, "load trained weights where the head is still all zeros"),
    "two": (
        TwoReadings,
        LEGRAD,
        "more than the last block's tokens: take attention-gradient",
    ),
}


@pytest.mark.parametrize(("build", "method", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_map_is_refused(build: type[nn.Module], method: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        compute_cams(seeded(build), clip(), methods=[method])
    assert "\n" not in str(error.value)


def test_legrad_is_that_of_torchcam() -> None:
    vit = partial(VisionTransformer, 32, 8, 2, 2, 24, 32, num_classes=5)
    model = fill(vit()).eval()
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    [cam] = compute_cams(model, image, methods=[LEGRAD], targets=[3])
    with LeGrad(model, [*model.encoder.layers]) as extractor:
        model(image)
        [expected] = extractor(3, normalized=False)
    assert cam.values.shape == (1, 1, 4, 4) and expected.max() > 1e-5
    expected = above_mean(expected[:, None].double())
    share = (cam.values - expected).abs().max() / expected.max()
    assert share < 1e-5
