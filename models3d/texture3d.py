"""The bundled network that classifies the texture of a sprite in a drawn clip, not its motion."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from models3d.residual3d import Residual3D
from models3d.texture_clips import TEXTURE_CLASSES

WEIGHTS_FILE = Path(__file__).with_name("texture3d.safetensors")


class Texture3D(Residual3D):
    """Normalised float clips (N, 3, 16, 64, 64) -> logits (N, num_classes)."""

    def __init__(self, num_classes: int = len(TEXTURE_CLASSES)) -> None:
        super().__init__(num_classes, widths=(16, 24, 32, 64, 96))


def texture3d(num_classes: int = len(TEXTURE_CLASSES)) -> Texture3D:
    """The network with random weights; the trained ones are in ``WEIGHTS_FILE``."""
    return Texture3D(num_classes)


def load_trained(path: Path = WEIGHTS_FILE) -> Texture3D:
    """The network with the weights of a safetensors file, on the CPU, in eval mode."""
    net = texture3d()
    net.load_state_dict(load_file(path))
    return net.eval()
