"""Running again what follows a layer, against full forward passes with the layer's output swapped.

Every network here has something that a careless replay gets wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.video import r3d_18

from tests.networks import Nonlinear, PoolLinear, clip, seeded
from tests.replaying import replay
from tests.test_capture import assert_same, fingerprint
from video_cam import UsageError
from video_cam.capture import frozen_evaluation


class Block(nn.Module):
    """A residual block with one ReLU, in place, called twice."""

    def __init__(self, width: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(width, out, 3, stride, 1)
        self.bn = nn.BatchNorm3d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv3d(out, out, 3, 1, 1)
        self.down = nn.Conv3d(width, out, 1, stride) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(self.relu(self.bn(self.conv1(x))))
        out += x if self.down is None else self.down(x)
        return self.relu(out)


class Residual(nn.Module):
    """Blocks, and a way round all but the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()  # one module, called three times
        self.stem = nn.Conv3d(3, 4, 3, (1, 2, 2), 1)
        self.layer1 = nn.Sequential(Block(4, 4), Block(4, 4))
        self.layer2 = Block(4, 5, 2)
        self.layer3 = Block(5, 5)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(9, 4)

    def forward(self, x: Tensor) -> Tensor:
        early = self.layer1(self.relu(self.stem(x)))
        late = self.relu(self.layer3(self.relu(self.layer2(early) - 0.1)) - 0.1)
        return self.fc(self.dropout(torch.cat([early.mean((2, 3, 4)), late.amax((2, 3, 4))], 1)))


class Overwriting(nn.Module):
    """Reads what a module put out before and after changing it in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 4, 3, 2, 1)
        self.relu1, self.relu2 = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)  # in evaluation it hands on the very tensor it was given
        self.layer = nn.Conv3d(4, 4, 3, 1, 1)
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        before = y * 3
        self.relu1(y)  # what it returns is left lying
        same = self.dropout(y)
        same[:, 0] += 1
        z = self.layer(y)
        after_layer = z.square()
        self.relu2(z)
        y *= 2
        return self.fc((before + y + z + after_layer).mean((2, 3, 4)))


class Shared(nn.Module):
    """One module inside and outside of the others."""

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


class Scaling(nn.Module):
    """Keyword arguments in, a dictionary with more than tensors out."""

    def forward(self, *, value: Tensor, by: float) -> dict[str, Any]:
        return {"value": value * by, "shape": value.shape[2:], "none": None}


class Pathways(nn.Module):
    """A slow and a fast list that the network overwrites as it goes."""

    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = Mixed(), Mixed()
        self.pair = Paired()
        self.scaling = Scaling()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: list[Tensor]) -> tuple[Tensor, list[str]]:
        x = self.slow(x)
        x = self.fast(x)
        x, shape = self.pair(x)
        x[0] = self.scaling(value=x[0], by=1.0 + len(shape))["value"]
        return self.fc(torch.cat([path.mean((2, 3, 4)) for path in x], 1)), ["a", "b"]


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv3d(3, 3, 3, 1, 1), nn.Conv3d(3, 3, 1)])

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        for path, conv in enumerate(self.convs):
            x[path] = conv(x[path]).tanh()
        return x


class Paired(nn.Module):
    """Hands on a list of tensors and something that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 5, 1)

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], torch.Size]:
        return [self.conv(x[0]), x[1]], x[0].shape


class Folded(nn.Module):
    """A 2D network over frames, folded into the batch and averaged behind the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)
        self.norm = nn.BatchNorm2d(4)
        self.layer = nn.Conv2d(4, 5, 3, 2, 1)
        self.fc = nn.Linear(9, 4)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.norm(self.conv(x.transpose(1, 2).flatten(0, 1))).tanh()
        features = torch.cat([frames.mean((2, 3)), self.layer(frames).amax((2, 3))], 1)
        return self.fc(features.unflatten(0, (len(x), -1)).amax(1))


class Tokens(nn.Module):
    """Patches, a table of places that knows no samples, a class token, transformer layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv3d(3, 8, (2, 4, 5), (2, 4, 5))
        self.places = nn.Embedding(13, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        layers = [nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2)]
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), patches], 1)
        return self.fc(self.blocks(tokens + self.places(torch.arange(13)))[:, 0])


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for one another cost such small networks far more than they give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def inputs(build: type[nn.Module], batch: int) -> Any:
    x = clip(batch=batch)
    return [x.clone(), x[:, :, ::2].clone()] if build is Pathways else x


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


def swapped_forward(model: nn.Module, x: Any, layer: str, altered: Tensor) -> Tensor:
    """A full forward pass with ``altered`` in the place of the first tensor the layer puts out."""

    def swap(module: nn.Module, given: tuple[Any, ...], output: Any) -> Any:
        new = altered.clone()
        if isinstance(output, Tensor):
            # A caller that goes on with what it gave an in-place layer sees the change too.
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


def expanded(x: Any, sample: int, batch: int) -> Any:
    if isinstance(x, Tensor):
        return x[sample : sample + 1].repeat(batch, *[1] * (x.ndim - 1))
    return [expanded(item, sample, batch) for item in x]


def logits(outputs: Any) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def settled(build: type[nn.Module], example: Any = None, **options: Any) -> nn.Module:
    """In evaluation mode, with batch statistics of some input's instead of 0 and 1."""
    network = seeded(build, **options)
    norms = [m for m in network.modules() if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm3d))]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        with torch.no_grad(), torch.random.fork_rng():
            network.train()(inputs(build, 3) if example is None else example)
    return network.eval()


@pytest.mark.parametrize(("samples", "captured"), [(1, False), (2, False), (2, True)])
@pytest.mark.parametrize(("build", "options", "layer"), CASES)
def test_a_rerun_is_a_full_pass_with_the_layer_swapped(
    build: type[nn.Module], options: dict[str, Any], layer: str, samples: int, captured: bool
) -> None:
    if captured and layer in ("pair", "scaling"):
        pytest.skip("such a nested output cannot be captured")
    network = settled(build, **options)
    x, sample = inputs(build, samples), samples - 1
    with torch.no_grad(), frozen_evaluation(network):
        plain = logits(network(inputs(build, samples)))
    with replay(network, x, layer, captured=captured) as recorded:
        torch.testing.assert_close(logits(recorded.outputs), plain, rtol=0, atol=0)
        own = recorded.sample_activation(sample)
        for batch in (1, 2, 3, 3):  # the second time nothing recorded has been rewritten
            generator = torch.Generator().manual_seed(batch)
            noise = torch.randn(batch * len(own), *own.shape[1:], generator=generator)
            altered = own.repeat(batch, *[1] * (own.ndim - 1)) * (1 + noise.double())
            given = altered.clone()
            expected = swapped_forward(
                network, expanded(inputs(build, samples), sample, batch), layer, altered
            )
            outputs = logits(recorded.rerun(altered, sample))
            torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
            assert torch.equal(altered, given)
        unaltered = logits(recorded.rerun(own, sample))
        exact = {"rtol": 0, "atol": 0} if samples == 1 else {"rtol": 1e-12, "atol": 1e-12}
        torch.testing.assert_close(unaltered, plain[sample : sample + 1], **exact)


def test_frames_already_folded_in_the_input() -> None:
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.layer = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3)
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer(self.conv(x).relu()).amax((2, 3))
            return self.fc(x.unflatten(0, (-1, 4)).amax(1))

    network, x = settled(Frames), clip().transpose(1, 2).flatten(0, 1)  # 2 x 4 frames
    with replay(network, x, "layer", samples=2) as recorded:
        altered = recorded.sample_activation(1).repeat(3, 1, 1, 1)
        altered[4:8] = 0
        expected = swapped_forward(network, x[4:].repeat(3, 1, 1, 1), "layer", altered)
        torch.testing.assert_close(recorded.rerun(altered, 1), expected)
        with pytest.raises(UsageError, match="a multiple of 4"):
            recorded.rerun(altered[:3], 1)


def test_r3d_18_in_single_precision() -> None:
    network = r3d_18(weights=None).eval()
    x = clip(batch=2, size=(4, 32, 32)).float()
    for layer in ("layer2.0", "layer3.1.conv2.0", "layer4"):
        with replay(network, x, layer) as recorded:
            both = [recorded.rerun(recorded.sample_activation(n), n) for n in range(2)]
            torch.testing.assert_close(torch.cat(both), recorded.outputs, rtol=1e-6, atol=1e-6)


def calls_of(model: nn.Module) -> dict[str, list[int]]:
    """Counts of (rows) by module name, for every call that is really made."""
    calls: dict[str, list[int]] = {name: [] for name, _ in model.named_modules()}
    for name, module in model.named_modules():

        def forward(*args: Any, own: Callable = module.forward, name: str = name, **kw: Any) -> Any:
            calls[name].append(len(args[0]))
            return own(*args, **kw)

        module.forward = forward
    return calls


def test_only_what_follows_the_layer_runs_again() -> None:
    network = settled(Residual)
    hooked: list[int] = []
    network.stem.register_forward_hook(lambda *_: hooked.append(1))
    calls = calls_of(network)
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
def test_the_model_is_left_as_found(where: str) -> None:
    network = seeded(Residual).train()
    network.layer2.eval()
    network.fc.bias.requires_grad_(False)
    network.stem.forward = network.stem.forward  # an attribute of somebody else's
    network(clip()).sum().backward()

    def everything() -> list[dict[str, Any]]:
        return [dict(vars(module)) for module in network.modules()]

    def fail(_module: nn.Module, given: tuple[Tensor, ...], _output: Tensor) -> None:
        if where == {2: "record", 3: "rerun"}[len(given[0])]:
            raise ZeroDivisionError

    handle = network.layer3.register_forward_hook(fail)
    before, attributes = fingerprint(network), everything()

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
    assert_same(before, fingerprint(network))
    assert everything() == attributes
    handle.remove()


def test_the_model_may_be_called_between_reruns() -> None:
    network, x = settled(Residual), clip()
    with torch.no_grad():
        expected = network(x * 2)
    with replay(network, x, "layer3") as recorded, torch.no_grad():
        recorded.rerun(recorded.sample_activation(0) * 0, 0)
        assert torch.equal(network(x * 2), expected)


def test_memory_is_shared_where_nothing_is_written() -> None:
    class Watching(Nonlinear):
        def forward(self, x: Tensor) -> Tensor:
            early = self.layer1(x)
            strides.append(early.stride(0))
            return self.fc(self.layer3(self.layer2(early)).mean((2, 3, 4)))

    strides: list[int] = []
    with replay(settled(Watching), clip(), "layer2") as recorded:
        recorded.rerun(recorded.sample_activation(0).repeat(3, 1, 1, 1, 1), 0)
    assert strides[0] > 0
    assert strides[1:] == [0]


class Sideways(nn.Module):
    """Samples on the second axis, as recurrent layers have them by default."""

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
def test_a_layer_that_cannot_be_replayed_says_why(
    build: type[nn.Module], layer: str, words: str
) -> None:
    with (
        pytest.raises(UsageError, match=words) as caught,
        replay(settled(build), clip(batch=3), layer) as recorded,
    ):
        recorded.rerun(recorded.sample_activation(0).repeat(2, 1, 1, 1, 1), 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("altered", "sample", "words"),
    [
        (torch.zeros(2, 5, 2, 3, 4), 0, "altered has shape"),
        (torch.zeros(2, 5, 2, 3, 3), 2, "sample 2 is outside 0 ... 1"),
    ],
)
def test_wrong_altered_activations_say_why(altered: Tensor, sample: int, words: str) -> None:
    with (
        replay(settled(Residual), clip(), "layer2") as recorded,
        pytest.raises(UsageError, match=words),
    ):
        recorded.rerun(altered.double(), sample)


def test_an_unused_layer_says_why() -> None:
    network = settled(PoolLinear)
    network.unused = nn.ReLU()
    with (
        pytest.raises(UsageError, match="did not run"),
        replay(network, clip(), "unused"),
    ):
        pass
