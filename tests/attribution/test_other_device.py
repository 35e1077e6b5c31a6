"""Maps and input gradients on a device that is not the CPU: the CPU's numbers, without waiting."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from tests.support.device_checks import TOLERANCE, cams_on, distance, on
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from tests.support.stand_in import DEVICE, counted_waits, needs_stand_in, random_state
from video_cam import CAMProbe, UsageError, compute_cams, guided_backprop, smooth_gradient
from video_cam.attribution.rescoring import score_weights
from video_cam.choice_names import METHOD_NAMES
from video_cam.utils.devices import on_cpu, sent

pytestmark = needs_stand_in


@pytest.fixture
def x() -> Tensor:
    return clip().float().to(DEVICE)


# The device itself


def test_tensors_of_two_devices_do_not_mix(x: Tensor) -> None:
    one, two = torch.ones(3, device=DEVICE), torch.ones(3, device="standin:1")
    for other in (torch.ones(3), two):
        with pytest.raises(RuntimeError, match="same device"):
            one + other
        with pytest.raises(RuntimeError, match="same device"):
            torch.stack([one, other])
    with pytest.raises(RuntimeError, match="generator"):
        torch.randn(2, device=DEVICE, generator=torch.Generator())
    torch.manual_seed(0)
    assert not torch.equal(torch.randn(3, device=DEVICE).cpu(), torch.randn(3))
    assert (one * 2).device == x.device and (one + 1).tolist() == [2, 2, 2]


def test_what_a_program_waits_for_is_counted(x: Tensor) -> None:
    waiting = [
        lambda: x.sum().item(),
        lambda: bool(x.isfinite().all()),
        lambda: x.cpu(),
        lambda: x.nonzero(),
        lambda: x[x > 0],
        lambda: torch.tensor([1.0], device=DEVICE),
    ]
    for number, wait in enumerate(waiting):
        with counted_waits() as waits:
            wait()
        assert waits, number
    with counted_waits() as waits:
        sent(torch.ones(2), DEVICE) * x[0, 0, 0, 0, :2]
        x.float().mean((1, 2)).softmax(0)
    assert waits == []


# Copies


def test_several_tensors_come_to_the_cpu_in_one_copy() -> None:
    tensors = [
        torch.arange(3, dtype=torch.uint8),
        torch.randn(2, 5, dtype=torch.float64).T,
        torch.tensor(True),
        torch.empty(0, 4),
        torch.randn(3).bfloat16(),
    ]
    with counted_waits() as waits:
        copied = on_cpu([*(one.to(DEVICE, non_blocking=True) for one in tensors), tensors[0]])
    assert len(waits) == 1
    for found, expected in zip(copied, [*tensors, tensors[0]], strict=True):
        assert found.device.type == "cpu" and found.dtype == expected.dtype
        assert torch.equal(found, expected)
    assert copied[-1].data_ptr() == tensors[0].data_ptr()


# Numbers


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_method_gives_the_cpus_map(method: str) -> None:
    for found, expected in zip(cams_on(DEVICE, method), cams_on("cpu", method), strict=True):
        assert str(found.values.device) == DEVICE
        assert distance(found.values, expected.values) < TOLERANCE
        assert distance(found.scores, expected.scores) < TOLERANCE
        assert found.class_ids.tolist() == expected.class_ids.tolist()


@pytest.mark.parametrize("options", [{"aug_smooth": True, "aug_shift": 1}, {"eigen_smooth": True}])
def test_options_of_maps(options: dict[str, object]) -> None:
    found, expected = (cams_on(device, "gradcam", **options) for device in (DEVICE, "cpu"))
    assert distance(found[0].values, expected[0].values) < TOLERANCE


def test_the_measured_alignment_of_maps() -> None:
    network = seeded(Nonlinear).float()
    found, expected = (
        cams_on(device, "gradcam", network, align="probe") for device in (DEVICE, "cpu")
    )
    for one, other in zip(found, expected, strict=True):
        assert one.centres.t == pytest.approx(other.centres.t)
        assert one.centres.x == pytest.approx(other.centres.x)


@pytest.mark.parametrize("gradient", [guided_backprop, partial(smooth_gradient, samples=3)])
def test_input_gradients(gradient) -> None:
    for target in (1, None, [0, 2]):
        found, expected = (
            gradient(*on(device, seeded(Nonlinear).float(), clip().float()), target=target)
            for device in (DEVICE, "cpu")
        )
        assert str(found.device) == DEVICE
        assert distance(found, expected) < TOLERANCE


def test_a_probe_in_a_network() -> None:
    class Probed(PoolLinear):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.Sequential(nn.ReLU(), CAMProbe())

    network = seeded(Probed).float()
    maps = []
    for device in (DEVICE, "cpu"):
        model, given = on(device, network, clip().float())
        maps.append(model.relu[1].map(model(given)[:, 1]))
    assert distance(*maps) < TOLERANCE


# The stand-in's second device has no backward passes.
@pytest.mark.parametrize("method", ["scorecam", "ablationcam", "fem"])
def test_the_second_of_two_devices(method: str) -> None:
    found, expected = cams_on("standin:1", method), cams_on("cpu", method)
    assert {str(one.values.device) for one in found} == {"standin:1"}
    assert distance(found[0].values, expected[0].values) < TOLERANCE


def test_the_random_state_is_left_as_found() -> None:
    before = torch.get_rng_state(), random_state()
    cams_on(DEVICE, "smoothgradcam++")
    smooth_gradient(*on(DEVICE, seeded(Nonlinear).float(), clip().float()), samples=2)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(random_state(), before[1])


def test_an_input_elsewhere_than_the_network_is_refused_or_moved_by_its_wrapper() -> None:
    [network], x = on(DEVICE, seeded(Nonlinear).float()), clip().float()
    options = {"layers": ["layer3"], "targets": [1], "align": "half-pixel"}
    with pytest.raises(UsageError, match="the input is on cpu and the network on standin:0: move"):
        compute_cams(network, x, **options)
    [found] = compute_cams(nn.DataParallel(network), x, **options)
    [expected] = compute_cams(network, x.to(DEVICE), **options)
    assert torch.equal(found.values.cpu(), expected.values.cpu())


# Waiting


ASKING = {"gradcam": 0, "smoothgradcam++": 0, "fullgrad": 0, "shapleycam": 0, "finercam": 0}
ASKING |= dict.fromkeys(("ablationcam", "scorecam", "cam", "eigencam", "eigengradcam"), 1)


@pytest.mark.parametrize("method", ASKING)
def test_maps_are_waited_for_once_at_most_however_many_there_are(method: str, x: Tensor) -> None:
    network = seeded(PoolLinear).float().to(DEVICE)
    layers = ["relu"] if method == "cam" else ["conv1", "conv2", "relu"]
    options = {"align": "half-pixel", "unpack": lambda output: output}
    with counted_waits() as waits:
        compute_cams(network, x, layers=layers, methods=[method], targets=[0, 1, [2, 3]], **options)
    assert len(waits) == ASKING[method], waits


def test_one_wait_serves_all_methods_that_ask(x: Tensor) -> None:
    network = seeded(PoolLinear).float().to(DEVICE)
    methods = [method for method, asks in ASKING.items() if asks]
    with counted_waits() as waits:
        compute_cams(
            network,
            x,
            layers=["relu"],
            methods=methods,
            targets=[0, 1],
            align="half-pixel",
            unpack=lambda output: output,
        )
    assert len(waits) == 1, waits


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_batches_of_masked_inputs_are_not_waited_for(batch_size: int, x: Tensor) -> None:
    model, channels = seeded(Nonlinear).float().to(DEVICE), torch.rand(2, 9, 2, 3, 3).to(DEVICE)
    with counted_waits() as waits:
        found = score_weights(
            model, x, channels, lambda outputs, sample: outputs[:, 1], batch_size=batch_size
        )
    assert len(waits) == 1, waits
    assert str(found.device) == DEVICE
