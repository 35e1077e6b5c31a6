"""The 3D residual network that both bundled networks are, and the input that they read."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NUM_FRAMES = 16
FRAME_RATE = 16  # frames per second the network was trained to read
SIZE = 64
MEAN = (0.5, 0.5, 0.5)  # per RGB channel, of frames in [0, 1]
STD = (0.25, 0.25, 0.25)

Stride = tuple[int, int, int]


def _conv(inputs: int, outputs: int, stride: Stride) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)


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


class Residual3D(nn.Module):
    """Normalised float clips (N, 3, 16, 64, 64) -> logits (N, num_classes).

    The modules have the names of torchvision's ``VideoResNet``.

    Args:
        num_classes: length of the logits.
        widths: channels of the stem and of the four layers.
    """

    def __init__(self, num_classes: int, widths: tuple[int, int, int, int, int]) -> None:
        super().__init__()
        first, *layers = widths
        convolution = nn.Conv3d(3, first, (3, 5, 5), (1, 2, 2), padding=(1, 2, 2), bias=False)
        self.initialise_stem(convolution.weight)
        self.stem = nn.Sequential(convolution, nn.BatchNorm3d(first), nn.ReLU())  # 16 x 32 x 32
        self.layer1 = Block(first, layers[0], (1, 2, 2))  # 16 x 16 x 16
        self.layer2 = Block(layers[0], layers[1], (1, 1, 1))  # 16 x 16 x 16
        self.layer3 = Block(layers[1], layers[2], (2, 2, 2))  # 8 x 8 x 8
        self.layer4 = Block(layers[2], layers[3], (2, 2, 2))  # 4 x 4 x 4
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(layers[3], num_classes)

    def initialise_stem(self, weight: Tensor) -> None:
        """Change the stem's random initial weights (C, 3, T, H, W), in place."""

    @torch.no_grad()
    def spread_over_time(self) -> None:
        """Give each of the three taps in time of every convolution a third of the middle one.

        On clips of one frame only the middle taps learn. Afterwards a still clip gives, but for
        the zero padding at its ends, what its frame gave before: the inflation of Carreira and
        Zisserman 2017 ("Quo Vadis, Action Recognition?", section 2.4.1).
        """
        for module in self.modules():
            if isinstance(module, nn.Conv3d) and module.kernel_size[0] == 3:
                module.weight.copy_(module.weight[:, :, 1:2].expand_as(module.weight) / 3)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised float clips (N, 3, T, H, W) -> logits (N, num_classes)."""
        x = self.stem(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def preprocess(frames: Tensor) -> Tensor:
    """Normalise clips for the network.

    Args:
        frames: uint8 (N, T, H, W, 3), RGB.

    Returns:
        float32 (N, 3, T, H, W), on the same device.
    """
    mean, std = (torch.tensor(values, device=frames.device) for values in (MEAN, STD))
    return ((frames.float() / 255 - mean) / std).permute(0, 4, 1, 2, 3)
