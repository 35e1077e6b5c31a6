"""A probe does not change its network, and its maps are those of ``compute_cams``."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref

import pytest
import torch
from torch import Tensor, nn

from tests.support.networks import Nonlinear, clip, seeded
from video_cam import UsageError, compute_cams
from video_cam.attribution.cam_methods import GRADIENT_METHODS, POOLING
from video_cam.attribution.probe import CAMProbe


class Probed(Nonlinear):
    """Nonlinear with a probe after ``layer2``."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.probe = CAMProbe()

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.probe(self.layer2(self.layer1(x))))
        return self.fc(self.dropout(x.tanh().mean((2, 3, 4))))


def network_probe_outputs(inplace: bool = False) -> tuple[Nonlinear, CAMProbe, Tensor]:
    """A network in evaluation mode, its probe, and the outputs of a pass."""
    network = seeded(Probed, inplace=inplace).eval()
    return network, network.probe, network(clip())


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("pooling", POOLING)
@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_maps_are_those_of_compute_cams(method: str, pooling: str, inplace: bool) -> None:
    network, probe, outputs = network_probe_outputs(inplace)
    (expected,) = compute_cams(
        seeded(Nonlinear),
        clip(),
        layers=["layer2"],
        methods=[method],
        targets=[1],
        pooling=pooling,
        align="half-pixel",
    )
    values = probe.map(outputs[:, 1], method, pooling)
    assert values.dtype == torch.float32 and not values.requires_grad
    torch.testing.assert_close(values, expected.values)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_defaults_are_gradcam_over_the_clip() -> None:
    _, probe, outputs = network_probe_outputs()
    score = outputs[:, 2]
    assert torch.equal(probe.map(score), probe.map(score, "gradcam", "clip"))
    assert probe.map(score).shape == (2, 2, 3, 3)


@pytest.mark.parametrize("inplace", [False, True])
def test_training_with_a_probe_gives_the_same_weights_to_the_bit(inplace: bool) -> None:
    trained = []
    for build in (Nonlinear, Probed):
        network = seeded(build, inplace=inplace).train()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9)
        with torch.random.fork_rng():
            torch.manual_seed(0)  # for the dropout
            for step in range(4):
                outputs = network(clip(step))
                if build is Probed and step % 2:
                    network.probe.map(outputs[:, 0])
                optimizer.zero_grad()
                nn.functional.cross_entropy(outputs, torch.tensor([0, 3])).backward()
                optimizer.step()
        trained.append(network.state_dict())
    plain, probed = trained
    assert plain.keys() == probed.keys()
    assert all(torch.equal(plain[name], probed[name]) for name in plain)
    start = seeded(Nonlinear).state_dict()
    assert not any(torch.equal(plain[name], start[name]) for name in plain)


@pytest.mark.parametrize("inplace", [False, True])
def test_a_backward_pass_leaves_activation_and_gradient(inplace: bool) -> None:
    network, probe, outputs = network_probe_outputs(inplace)
    activation = network.layer2(network.layer1(clip())).detach().requires_grad_()
    scores = network.fc(network.layer3(activation.clone()).tanh().mean((2, 3, 4)))
    (gradient,) = torch.autograd.grad((scores**2).sum(), activation)
    assert probe.gradient is None
    (outputs**2).sum().backward()
    assert torch.equal(probe.activation, activation) and not probe.activation.requires_grad
    torch.testing.assert_close(probe.gradient, gradient)
    probe.clear()
    assert probe.activation is None and probe.gradient is None


def test_only_the_last_pass_is_kept() -> None:
    network, probe, first = network_probe_outputs()
    held = probe._kept  # keeps the first pass alive
    second = network(clip(1))
    assert not torch.equal(probe.activation, held)
    first.sum().backward()
    assert probe.gradient is None  # that pass is not the last one
    second.sum().backward()
    assert probe.gradient is not None
    with pytest.raises(UsageError, match="outputs of the last pass"):
        probe.map(first[:, 0])


def test_in_place_operations_do_not_change_the_kept_activation() -> None:
    probe = CAMProbe()
    x = clip().requires_grad_() * 1
    y = probe(x)
    assert torch.equal(y, x)
    y.zero_()
    with torch.no_grad():
        x.zero_()
    assert torch.equal(probe.activation, clip())


def test_in_place_operations_do_not_change_the_kept_gradient() -> None:
    probe, x = CAMProbe(), clip().requires_grad_()
    doubled = x * 2
    doubled.register_hook(lambda gradient: gradient.mul_(5))
    (probe(doubled) * torch.ones_like(x)).sum().backward()
    assert torch.equal(probe.gradient, torch.ones_like(x))
    assert torch.equal(x.grad, torch.full_like(x, 10))


def test_a_frozen_network_has_maps_and_its_graph_starts_at_the_probe() -> None:
    _, _, outputs = network_probe_outputs()
    network = seeded(Probed, inplace=True).eval().requires_grad_(False)
    x = clip()
    frozen = network(x)
    assert torch.equal(frozen, outputs) and not x.requires_grad
    [expected] = compute_cams(
        seeded(Nonlinear), x, layers=["layer2"], targets=[1], align="half-pixel"
    )
    torch.testing.assert_close(network.probe.map(frozen[:, 1]), expected.values)
    frozen.sum().backward()
    assert network.probe.gradient is not None


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_pass_without_gradients_keeps_the_activation_and_has_no_map(context) -> None:
    network, probe, outputs = network_probe_outputs()
    expected, score = probe.activation.clone(), outputs[:, 0]
    values = probe.map(score)
    with context():
        # The graph of the pass before is still there.
        assert torch.equal(probe.map(score), values)
        score = network(clip())[:, 0]
        assert torch.equal(probe.activation, expected)
        with pytest.raises(UsageError, match=r"make it under torch\.enable_grad\(\)"):
            probe.map(score)


@pytest.mark.parametrize("shape", [(7,), (5, 6), (3, 5, 6)])
def test_features_in_one_two_and_three_dimensions(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, *shape, generator=generator, dtype=torch.float64)
    probe = CAMProbe()
    network = nn.Sequential(probe, nn.ReLU(inplace=True), nn.Flatten(2))
    values = probe.map((network(x).mean(2) ** 2).sum(1))
    grid = {1: (7, 1, 1), 2: (1, 5, 6), 3: (3, 5, 6)}[len(shape)]
    assert values.shape == (2, *grid)
    flat = x.flatten(2)
    gradient = 2 * flat.relu().mean(2, keepdim=True) / flat.shape[2] * (flat > 0)
    expected = (gradient.mean(2, keepdim=True) * flat).sum(1).reshape(2, *grid)
    torch.testing.assert_close(values, expected.float())


def test_several_probes_and_one_that_is_used_twice() -> None:
    first, last = CAMProbe(), CAMProbe()
    convolution = seeded(lambda: nn.Conv3d(3, 3, 3, padding=1))
    score = last(convolution(last(convolution(first(clip()))))).tanh().sum((1, 2, 3, 4))
    assert first.map(score, "hirescam").shape == last.map(score, "hirescam").shape
    assert not torch.equal(first.activation, last.activation)
    expected = convolution(convolution(clip()))
    assert torch.equal(last.activation, expected)


def test_disabled_it_is_a_plain_identity() -> None:
    _, probe, _ = network_probe_outputs()
    kept = probe.activation.clone()
    probe.enabled = False
    x = clip(3)
    assert probe(x) is x and not x.requires_grad
    assert torch.equal(probe.activation, kept)
    probe.enabled = True
    assert probe(x) is not x and torch.equal(probe.activation, x)


def test_copies_and_checkpoints_do_not_contain_the_kept_activation() -> None:
    network, probe, outputs = network_probe_outputs()
    outputs.sum().backward()
    assert not probe.state_dict() and network.state_dict().keys() == Nonlinear().state_dict().keys()
    saved = io.BytesIO()
    torch.save(network, saved)
    saved.seek(0)
    probe.enabled = False
    for other, enabled in (
        (copy.deepcopy(network), False),
        (pickle.loads(pickle.dumps(network)), False),
        (torch.load(saved, weights_only=False), True),
    ):
        assert other.probe.activation is None and other.probe.gradient is None
        assert other.probe.enabled is enabled
        other.probe.enabled = True
        assert torch.equal(other(clip()), outputs)
        assert torch.equal(other.probe.activation, probe.activation)
    assert probe.gradient is not None  # and the original still has it
    network.load_state_dict(seeded(Nonlinear, 1).state_dict())


def test_the_graph_of_the_last_pass_is_freed_with_it() -> None:
    network, probe, outputs = network_probe_outputs()
    kept = weakref.ref(probe._kept)
    gc.disable()  # without reference cycles the graph is freed at once
    try:
        del outputs
        network(clip())
        assert kept() is None
        kept = weakref.ref(probe._kept)
        probe.clear()
        assert kept() is None
    finally:
        gc.enable()


def test_under_autocast_the_map_is_float32() -> None:
    network = seeded(Probed).float().eval()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(clip().float())
    assert network.probe.activation.dtype == torch.bfloat16
    assert network.probe.map(outputs[:, 0]).dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda probe, out: probe.map(out[:, 0], "grad-cam"), "did you mean gradcam"),
        (lambda probe, out: probe.map(out[:, 0], pooling="time"), "unknown pooling 'time'"),
        (lambda probe, out: CAMProbe().map(out[:, 0]), "has seen no forward pass"),
        (lambda probe, out: probe.map(out[:, 0].detach()), "does not depend on the probe's last"),
        (lambda probe, out: probe.map(clip().requires_grad_()), "does not depend on the probe's"),
        (lambda probe, out: (out.sum().backward(), probe.map(out[:, 0])), "call map before it"),
        (lambda probe, out: probe([clip()]), "a probe got list"),
        (lambda probe, out: probe(torch.arange(3)), "a probe got torch.int64"),
        (lambda probe, out: probe.map(probe(out).sum(1)), "shape (2, 4), expected (N, K, L)"),
    ],
)
def test_a_mistake_gets_one_clear_line(call, words: str) -> None:
    _, probe, outputs = network_probe_outputs()
    with pytest.raises(UsageError) as caught:
        call(probe, outputs)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
