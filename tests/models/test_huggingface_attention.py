"""Attention methods on the video transformers of the transformers package, at a tiny size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.models.test_huggingface import NETWORKS
from tests.support.random_networks import fill
from video_cam import compute_cams
from video_cam.choice_names import ATTENTION_METHOD_NAMES

transformers = pytest.importorskip("transformers")


def network(kind: str, **changes: object) -> nn.Module:
    """A video classifier in float64, with random weights."""
    name, values, _, _ = NETWORKS[kind]
    config = getattr(transformers, f"{name}Config")(**values, **changes)
    built = getattr(transformers, f"{name}ForVideoClassification")(config)
    return fill(built).double().eval()


def clip(kind: str) -> Tensor:
    """A clip (1, T, 3, 32, 32)."""
    frames = NETWORKS[kind][1].get("num_frames") or NETWORKS[kind][1]["frames_per_clip"]
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, frames, 3, 32, 32, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("kind", NETWORKS)
def test_both_implementations_of_attention_give_the_same_maps(kind: str) -> None:
    """With the weights in sight ("eager"), and where PyTorch's kernels hide them ("sdpa")."""
    model = network(kind)
    maps = {}
    for implementation in ("eager", "sdpa"):
        model.config._attn_implementation = implementation
        maps[implementation] = compute_cams(model, clip(kind), methods=ATTENTION_METHOD_NAMES)
        assert model.config._attn_implementation == implementation
    for found, expected in zip(maps["sdpa"], maps["eager"], strict=True):
        assert found.values.shape[1:] == NETWORKS[kind][3] == found.centres.grid
        torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-9)
        assert found.values.std() > 1e-7


def test_a_kernel_that_hides_the_weights_is_exchanged_while_the_method_runs() -> None:
    model = network("videomae")
    expected = compute_cams(model, clip("videomae"), methods=ATTENTION_METHOD_NAMES)
    model.config._attn_implementation = "flex_attention"
    found = compute_cams(model, clip("videomae"), methods=ATTENTION_METHOD_NAMES)
    assert model.config._attn_implementation == "flex_attention"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.values, other.values, rtol=1e-5, atol=1e-9)


def weights_of(qkv: Tensor, heads: int) -> Tensor:
    """Mean weights (B, L, L) from what a TimeSformer's ``qkv`` puts out."""
    q, k, _ = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1).mean(1)


def test_divided_attention_is_composed_token_by_token() -> None:
    """Rollout of TimeSformer by loops over tokens: over time at each place, then in each frame."""
    model, x = network("timesformer"), clip("timesformer")
    seen: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if name.endswith("qkv"):
            module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
    [cam] = compute_cams(model, x, methods=["attention-rollout"])
    model(x)
    frames, places, heads = 3, 16, 2
    count = 1 + places * frames  # the class token, then place by place

    def token(place: int, frame: int) -> int:
        return 1 + place * frames + frame

    row = torch.eye(count, dtype=torch.float64)[0]  # what the head reads
    for layer in (1, 0):
        prefix = f"timesformer.encoder.layer.{layer}"
        time = weights_of(seen[f"{prefix}.temporal_attention.attention.qkv"], heads)
        space = weights_of(seen[f"{prefix}.attention.attention.qkv"], heads)
        full_time = torch.eye(count, dtype=torch.float64)  # the class token has no part in it
        full_space = torch.zeros(count, count, dtype=torch.float64)
        for place in range(places):
            for frame in range(frames):
                one = token(place, frame)
                full_time[one] /= 2
                for other in range(frames):
                    full_time[one, token(place, other)] += time[place, frame, other] / 2
        for frame in range(frames):
            members = [0, *(token(place, frame) for place in range(places))]
            for i, one in enumerate(members):
                share = 1 / frames if one == 0 else 1  # the class token is the mean over frames
                for j, other in enumerate(members):
                    full_space[one, other] += share * space[frame, i, j]
        row = row @ (torch.eye(count) + full_space).div(2) @ full_time
    expected = row[1:].reshape(4, 4, frames).permute(2, 0, 1)
    expected -= expected.mean()  # as rollout is given out
    torch.testing.assert_close(cam.values[0].double(), expected, rtol=1e-5, atol=1e-8)
