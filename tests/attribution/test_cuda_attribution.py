"""Maps and input gradients on a CUDA device: the CPU's numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from models3d import draw_clip
from tests.support.device_checks import (
    TOLERANCE,
    cams_on,
    correlation,
    distance,
    full_float32,
    on,
)
from tests.support.networks import Nonlinear, clip, seeded
from video_cam import Classifier, compute_cams, guided_backprop, smooth_gradient
from video_cam.choice_names import METHOD_NAMES
from video_cam.models.registry import BUNDLED, load_model
from video_cam.utils.devices import on_cpu, sent

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    with full_float32():
        yield


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is no second CUDA device")
@pytest.mark.parametrize("method", ["gradcam", "scorecam", "legrad", "occlusion"])
def test_the_second_of_two_devices(method: str) -> None:
    found, expected = cams_on("cuda:1", method), cams_on("cpu", method)
    assert {str(one.values.device) for one in found} == {"cuda:1"}
    assert distance(found[0].values, expected[0].values) < TOLERANCE


class Attention(nn.Module):
    """Tokens of a clip, one layer of attention, a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv3d(3, 16, (2, 4, 5), stride=(2, 4, 5))
        self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
        self.fc = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        return self.fc(self.block(tokens).mean(1))


class Recurrent(nn.Module):
    """Features of frames, an LSTM over them: cuDNN's has no backward pass in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 6, 3, stride=(1, 2, 2), padding=1)
        self.lstm = nn.LSTM(6, 8, batch_first=True)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x).relu().mean((3, 4)).transpose(1, 2)
        return self.fc(self.lstm(features)[0][:, -1])


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_method_gives_the_cpus_map(method: str) -> None:
    for found, expected in zip(cams_on("cuda", method), cams_on("cpu", method), strict=True):
        assert found.values.device.type == "cuda"
        assert distance(found.values, expected.values) < TOLERANCE
        assert distance(found.scores, expected.scores) < TOLERANCE
        assert found.class_ids.tolist() == expected.class_ids.tolist()


@pytest.mark.parametrize("options", [{"aug_smooth": True, "aug_shift": 1}, {"eigen_smooth": True}])
def test_options_of_maps(options: dict[str, object]) -> None:
    found, expected = (cams_on(device, "gradcam", **options) for device in ("cuda", "cpu"))
    assert distance(found[0].values, expected[0].values) < TOLERANCE


@pytest.mark.parametrize("method", ["gradcam", "shapleycam", "scorecam", "ablationcam"])
def test_attention(method: str) -> None:
    network = seeded(Attention).float()
    maps = [
        cams_on(device, method, network, layers=["embed"])[0].values for device in ("cuda", "cpu")
    ]
    assert distance(*maps) < TOLERANCE


def test_a_recurrent_network() -> None:
    network = seeded(Recurrent).float()
    found, expected = (
        cams_on(device, "layercam", network, layers=["conv"])[0].values
        for device in ("cuda", "cpu")
    )
    assert distance(found, expected) < TOLERANCE


def test_several_tensors_come_to_the_cpu_in_one_copy() -> None:
    tensors = [
        torch.arange(3, dtype=torch.uint8),
        torch.randn(2, 5, dtype=torch.float64).T,
        torch.tensor(True),
        torch.randn(3).bfloat16(),
    ]
    for found, expected in zip(
        on_cpu([sent(one, "cuda") for one in tensors]), tensors, strict=True
    ):
        assert found.device.type == "cpu" and torch.equal(found, expected)


def test_input_gradients() -> None:
    x = clip().float()
    for gradient in (guided_backprop, smooth_gradient):
        found, expected = (
            gradient(*on(device, seeded(Nonlinear).float(), x), target=1)
            for device in ("cuda", "cpu")
        )
        assert found.device.type == "cuda"
        assert distance(found, expected) < TOLERANCE


def test_the_random_state_of_the_device_is_left_as_found() -> None:
    before = torch.cuda.get_rng_state()
    for method in ("smoothgradcam++", "scorecam"):
        cams_on("cuda", method)
    smooth_gradient(*on("cuda", seeded(Nonlinear).float(), clip().float()), samples=2)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def bundled_maps(model: Classifier, x: Tensor, **options: object) -> list[Tensor]:
    parameter = next(model.module.parameters())
    cams = compute_cams(
        model.module, x.to(parameter), layers=["layer3", "layer4"], targets=[0], **options
    )
    return [cam.values for cam in cams]


def test_half_precision_agrees_with_float32(bundled: Classifier) -> None:
    frames = draw_clip(3_000_000, num_frames=bundled.num_frames, size=64).frames
    x = bundled.preprocess.tensor(frames[None])
    expected = bundled_maps(bundled, x)
    on_cuda = load_model(BUNDLED, device="cuda")
    fp16 = copy.copy(on_cuda)
    object.__setattr__(fp16, "module", copy.deepcopy(on_cuda.module).half())
    found = {"bf16": bundled_maps(on_cuda, x, precision="bf16"), "fp16": bundled_maps(fp16, x)}
    for name, maps in found.items():
        for one, other in zip(maps, expected, strict=True):
            assert correlation(one, other) > 0.99, name
