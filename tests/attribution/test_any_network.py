"""Networks and inputs as people have them: compiled, checkpointed, in halves, time first."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import relu, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

import video_cam
from video_cam import UsageError
from video_cam.attribution.targets import finer_scores, target_scores
from video_cam.layers.layout import folds
from video_cam.layers.trace import trace

ALL = ("gradcam", "gradcam++", "xgradcam", "ablationcam", "scorecam", "fullgrad", "shapleycam")


class Small(nn.Module):
    """Two convolutions, average, linear."""

    def __init__(self, doubled: str = "", checkpointed: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.second = nn.Conv3d(4, 6, 3, stride=2, padding=1)
        self.fc = nn.Linear(6, 5)
        self.doubled, self.checkpointed = doubled, checkpointed

    def forward(self, x: Tensor) -> Tensor:
        x = checkpoint(self.first, x, use_reentrant=False) if self.checkpointed else self.first(x)
        x = self.second(relu(x))
        if self.doubled:
            x = torch.sigmoid(x)
            y = x if self.doubled == "in place" else x.clone()
            y *= 2  # autograd had saved what the sigmoid gave
            x = y
        return self.fc(relu(x).mean((2, 3, 4)))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(1, 3, 6, 16, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small().eval()


def maps(network: nn.Module, x: Tensor, methods=ALL, **options) -> list[Tensor]:
    cams = video_cam.compute_cams(
        network, x, layers=["second"], methods=methods, targets=[2], **options
    )
    return [cam.values for cam in cams]


def assert_equal(found: list[Tensor], expected: list[Tensor], rtol: float = 1e-4) -> None:
    for one, other, method in zip(found, expected, ALL, strict=False):
        scale = other.abs().max()
        torch.testing.assert_close(one, other, rtol=0, atol=float(rtol * scale), msg=method)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("in_place", [False, True])
def test_compiled_networks_give_the_maps_of_what_was_compiled(small, x, in_place: bool) -> None:
    expected = maps(small, x)
    compiled: nn.Module = small
    if in_place:
        small.compile(backend="aot_eager")
    else:
        compiled = torch.compile(small, backend="aot_eager")
    compiled(x)
    assert_equal(maps(compiled, x), expected)
    model = video_cam.load_model(compiled, num_frames=6, size=(16, 20), frame_rate=16)
    assert model.layer == "second" and compiled(x).shape == (1, 5)


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Conv3d(3, 8, 2, stride=2)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.second(x).flatten(2).transpose(1, 2)[:, None]
        return self.fc(scaled_dot_product_attention(tokens, tokens, tokens)[:, 0].mean(1)).tanh()


def test_attention_has_a_second_derivative(x) -> None:
    torch.manual_seed(0)
    network = Attending().eval()
    [found] = maps(network, x, ["shapleycam"])
    A = network.second(x).detach().requires_grad_()

    def score(A: Tensor) -> Tensor:
        tokens = A.flatten(2).transpose(1, 2)[:, None]
        weights = (tokens @ tokens.transpose(-1, -2) / 8**0.5).softmax(-1)
        return network.fc((weights @ tokens)[:, 0].mean(1)).tanh()[0, 2]

    G = torch.autograd.functional.jacobian(score, A)
    _, HA = torch.autograd.functional.hvp(score, A, A.detach())
    weights = (G - HA / 2).mean((2, 3, 4), keepdim=True)
    expected = (weights * A.detach()).sum(1)
    assert_equal([found], [expected], 1e-3)


@pytest.mark.parametrize("options", [{}, {"aug_shift": 1}, {"aug_smooth": True}])
def test_frames_may_come_before_colours(small, x, options) -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.network = small.first, small.second, small

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x.transpose(1, 2))

    network, moved = TimeFirst(), x.transpose(1, 2)
    found = maps(network, moved, align="half-pixel", **options)
    assert_equal(found, maps(small, x, align="half-pixel", **options))
    assert_equal(maps(network, moved, ["gradcam"], align="probe", **options), found)
    assert {p.device.type for p in network.parameters()} == {"cpu"}


def test_fullgrad_of_an_exported_network_is_refused(small, x, tmp_path: Path) -> None:
    program = torch.export.export(small, (x,))
    torch.export.save(program, tmp_path / "n.pt2")
    network = video_cam.load_model(
        tmp_path / "n.pt2", trust_checkpoint=True, num_frames=6, size=(16, 20)
    ).module
    with pytest.raises(UsageError, match="fullgrad finds none of the network's biases"):
        video_cam.compute_cams(network, x, layers=[-1], methods=["fullgrad"])


@pytest.mark.parametrize(
    ("build", "layer", "size"),
    [(torchvision.models.mobilenet_v2, "features.3", (128, 171)),
     (torchvision.models.efficientnet_b0, "features.2", (128, 171)),
     (torchvision.models.swin_t, "features.3", (128, 171))],
)  # fmt: skip
def test_layouts_of_oblong_pictures(build, layer: str, size: tuple[int, int]) -> None:
    seen = trace(build().eval(), torch.zeros(1, 3, *size)).seen
    fold = folds(seen.values(), (1, *size))[layer]
    expected = ("last", (1, 16, 21)) if "swin" in build.__name__ else ("first", (1, 32, 43))
    assert (fold.axes, fold.grid) == expected


def test_a_block_of_oblong_clips_is_read_as_the_convolution_in_it_is() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv3d(3, 16, 32, 32), nn.ReLU()), nn.Flatten())
    seen = trace(network, torch.zeros(1, 3, 128, 224, 416)).seen
    fold = folds(seen.values(), (128, 224, 416))["0"]
    assert (fold.axes, fold.grid) == ("first", (4, 7, 13))


@pytest.mark.parametrize("channels", [1, 2])
def test_the_probe_leaves_other_inputs_to_arithmetic(channels: int) -> None:
    network = nn.Sequential(nn.Conv3d(channels, 4, 3, 2, 1), nn.Flatten(), nn.LazyLinear(2))
    x = torch.randn(1, channels, 4, 8, 8)
    network(x)
    for align in ("probe", "receptive-field"):
        [cam] = video_cam.compute_cams(network, x, layers=["0"], align=align)
        assert cam.centres.t.tolist() == [0, 2]


def test_checkpointed_parts(x) -> None:
    torch.manual_seed(0)
    network = Small(checkpointed=True)
    plain = copy.deepcopy(network)
    plain.checkpointed = False
    assert_equal(maps(network, x, align="half-pixel"), maps(plain, x, align="half-pixel"))
    assert len(maps(network, x, ["gradcam"], align="probe")) == 1


def test_methods_that_run_again_bear_changes_in_place(x) -> None:
    torch.manual_seed(0)
    network = Small(doubled="in place").double().eval()
    plain = copy.deepcopy(network)
    plain.doubled = "as a copy"
    [found] = maps(network, x.double(), ["fullgrad"])
    [expected] = maps(plain, x.double(), ["fullgrad"])
    assert_equal([found], [expected])
    assert maps(network, x.double(), ["smoothgradcam++"])[0].isfinite().all()


def test_half_precision_does_not_overflow() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(),
        nn.Linear(4, 3),
    )  # fmt: skip
    x = 40 * torch.randn(1, 3, 8, 28, 28)
    half, full = copy.deepcopy(network).half(), network.half().double()
    for method in ("gradcam++", "smoothgradcam++", "xgradcam", "fullgrad"):
        a, b = (
            video_cam.compute_cams(n, given, layers=["1"], methods=[method], targets=[1])[0].values
            for n, given in ((half, x.half()), (full, x.half().double()))
        )
        assert np.corrcoef(a.flatten(), b.flatten())[0, 1] > 0.99, method


def test_a_network_without_parameters(x) -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.ones(4, 3, 3, 3, 3))
            self.layer = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(torch.conv3d(x, self.weight, padding=1)).mean((2, 3, 4))

    [cam] = video_cam.compute_cams(Fixed(), x, layers=["layer"], align="probe")
    assert cam.values.shape == (1, 6, 16, 20)


def test_numbers_beside_the_frames_are_not_turned() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv3d(3, 2, 1)
            self.heard: list[list[float]] = []

        def forward(self, frames: Tensor, sound: Tensor) -> Tensor:
            if not sound.is_meta:
                self.heard.append(sound[0].tolist())
            return self.layer(frames).mean((2, 3, 4)) + sound[:, :2]

    network = Beside()
    x = {"frames": torch.randn(1, 3, 2, 4, 4), "sound": torch.tensor([[0.0, 0, 0, 10]])}
    video_cam.compute_cams(network, x, layers=["layer"], aug_smooth=True)
    assert network.heard == [[0, 0, 0, 10]] * len(network.heard) and len(network.heard) >= 6


def test_finercam_never_compares_a_class_with_itself() -> None:
    outputs = torch.tensor([[5.0, 5.0, 4.0, 3.0, 0.0]], requires_grad=True)
    finer_scores(outputs, torch.tensor([1])).sum().backward()
    assert outputs.grad is not None and outputs.grad[0, 0] < 0  # the one it ties with
    assert abs(float(outputs.grad[0, 4])) < 1e-6  # too far away to be compared with


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("cat", "'cat' must be None, a class id"),
        (3.5, "3.5 must be None, a class id"),
        ([0.5, 1], "0.5 must be a whole number"),
        (lambda outputs: outputs.sum(), r"made \(1,\)"),
        (lambda outputs: outputs[:1, 0], r"made \(1,\)"),
    ],
)
def test_wrong_targets(target, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        target_scores(torch.zeros(2, 4), target)


@pytest.mark.parametrize(
    "target", [np.int64(1), torch.tensor(1), np.array([1, 1]), torch.ones(2).long(), (1, 1)]
)
def test_class_ids_of_all_kinds(target) -> None:
    _, class_ids = target_scores(torch.zeros(2, 4), target)
    assert class_ids is not None and class_ids.tolist() == [1, 1]


def test_maps_beside_other_scores_are_refused() -> None:
    network = nn.Sequential(nn.Flatten(0, 1), nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1))

    class Framewise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x.transpose(1, 2)).flatten(1).unflatten(0, (len(x), -1)).mean(1)

    with pytest.raises(UsageError, match=r"maps of 16 samples .* beside 2 scores"):
        video_cam.compute_cams(Framewise(), torch.randn(2, 3, 8, 6, 6), layers=["network.2"])


@pytest.mark.parametrize(
    ("clip", "words"), [(None, "expected a path"), (["v.mp4"], "expected a path")]
)
def test_what_explain_takes(clip, words: str, bundled) -> None:
    with pytest.raises(UsageError, match=words):
        video_cam.explain(clip, bundled)
    with pytest.raises(UsageError, match="expected what load_model returns"):
        video_cam.explain("v.mp4", bundled.module)
    with pytest.raises(UsageError, match="unknown method 3"):
        video_cam.explain("v.mp4", bundled, methods=[3])
