"""A small 3D residual network that classifies the motion in a drawn clip, and its preprocessing."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models3d.drawn_clips import CLASSES

NUM_FRAMES = 16
FRAME_RATE = 16  # frames per second the network was trained to read
SIZE = 64
MEAN = (0.5, 0.5, 0.5)  # per RGB channel, of frames in [0, 1]
STD = (0.25, 0.25, 0.25)
WEIGHTS_FILE = Path(__file__).with_name("motion3d.safetensors")

Stride = tuple[int, int, int]


def _conv(inputs: int, outputs: int, stride: Stride) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)


@torch.no_grad()
def _remove_temporal_mean(weight: Tensor) -> None:
    """Make the first 12 filters of ``weight`` (C, 3, T, H, W) ignore whatever does not move.

    Colour varies much more than motion and does not depend on the class. With these initial
    weights the network does not have to learn first to ignore it.
    """
    weight[:12] -= weight[:12].mean(dim=2, keepdim=True)


class Block(nn.Module):
    """Two 3x3x3 convolutions with a projected shortcut; ``stride`` is (time, height, width)."""

    def __init__(self, inputs: int, outputs: int, stride: Stride) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm3d(outputs)
        self.conv2 = _conv(outputs, outputs, (1, 1, 1))
        self.bn2 = nn.BatchNorm3d(outputs)
        # One module per use, so that hooks on a ReLU are called once per forward pass.
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.shortcut = nn.Sequential(
            nn.Conv3d(inputs, outputs, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm3d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, C, T, H, W) -> float (N, outputs, T', H', W')."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + self.shortcut(x))


class Motion3D(nn.Module):
    """Normalised float clips (N, 3, 16, 64, 64) -> logits (N, num_classes)."""

    def __init__(self, num_classes: int = len(CLASSES)) -> None:
        super().__init__()
        first = nn.Conv3d(3, 16, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), bias=False)
        _remove_temporal_mean(first.weight)
        self.stem = nn.Sequential(first, nn.BatchNorm3d(16), nn.ReLU())  # 16 x 32 x 32
        self.layer1 = Block(16, 32, (1, 2, 2))  # 16 x 16 x 16
        self.layer2 = Block(32, 64, (1, 1, 1))  # 16 x 16 x 16
        self.layer3 = Block(64, 128, (2, 2, 2))  # 8 x 8 x 8
        self.layer4 = Block(128, 128, (2, 2, 2))  # 4 x 4 x 4
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(128, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised float clips (N, 3, T, H, W) -> logits (N, num_classes)."""
        x = self.stem(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def motion3d(num_classes: int = len(CLASSES)) -> Motion3D:
    """The network with random weights; the trained ones are in ``WEIGHTS_FILE``."""
    return Motion3D(num_classes)


def load_trained(path: Path = WEIGHTS_FILE) -> Motion3D:
    """The network with the weights of a safetensors file, on the CPU, in eval mode."""
    net = motion3d()
    net.load_state_dict(load_file(path))
    return net.eval()


def preprocess(frames: Tensor) -> Tensor:
    """Normalise clips for the network.

    Args:
        frames: uint8 (N, T, H, W, 3), RGB.

    Returns:
        float32 (N, 3, T, H, W), on the same device.
    """
    mean, std = (torch.tensor(values, device=frames.device) for values in (MEAN, STD))
    return ((frames.float() / 255 - mean) / std).permute(0, 4, 1, 2, 3)
