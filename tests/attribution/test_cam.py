"""``compute_cams``: order of its maps, networks as people have them, mistakes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.utils.checkpoint import checkpoint

import video_cam
from tests.support.networks import Nonlinear, clip, seeded
from video_cam import UsageError, compute_cams
from video_cam.layers.axes import to_grid

METHODS = ("gradcam", "gradcam++", "xgradcam", "ablationcam", "scorecam", "fullgrad", "shapleycam")


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
            y *= 2  # autograd saves the output of sigmoid
            x = y
        return self.fc(relu(x).mean((2, 3, 4)))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(1, 3, 6, 16, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small().eval()


def maps(network: nn.Module, x: Tensor, methods=METHODS, **options) -> list[Tensor]:
    options = {"align": "half-pixel", **options}
    cams = compute_cams(network, x, layers=["second"], methods=methods, targets=[2], **options)
    return [cam.values for cam in cams]


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other, method in zip(found, expected, METHODS, strict=False):
        scale = other.abs().max()
        torch.testing.assert_close(one, other, rtol=0, atol=float(1e-4 * scale), msg=method)


def test_maps_come_in_the_order_of_targets_layers_and_methods() -> None:
    network = seeded(Nonlinear).eval()
    cams = compute_cams(
        network,
        clip(),
        layers=["layer1", "layer3"],
        methods=["gradcam", "layercam"],
        targets=[0, [1, 2], None],
        align="half-pixel",
    )
    best = network(clip()).argmax(1).tolist()
    assert [(cam.class_ids.tolist(), cam.layer, cam.method) for cam in cams] == [
        (ids, layer, method)
        for ids in ([0, 0], [1, 2], best)
        for layer in ("layer1", "layer3")
        for method in ("gradcam", "layercam")
    ]


def test_a_network_wrapped_for_several_devices(small: Small, x: Tensor) -> None:
    [expected], [found] = (maps(n, x, ["gradcam"]) for n in (small, nn.DataParallel(small).cpu()))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_name_of_a_layer_in_a_wrapper(small: Small, x: Tensor, wrapped: bool) -> None:
    network: nn.Module = nn.DataParallel(small) if wrapped else small
    options = {"targets": [1], "align": "half-pixel"}
    [expected] = compute_cams(small, x, layers=["second"], **options)
    for name in ("second", "module.second", "_orig_mod.module.second", "module.secon?"):
        [found] = compute_cams(network, x, layers=[name], **options)
        assert found.layer == "second" and torch.equal(found.values, expected.values)
    for unpack in (lambda output: output, {"module.second": lambda output: output}):
        [found] = compute_cams(network, x, layers=["module.second"], unpack=unpack, **options)
        assert torch.equal(found.values, expected.values)
    with pytest.raises(UsageError, match="unknown layer 'third': choose one of"):
        compute_cams(network, x, layers=["module.third"], **options)


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


@pytest.mark.parametrize("options", [{}, {"aug_shift": 1}, {"aug_smooth": True}])
def test_the_time_axis_may_come_before_the_channels(small, x, options) -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.network = small.first, small.second, small

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x.transpose(1, 2))

    network, moved = TimeFirst(), x.transpose(1, 2)
    found = maps(network, moved, **options)
    assert_equal(found, maps(small, x, **options))
    assert_equal(maps(network, moved, ["gradcam"], align="probe", **options), found)


def test_fullgrad_of_an_exported_network_is_refused(small, x, tmp_path: Path) -> None:
    program = torch.export.export(small, (x,))
    torch.export.save(program, tmp_path / "n.pt2")
    network = video_cam.load_model(
        tmp_path / "n.pt2", trust_checkpoint=True, num_frames=6, size=(16, 20)
    ).module
    with pytest.raises(UsageError, match="fullgrad finds none of the network's biases"):
        compute_cams(network, x, layers=[-1], methods=["fullgrad"])


def test_checkpointed_parts(x) -> None:
    torch.manual_seed(0)
    network = Small(checkpointed=True)
    plain = copy.deepcopy(network)
    plain.checkpointed = False
    assert_equal(maps(network, x), maps(plain, x))
    [found], [expected] = (maps(n, x, ["gradcam"], align="probe") for n in (network, plain))
    assert_equal([found], [expected])


def test_methods_that_run_again_allow_changes_in_place(x) -> None:
    torch.manual_seed(0)
    network = Small(doubled="in place").double().eval()
    plain = copy.deepcopy(network)
    plain.doubled = "as a copy"
    for method in ("fullgrad", "smoothgradcam++"):
        assert_equal(maps(network, x.double(), [method]), maps(plain, x.double(), [method]))


def test_half_precision_does_not_overflow() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(),
        nn.Linear(4, 3),
    )  # fmt: skip
    x = 40 * torch.randn(1, 3, 8, 28, 28)
    half, full = copy.deepcopy(network).half(), network.half().double()
    options = {"layers": ["1"], "targets": [1], "align": "half-pixel"}
    for method in ("gradcam++", "smoothgradcam++", "xgradcam", "fullgrad"):
        a, b = (
            compute_cams(n, given, methods=[method], **options)[0].values
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

    [cam] = compute_cams(Fixed(), x, layers=["layer"], methods=["hirescam"], targets=[0])
    expected = torch.conv3d(x, torch.ones(1, 3, 3, 3, 3), padding=1)[:, 0] / (6 * 16 * 20)
    torch.testing.assert_close(cam.values, expected)


def test_a_layer_inside_another_and_a_tuple_output() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, str]:
            return x * 2, "second"

    class Network(Nonlinear):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Pair()

        def forward(self, x: Tensor) -> Tensor:
            x, _ = self.pair(self.layer2(self.layer1(x)))
            return self.fc(self.layer3(x).mean((2, 3, 4)))

    inner, outer, pair = compute_cams(
        seeded(Network),
        clip(),
        layers=["layer2.1", "layer2", "pair"],
        methods=["hirescam"],
        align="half-pixel",
    )
    assert torch.equal(inner.values, outer.values)
    # Twice the activations have half the gradients: the product is the same.
    torch.testing.assert_close(pair.values, outer.values)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": ["layer9"]}, "unknown layer 'layer9': did you mean"),
        ({"layers": ["dropout"]}, "the output of layer 'dropout' is (2, 6)"),
        ({"layers": ["layer2"], "methods": ["grad-cam"]}, "did you mean gradcam"),
        ({"layers": ["layer2"], "targets": [9]}, "class id 9 is outside 0 ... 3"),
        ({"layers": ["layer2"], "targets": [[0]]}, "1 class ids for 2 samples"),
        ({"layers": ["layer2"], "targets": 3}, "must be a list"),
        ({"layers": ["layer2"], "precision": "fp16"}, "unknown precision 'fp16'"),
        ({"layers": ["layer2"], "batchsize": 3}, "unknown option 'batchsize': did you mean batch"),
        ({"layers": ["layer2"], "unpack": {"layer1": to_grid}}, "has no entry for layer 'layer2'"),
        ({"layers": ["layer2"], "unpack": lambda o: o[0]}, "unpack made (5, 2, 3, 3) of layer"),
    ],
)
def test_a_mistake_gets_one_clear_line(options: dict, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        compute_cams(seeded(Nonlinear), clip(), **{"align": "half-pixel", **options})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_without_a_map_are_refused_with_the_reason() -> None:
    class Odd(Nonlinear):
        def __init__(self) -> None:
            super().__init__()
            self.shared, self.unused, self.aside = nn.ReLU(), nn.ReLU(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            x = self.shared(self.shared(self.layer1(x)))
            self.aside(x)
            return self.fc(self.layer3(self.layer2(x)).mean((2, 3, 4)))

    for layer, words in {
        "shared": "runs more than once",
        "unused": "did not run",
        "aside": "does not depend on layer 'aside'",
    }.items():
        with pytest.raises(UsageError, match=words):
            compute_cams(seeded(Odd), clip(), layers=[layer], align="half-pixel")


def test_maps_with_another_number_of_samples_than_scores_are_refused() -> None:
    network = nn.Sequential(nn.Flatten(0, 1), nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1))

    class Framewise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x.transpose(1, 2)).flatten(1).unflatten(0, (len(x), -1)).mean(1)

    with pytest.raises(UsageError, match=r"maps of 16 samples .* beside 2 scores"):
        compute_cams(
            Framewise(),
            torch.randn(2, 3, 8, 6, 6),
            layers=["network.2"],
            align="half-pixel",
            unpack=to_grid,
        )


def test_a_single_name_is_a_list_of_one_and_a_numpy_integer_a_class_id() -> None:
    network, options = seeded(Nonlinear), {"align": "half-pixel"}
    [a] = compute_cams(
        network, clip(), layers=["layer2"], methods=["layercam"], targets=[1], **options
    )
    [b] = compute_cams(
        network, clip(), layers="layer2", methods="layercam", targets=[np.int64(1)], **options
    )
    assert torch.equal(a.values, b.values)


def test_a_classifier_instead_of_its_network_is_refused(bundled) -> None:
    with pytest.raises(UsageError, match=r"is a Classifier, .* give its .module"):
        compute_cams(bundled, torch.zeros(1, 3, 16, 64, 64), layers=["layer4"])
