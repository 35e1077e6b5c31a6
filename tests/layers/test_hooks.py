"""The model is left exactly as found, and records are not rewritten by what follows a layer."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.model_state import assert_same, fingerprint
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam import UsageError, compute_cams, load_model
from video_cam.attribution.methods import METHODS
from video_cam.layers.axes import to_grid
from video_cam.layers.hooks import capture


@pytest.fixture
def unusual() -> nn.Module:
    """In training mode but for one module, one frozen parameter, and gradients from before."""
    network = seeded(Nonlinear)
    network.train()
    network.layer2.eval()
    network.layer1.bias.requires_grad_(False)
    network(clip()).sum().backward()
    return network


def test_the_model_is_left_as_found(unusual: nn.Module) -> None:
    before = fingerprint(unusual)
    x = clip().requires_grad_()
    compute_cams(unusual, x, layers=["layer2", "layer3"], targets=[0, 1])
    assert_same(before, fingerprint(unusual))
    assert x.grad is None and x.requires_grad


@pytest.mark.parametrize("where", ["forward", "target", "unpack"])
def test_the_model_is_left_as_found_after_an_exception(unusual: nn.Module, where: str) -> None:
    before = fingerprint(unusual)

    def fail(*_: object) -> None:
        raise ZeroDivisionError(where)

    handle = unusual.fc.register_forward_hook(fail) if where == "forward" else None
    options = {"targets": [fail]} if where == "target" else {}
    options |= {"unpack": fail} if where == "unpack" else {}
    with pytest.raises(ZeroDivisionError):
        compute_cams(unusual, clip(), layers=["layer2"], **options)
    if handle:
        handle.remove()
    assert_same(before, fingerprint(unusual))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_model_is_left_as_found_wherever_a_method_fails(method: str) -> None:
    network = seeded(PoolLinear)
    before = fingerprint(network)
    failed_at = 0
    while True:
        calls = 0

        def fail(output: torch.Tensor, at: int = failed_at) -> torch.Tensor:
            nonlocal calls
            calls += 1
            if calls > at:
                raise ZeroDivisionError
            return to_grid(output)

        try:
            compute_cams(
                network, clip(), layers=["relu"], methods=[method], targets=[1], unpack=fail
            )
        except ZeroDivisionError:
            assert_same(before, fingerprint(network))
            failed_at += 1
            continue
        break
    assert failed_at >= 1
    assert_same(before, fingerprint(network))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_model_is_left_as_found_when_a_later_run_fails(method: str) -> None:
    network = seeded(PoolLinear)
    runs = 0

    def fail(*_: object) -> None:
        nonlocal runs
        runs += 1
        if runs > 2:  # the first is on the meta device, the second is the captured one
            raise ZeroDivisionError

    handle = network.fc.register_forward_hook(fail)
    before = fingerprint(network)
    with suppress(ZeroDivisionError):
        compute_cams(network, clip(), layers=["relu"], methods=[method], targets=[1])
    assert_same(before, fingerprint(network))
    handle.remove()


def test_a_network_wrapped_for_several_devices() -> None:
    network = seeded(Nonlinear)
    wrapped = nn.DataParallel(network)
    a, b = (compute_cams(n, clip(), layers=["layer2"])[0].values for n in (network, wrapped))
    assert torch.equal(a, b)


def test_frozen_parameters() -> None:
    network, frozen = seeded(Nonlinear), seeded(Nonlinear).requires_grad_(False)
    a, b = (compute_cams(n, clip(), layers=["layer2"])[0].values for n in (network, frozen))
    assert torch.equal(a, b)


def test_it_runs_in_evaluation_mode(unusual: nn.Module) -> None:
    first, second = (compute_cams(unusual, clip(), layers=["layer2"])[0].values for _ in range(2))
    assert torch.equal(first, second)  # dropout would make them differ


@pytest.mark.parametrize("layer", ["layer1", "layer2", "conv2"])
def test_an_in_place_operation_behind_the_layer_changes_nothing(layer: str) -> None:
    build = PoolLinear if layer == "conv2" else Nonlinear
    maps = [
        compute_cams(seeded(build, inplace=inplace), clip(), layers=[layer], methods=["layercam"])
        for inplace in (False, True)
    ]
    assert torch.equal(maps[0][0].values, maps[1][0].values)


def test_a_network_that_changes_a_saved_tensor_in_place_is_explained() -> None:
    class Rude(Nonlinear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.layer2(self.layer1(x)).relu()
            x += 1  # relu saved its output for the backward pass
            return self.fc(self.layer3(x).mean((2, 3, 4)))

    class Polite(Rude):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.layer2(self.layer1(x)).relu() + 1
            return self.fc(self.layer3(x).mean((2, 3, 4)))

    rude, polite = (
        compute_cams(seeded(build), clip(), layers=["layer2"])[0].values for build in (Rude, Polite)
    )
    torch.testing.assert_close(rude, polite)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_the_caller_has_gradients_switched_off(context) -> None:
    expected = compute_cams(seeded(Nonlinear), clip(), layers=["layer2"])[0].values
    network = seeded(Nonlinear)
    with context():
        x = clip()
        values = compute_cams(network, x, layers=["layer2"])[0].values
    assert torch.equal(values, expected)


def test_recurrent_layers_run_without_cudnn_and_nothing_else(monkeypatch) -> None:
    network = load_model("frame_lstm", "none", num_frames=3, size=(16, 16)).module
    monkeypatch.setattr(sys.modules["video_cam.layers.hooks"], "_on_cuda", lambda module: True)
    used: dict[str, bool] = {}

    def note(name: str) -> Any:
        return lambda *_: used.update({name: torch.backends.cudnn.enabled})

    handles = [
        getattr(network, name).register_forward_pre_hook(note(name)) for name in ("cnn", "fc")
    ]
    whole = network.lstm.forward
    monkeypatch.setattr(
        network.lstm, "forward", lambda *x: (note("lstm")(), whole(*x))[1], raising=False
    )
    compute_cams(network, torch.randn(1, 3, 3, 16, 16), layers=["cnn"])
    assert used == {"cnn": True, "lstm": False, "fc": True}
    assert torch.backends.cudnn.enabled

    def breaks(*_: Any) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(network.lstm, "forward", breaks)
    with pytest.raises(RuntimeError, match="half-way"), capture(network, ["cnn"]):
        network(torch.randn(1, 3, 3, 16, 16))
    assert torch.backends.cudnn.enabled and not network.lstm._forward_pre_hooks
    for handle in handles:
        handle.remove()


def test_nothing_in_front_of_the_first_layer_is_stored() -> None:
    network = seeded(Nonlinear)
    with capture(network, ["layer2"]) as captured:
        network(clip())
        assert captured.activations["layer2"].is_leaf


def test_a_layer_inside_another_and_a_tuple_output() -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, str]:
            return x * 2, "second"

    class Network(Nonlinear):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Pair()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x, _ = self.pair(self.layer2(self.layer1(x)))
            return self.fc(self.layer3(x).mean((2, 3, 4)))

    inner, outer, pair = compute_cams(
        seeded(Network), clip(), layers=["layer2.1", "layer2", "pair"], methods=["hirescam"]
    )
    assert torch.equal(inner.values, outer.values)
    # Doubling the activations halves the gradients: their product stays.
    torch.testing.assert_close(pair.values, outer.values)


def test_one_forward_serves_all_layers_methods_and_targets() -> None:
    network = seeded(Nonlinear)
    runs = []
    network.fc.register_forward_hook(lambda *call: runs.append(call[2].device.type))
    asked = {
        "layers": ["layer1", "layer3"],
        "methods": ["gradcam", "layercam"],
        "targets": [0, [1, 2], None],
    }
    compute_cams(network, clip(), **asked, align="receptive-field")
    # Others are on the meta device, where nothing is computed.
    assert runs.count("cpu") == 1
    compute_cams(network, clip(), **asked)  # measures the alignment, once
    runs.clear()
    maps = compute_cams(network, clip(), **asked)
    assert runs == ["cpu"]
    order = [(m.class_ids.tolist(), m.layer, m.method) for m in maps]
    best = network.eval()(clip()).argmax(1).tolist()
    assert order == [
        (ids, layer, method)
        for ids in ([0, 0], [1, 2], best)
        for layer in ("layer1", "layer3")
        for method in ("gradcam", "layercam")
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": ["layer9"]}, "unknown layer 'layer9': did you mean"),
        ({"layers": ["dropout"]}, "'dropout' puts out (2, 6)"),
        ({"layers": ["layer2"], "methods": ["grad-cam"]}, "did you mean gradcam"),
        ({"layers": ["layer2"], "targets": [9]}, "class id 9 is outside 0 ... 3"),
        ({"layers": ["layer2"], "targets": [[0]]}, "1 class ids for 2 samples"),
        ({"layers": ["layer2"], "targets": 3}, "must be a list"),
        ({"layers": ["layer2"], "precision": "fp16"}, "unknown precision 'fp16'"),
    ],
)
def test_a_mistake_gets_one_clear_line(options: dict, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        compute_cams(seeded(Nonlinear), clip(), **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_that_cannot_be_mapped_say_why() -> None:
    class Odd(Nonlinear):
        def __init__(self) -> None:
            super().__init__()
            self.shared, self.unused, self.aside = nn.ReLU(), nn.ReLU(), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.shared(self.shared(self.layer1(x)))
            self.aside(x)
            return self.fc(self.layer3(self.layer2(x)).mean((2, 3, 4)))

    for layer, words in {
        "shared": "runs more than once",
        "unused": "did not run",
        "aside": "does not depend on layer 'aside'",
    }.items():
        with pytest.raises(UsageError, match=words):
            compute_cams(seeded(Odd), clip(), layers=[layer])


def test_one_name_stands_for_a_list_of_one_and_numpy_counts_as_a_number() -> None:
    network = seeded(Nonlinear)
    [a] = compute_cams(network, clip(), layers=["layer2"], methods=["layercam"], targets=[1])
    [b] = compute_cams(network, clip(), layers="layer2", methods="layercam", targets=[np.int64(1)])
    assert torch.equal(a.values, b.values)


def test_a_layer_without_a_grid_is_named(bundled) -> None:
    with pytest.raises(UsageError, match=r"layer 'fc' puts out \(1, 9\), expected \(N, K, T"):
        compute_cams(bundled.module, torch.zeros(1, 3, 16, 64, 64), layers=["fc"])


def test_a_classifier_in_the_place_of_its_network_is_named(bundled) -> None:
    with pytest.raises(UsageError, match=r"is a Classifier, .* give its .module"):
        compute_cams(bundled, torch.zeros(1, 3, 16, 64, 64), layers=["layer4"])


@pytest.mark.parametrize("method", ["gradcam", "cam", "eigencam", "ablationcam"])
def test_bf16_gives_about_the_same_map(method: str, bundled) -> None:
    x = torch.randn(1, 3, 16, 64, 64, generator=torch.Generator().manual_seed(0))
    options = {"layers": ["layer4"], "methods": [method], "targets": [2]}
    [fp32] = compute_cams(bundled.module, x, **options)
    [bf16] = compute_cams(bundled.module, x, precision="bf16", **options)
    both = torch.stack([fp32.values.flatten(), bf16.values.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.95
