"""Replays against full forward passes in which a hook replaces the layer's output.

Every network here has something that a simpler replay would get wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.video import r3d_18

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from tests.support.replay_networks import (
    Folded,
    Pathways,
    Residual,
    Tokens,
    eval_network,
    inputs,
    replay,
)
from video_cam import UsageError
from video_cam.layers.hooks import frozen_evaluation


class Overwriting(nn.Module):
    """Uses outputs of modules both before and after changing them in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 4, 3, 2, 1)
        self.relu1, self.relu2 = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)  # in evaluation mode it returns its input itself
        self.layer = nn.Conv3d(4, 4, 3, 1, 1)
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        before = y * 3
        self.relu1(y)  # its return value is not used
        same = self.dropout(y)
        same[:, 0] += 1
        z = self.layer(y)
        after_layer = z.square()
        self.relu2(z)
        y *= 2
        return self.fc((before + y + z + after_layer).mean((2, 3, 4)))


class Shared(nn.Module):
    """One module is called inside other modules and between them."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.Tanh()
        self.front = nn.Sequential(nn.Conv3d(3, 4, 3, 2, 1), self.act)
        self.middle = nn.Sequential(nn.Conv3d(4, 4, 3, 1, 1), self.act)
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.front(x) * 2)
        z = self.act(self.middle(self.act(y)) * 2)
        return self.fc((self.act(y - 1) + z).mean((2, 3, 4)))


CASES: list[tuple[type[nn.Module], dict[str, Any], str]] = [
    (PoolLinear, {}, "conv1"),
    (PoolLinear, {"inplace": True}, "conv2"),
    (PoolLinear, {"inplace": True}, "relu"),
    *[
        (Nonlinear, {"inplace": inplace}, layer)
        for layer in ("layer1", "layer2", "layer2.0", "layer2.1", "layer3.0", "dropout", "fc")
        for inplace in (False, True)
    ],
    *[
        (Residual, {}, layer)
        for layer in (
            *("stem", "layer1", "layer1.0", "layer1.0.bn", "layer1.1.conv2", "layer2"),
            *("layer2.conv1", "layer2.down", "layer3", "layer3.conv2", "dropout"),
        )
    ],
    *[(Overwriting, {}, layer) for layer in ("conv1", "relu1", "layer", "relu2")],
    *[(Shared, {}, layer) for layer in ("front", "front.0", "middle", "middle.0")],
    *[
        (Pathways, {}, layer)
        for layer in (
            "slow",
            "slow.convs.0",
            "fast",
            "fast.convs.1",
            "pair.conv",
            "pair",
            "scaling",
        )
    ],
    *[(Folded, {}, layer) for layer in ("conv", "norm", "layer")],
    *[(Tokens, {}, layer) for layer in ("patches", "blocks.0", "blocks.0.norm1", "blocks.1")],
    (Tokens, {}, "blocks.1.linear2"),
]


def forward_with(model: nn.Module, x: Any, layer: str, activations: Tensor) -> Tensor:
    """A full forward pass with ``activations`` as the first tensor in the layer's output."""

    def swap(module: nn.Module, given: tuple[Any, ...], output: Any) -> Any:
        new = activations.clone()
        if isinstance(output, Tensor):
            # The caller may use the input that an in-place layer has changed.
            return given[0].copy_(new) if output is given[0] and module.inplace else new
        if isinstance(output, dict):
            return {**output, "value": new}
        if isinstance(output, tuple):
            return ([new, *output[0][1:]], *output[1:])
        return [new, *output[1:]]

    handle = model.get_submodule(layer).register_forward_hook(swap)
    try:
        with torch.no_grad():
            outputs = model(x)
    finally:
        handle.remove()
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def repeated_sample(x: Any, sample: int, batch: int) -> Any:
    if isinstance(x, Tensor):
        return x[sample : sample + 1].repeat(batch, *[1] * (x.ndim - 1))
    return [repeated_sample(item, sample, batch) for item in x]


def logits(outputs: Any) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else outputs[0]


@pytest.mark.parametrize(("samples", "captured"), [(1, False), (2, False), (2, True)])
@pytest.mark.parametrize(("build", "options", "layer"), CASES)
def test_a_rerun_equals_a_full_pass_with_the_layers_output_replaced(
    build: type[nn.Module], options: dict[str, Any], layer: str, samples: int, captured: bool
) -> None:
    if captured and layer in ("pair", "scaling"):
        pytest.skip("such a nested output cannot be captured")
    network = eval_network(build, **options)
    x, sample = inputs(build, samples), samples - 1
    with torch.no_grad(), frozen_evaluation(network):
        plain = logits(network(inputs(build, samples)))
    with replay(network, x, layer, captured=captured) as recorded:
        torch.testing.assert_close(logits(recorded.outputs), plain, rtol=0, atol=0)
        own = recorded.sample_activation(sample)
        for batch in (1, 2, 3, 3):  # the same once more: nothing recorded has been overwritten
            generator = torch.Generator().manual_seed(batch)
            noise = torch.randn(batch * len(own), *own.shape[1:], generator=generator)
            activations = own.repeat(batch, *[1] * (own.ndim - 1)) * (1 + noise.double())
            before = activations.clone()
            one_sample = repeated_sample(inputs(build, samples), sample, batch)
            expected = forward_with(network, one_sample, layer, activations)
            outputs = logits(recorded.rerun(activations, sample))
            torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
            assert torch.equal(activations, before)
        unchanged = logits(recorded.rerun(own, sample))
        exact = {"rtol": 0, "atol": 0} if samples == 1 else {"rtol": 1e-12, "atol": 1e-12}
        torch.testing.assert_close(unchanged, plain[sample : sample + 1], **exact)


def test_frames_folded_into_the_first_axis_of_the_input() -> None:
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.layer = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3)
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer(self.conv(x).relu()).amax((2, 3))
            return self.fc(x.unflatten(0, (-1, 4)).amax(1))

    network, x = eval_network(Frames), clip().transpose(1, 2).flatten(0, 1)  # 2 x 4 frames
    with replay(network, x, "layer", samples=2) as recorded:
        activations = recorded.sample_activation(1).repeat(3, 1, 1, 1)
        activations[4:8] = 0
        expected = forward_with(network, x[4:].repeat(3, 1, 1, 1), "layer", activations)
        torch.testing.assert_close(recorded.rerun(activations, 1), expected)
        with pytest.raises(UsageError, match="a multiple of 4"):
            recorded.rerun(activations[:3], 1)


def test_r3d_18_in_single_precision() -> None:
    network = r3d_18(weights=None).eval()
    x = clip(batch=2, size=(4, 32, 32)).float()
    for layer in ("layer2.0", "layer3.1.conv2.0", "layer4"):
        with replay(network, x, layer) as recorded:
            both = [recorded.rerun(recorded.sample_activation(n), n) for n in range(2)]
            torch.testing.assert_close(torch.cat(both), recorded.outputs, rtol=1e-6, atol=1e-6)


def row_counts(model: nn.Module) -> dict[str, list[int]]:
    """Module name -> number of rows in every later call of its forward."""
    calls: dict[str, list[int]] = {name: [] for name, _ in model.named_modules()}
    for name, module in model.named_modules():

        def forward(*args: Any, own: Callable = module.forward, name: str = name, **kw: Any) -> Any:
            calls[name].append(len(args[0]))
            return own(*args, **kw)

        module.forward = forward
    return calls


def test_only_what_follows_the_layer_runs_again() -> None:
    network = eval_network(Residual)
    hooked: list[int] = []
    network.stem.register_forward_hook(lambda *_: hooked.append(1))
    calls = row_counts(network)
    with replay(network, clip(), "layer2") as recorded:
        for _ in range(3):
            recorded.rerun(recorded.sample_activation(0).repeat(5, 1, 1, 1, 1), 0)
    once, again = [2], [2, 5, 5, 5]
    for name in ("stem", "layer1", "layer1.0", "layer1.1.conv2", "layer2", "layer2.conv1"):
        assert calls[name] == once, name
    for name in ("layer3", "layer3.conv1", "fc", ""):
        assert calls[name] == again, name
    assert calls["relu"] == [2, 2, 2, 5, 5, 5, 5, 5, 5]
    assert hooked == [1]


@pytest.mark.parametrize("where", ["nowhere", "record", "rerun", "block"])
def test_the_model_is_left_as_it_was(where: str) -> None:
    network = seeded(Residual).train()
    network.layer2.eval()
    network.fc.bias.requires_grad_(False)
    network.stem.forward = network.stem.forward  # replaced by other code
    network(clip()).sum().backward()

    def all_attributes() -> list[dict[str, Any]]:
        return [dict(vars(module)) for module in network.modules()]

    def fail(_module: nn.Module, given: tuple[Tensor, ...], _output: Tensor) -> None:
        if where == {2: "record", 3: "rerun"}[len(given[0])]:
            raise ZeroDivisionError

    handle = network.layer3.register_forward_hook(fail)
    before, attributes = state_of(network), all_attributes()

    def use() -> None:
        with replay(network, clip(), "layer2") as recorded:
            assert not network.training
            recorded.rerun(recorded.sample_activation(0).repeat(3, 1, 1, 1, 1), 0)
            if where == "block":
                raise ZeroDivisionError

    if where == "nowhere":
        use()
    else:
        with pytest.raises(ZeroDivisionError):
            use()
    assert_same_state(before, network)
    assert all_attributes() == attributes
    handle.remove()


def test_the_model_may_be_called_between_reruns() -> None:
    network, x = eval_network(Residual), clip()
    with torch.no_grad():
        expected = network(x * 2)
    with replay(network, x, "layer3") as recorded, torch.no_grad():
        recorded.rerun(recorded.sample_activation(0) * 0, 0)
        assert torch.equal(network(x * 2), expected)


def test_repeated_rows_share_memory_where_nothing_writes_to_them() -> None:
    class Watching(Nonlinear):
        def forward(self, x: Tensor) -> Tensor:
            early = self.layer1(x)
            strides.append(early.stride(0))
            return self.fc(self.layer3(self.layer2(early)).mean((2, 3, 4)))

    strides: list[int] = []
    with replay(eval_network(Watching), clip(), "layer2") as recorded:
        recorded.rerun(recorded.sample_activation(0).repeat(3, 1, 1, 1, 1), 0)
    assert strides[0] > 0
    assert strides[1:] == [0]


class Sideways(nn.Module):
    """Has samples on the second axis, as recurrent layers do by default."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.rnn, self.fc = nn.Conv3d(3, 4, 1), nn.GRU(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        steps = self.layer(x).mean((3, 4)).permute(2, 0, 1)  # (T, N, K)
        return self.fc(F.relu(self.rnn(steps)[0]))


@pytest.mark.parametrize(
    ("build", "layer", "words"),
    [
        (Residual, "layer9", "unknown layer 'layer9': did you mean"),
        (Residual, "relu", "layer 'relu' runs more than once"),
        (Sideways, "rnn", "expected"),
        (Sideways, "layer", "does not keep its samples on the first axis"),
    ],
)
def test_a_layer_that_cannot_be_replayed_is_refused(
    build: type[nn.Module], layer: str, words: str
) -> None:
    with (
        pytest.raises(UsageError, match=words) as caught,
        replay(eval_network(build), clip(batch=3), layer) as recorded,
    ):
        recorded.rerun(recorded.sample_activation(0).repeat(2, 1, 1, 1, 1), 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("activations", "sample", "words"),
    [
        (torch.zeros(2, 5, 2, 3, 4), 0, "the activations have shape"),
        (torch.zeros(2, 5, 2, 3, 3), 2, "sample 2 is outside 0 ... 1"),
    ],
)
def test_wrong_activations_are_refused(activations: Tensor, sample: int, words: str) -> None:
    with (
        replay(eval_network(Residual), clip(), "layer2") as recorded,
        pytest.raises(UsageError, match=words),
    ):
        recorded.rerun(activations.double(), sample)


def test_a_layer_that_did_not_run_is_refused() -> None:
    network = eval_network(PoolLinear)
    network.unused = nn.ReLU()
    with (
        pytest.raises(UsageError, match="did not run"),
        replay(network, clip(), "unused"),
    ):
        pass
