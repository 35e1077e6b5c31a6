"""Where no layer can be chosen, the error names what is the matter with the best one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from video_cam import UsageError, load_model

SIZE = (8, 32, 32)


class Convolutions(nn.Module):
    """A convolution and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv3d(3, 4, 3, (2, 4, 4), 1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3, 4)))


class HeadOfZeros(Convolutions):
    """As networks that were never trained may have it."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.fc.weight)


class WithoutGraph(Convolutions):
    """Its scores have no gradient."""

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Shuffled(nn.Module):
    """Patches in an order that no fold has, as (N, T', H'W', K)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(3 * 2 * 8 * 8, 24), nn.LayerNorm(24))
        self.fc = nn.Linear(24, 3)
        self.register_buffer(
            "order", torch.randperm(16, generator=torch.Generator().manual_seed(0))
        )

    def forward(self, x: Tensor) -> Tensor:
        n, c, t, h, w = x.shape
        f = x.reshape(n, c, t // 2, 2, h // 8, 8, w // 8, 8).permute(0, 2, 4, 6, 1, 3, 5, 7)
        f = f.reshape(n, t // 2, (h // 8) * (w // 8), -1)[:, :, self.order]
        return self.fc(self.embed(f).relu().mean((1, 2)))


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (HeadOfZeros, "at layer 'conv' their gradient is 0 everywhere"),
        (WithoutGraph, "at layer 'conv' they have no gradient, because the forward runs under"),
        (Shuffled, "layer 'embed' has no grid of places: its output is (1, 4, 16, 24)"),
    ],
)
def test_the_reason_is_named(network: type[nn.Module], reason: str) -> None:
    torch.manual_seed(0)
    model = load_model(network(), num_frames=SIZE[0], size=SIZE[1:], frame_rate=8)
    with pytest.raises(UsageError) as error:
        model.layers(SIZE)
    assert reason in str(error.value) and "\n" not in str(error.value)
