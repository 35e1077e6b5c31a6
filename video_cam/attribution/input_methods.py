"""Methods whose map is of the whole input and of no layer, and the table of them by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from video_cam.attribution.method_inputs import TargetPass
from video_cam.attribution.occlusion import occlusion
from video_cam.layers.alignment import CellCentres

# From the targets of one input, whose forward pass is over: for each target a signed map
# (N, T', H', W'), and where the cells of these maps are.
ComputeMaps = Callable[[Sequence[TargetPass]], tuple[Sequence[Tensor], CellCentres]]


@dataclass(frozen=True)
class InputMethod:
    """A row of the table of methods without a layer.

    Attributes:
        compute: makes the maps of all targets of one input at once, so that what is the same for
            several of them is computed once. It leaves the network as found.
        layer: what the results say in place of a layer's name.
    """

    compute: ComputeMaps
    layer: str = "input"


INPUT_METHODS: dict[str, InputMethod] = {
    "occlusion": InputMethod(occlusion),
}


def input_map_keys(methods: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(name in place of a layer's, method) for each of these methods."""
    return tuple((INPUT_METHODS[method].layer, method) for method in methods)
