"""Networks with one tap in each kernel, so that the centres of their cells are known exactly."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

SIZE = (40, 48, 48)
NUM_CONVOLUTIONS = 3


class CentreTaps(nn.Module):
    """Strided convolutions with kernel 3 that use only the middle tap, then a pool and a head."""

    def __init__(self, pad: Callable[[Tensor], Tensor] | None, own_padding: int) -> None:
        """Build the network.

        Args:
            pad: padding before each convolution; None for none.
            own_padding: padding of the convolutions themselves.
        """
        super().__init__()
        self.pad = pad
        self.convs = nn.ModuleList(
            nn.Conv3d(3 if i == 0 else 4, 4, 3, 2, padding=own_padding, bias=False)
            for i in range(NUM_CONVOLUTIONS)
        )
        for conv in self.convs:
            nn.init.zeros_(conv.weight)
            conv.weight.data[:, :, 1, 1, 1] = 1
        self.last = nn.Identity()
        self.head = nn.Linear(4, 2)
        nn.init.ones_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = conv(x if self.pad is None else self.pad(x))
        return self.head(self.last(x).mean((2, 3, 4)))


# Kinds of padding: on both sides, none, and two samples before and none after ("causal").
_FAMILIES = {
    "same": (None, 1),
    "valid": (None, 0),
    "causal": (lambda x: functional.pad(x, (2, 0) * 3), 0),
}
# Cell i of the last layer is on sample 8 i + first: p -> 2 p + 1 - padding before, three times.
_FIRST = {"same": 0, "valid": 7, "causal": -7}
CENTRES: dict[str, Callable[[int], list[float]]] = {
    family: lambda cells, first=first: [first + 8 * i for i in range(cells)]
    for family, first in _FIRST.items()
}


def centre_taps(family: str) -> CentreTaps:
    """A network of one family of CENTRES, in evaluation mode."""
    return CentreTaps(*_FAMILIES[family]).eval()
