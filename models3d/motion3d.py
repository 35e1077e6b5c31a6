"""The bundled network that classifies the motion in a drawn clip."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from models3d.drawn_clips import CLASSES
from models3d.residual3d import Residual3D

WEIGHTS_FILE = Path(__file__).with_name("motion3d.safetensors")


class Motion3D(Residual3D):
    """Normalised float clips (N, 3, 16, 64, 64) -> logits (N, num_classes)."""

    def __init__(self, num_classes: int = len(CLASSES)) -> None:
        super().__init__(num_classes, widths=(16, 32, 64, 128, 128))

    @torch.no_grad()
    def initialise_stem(self, weight: Tensor) -> None:
        """Make the first 12 filters of ``weight`` (C, 3, T, H, W) ignore whatever does not move.

        Colour varies much more than motion and does not depend on the class. With these initial
        weights the network does not have to learn first to ignore it.
        """
        weight[:12] -= weight[:12].mean(dim=2, keepdim=True)


def motion3d(num_classes: int = len(CLASSES)) -> Motion3D:
    """The network with random weights; the trained ones are in ``WEIGHTS_FILE``."""
    return Motion3D(num_classes)


def load_trained(path: Path = WEIGHTS_FILE) -> Motion3D:
    """The network with the weights of a safetensors file, on the CPU, in eval mode."""
    net = motion3d()
    net.load_state_dict(load_file(path))
    return net.eval()
