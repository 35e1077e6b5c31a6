"""Networks that are hard to replay, and a replay from a recorded pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tests.support.networks import clip, seeded
from video_cam.attribution.replay import Replay, recording
from video_cam.layers.axes import detached
from video_cam.layers.hooks import capture, frozen_evaluation
from video_cam.utils.nested import tensors_in


@contextmanager
def replay(
    model: nn.Module, x: Any, layer: str, *, samples: int | None = None, captured: bool = False
) -> Iterator[Replay]:
    """The replay of what follows ``layer``, from a forward pass on ``x`` that is recorded here.

    captured: build a graph from the layer on, as in a pass that also needs gradients.
    """
    with frozen_evaluation(model):
        if captured:
            with capture(model, [layer]), recording(model, x, [layer]) as recorded:
                outputs = model(detached(x))
        else:
            with torch.inference_mode(), recording(model, x, [layer]) as recorded:
                outputs = model(detached(x))
        yield recorded.replay(layer, outputs, samples or len(next(tensors_in(x))))


class OverwritingPath(nn.Module):
    """Overwrites the list of tensors that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv3d(3, 3, 3, 1, 1), nn.Conv3d(3, 3, 1)])

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        for path, conv in enumerate(self.convs):
            x[path] = conv(x[path]).tanh()
        return x


class Paired(nn.Module):
    """Returns a list of tensors, and something that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 5, 1)

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], torch.Size]:
        return [self.conv(x[0]), x[1]], x[0].shape


class Scaling(nn.Module):
    """Takes keyword arguments, and returns a dictionary that holds more than tensors."""

    def forward(self, *, value: Tensor, by: float) -> dict[str, Any]:
        return {"value": value * by, "shape": value.shape[2:], "none": None}


class Block(nn.Module):
    """A residual block with one in-place ReLU that is called twice."""

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


class Folded(nn.Module):
    """A 2D network with the frames folded into the batch; their maximum follows the layers."""

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


class Pathways(nn.Module):
    """Two pathways in a list that the network overwrites."""

    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = OverwritingPath(), OverwritingPath()
        self.pair = Paired()
        self.scaling = Scaling()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: list[Tensor]) -> tuple[Tensor, list[str]]:
        x = self.slow(x)
        x = self.fast(x)
        x, shape = self.pair(x)
        x[0] = self.scaling(value=x[0], by=1.0 + len(shape))["value"]
        return self.fc(torch.cat([path.mean((2, 3, 4)) for path in x], 1)), ["a", "b"]


class Residual(nn.Module):
    """Blocks, and a connection from the first ones to the head past the others."""

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


class Tokens(nn.Module):
    """Patches, position embeddings without a batch axis, a class token, transformer layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv3d(3, 8, (2, 4, 5), (2, 4, 5))
        self.positions = nn.Embedding(13, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        layers = [nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2)]
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), patches], 1)
        return self.fc(self.blocks(tokens + self.positions(torch.arange(13)))[:, 0])


def inputs(build: type[nn.Module], batch: int) -> Any:
    """An input for one of the networks above."""
    x = clip(batch=batch)
    return [x.clone(), x[:, :, ::2].clone()] if build is Pathways else x


def eval_network(build: type[nn.Module], example: Any = None, **options: Any) -> nn.Module:
    """A network in evaluation mode, with batch statistics of an example instead of 0 and 1."""
    network = seeded(build, **options)
    norms = [m for m in network.modules() if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm3d))]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        with torch.no_grad(), torch.random.fork_rng():
            network.train()(inputs(build, 3) if example is None else example)
    return network.eval()
