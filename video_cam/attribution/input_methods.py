"""Methods whose map is of the whole input and of no layer, and the table of them by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from video_cam.attribution.input_maps import InputMaps
from video_cam.attribution.method_inputs import TargetPass
from video_cam.attribution.occlusion import box_grid, occlusion
from video_cam.attribution.rise import rise
from video_cam.attribution_config import AttributionConfig

# From the targets of one input, whose forward pass is over, to the maps of all of them.
ComputeMaps = Callable[[Sequence[TargetPass]], InputMaps]


@dataclass(frozen=True)
class InputMethod:
    """A row of the table of methods without a layer.

    Attributes:
        compute: makes the maps of all targets of one input at once, so that what is the same for
            several of them is computed once. It leaves the network as found.
        forwards: how many forward passes it takes at most, for one sample of (T, H, W).
        layer: what the results say in place of a layer's name.
    """

    compute: ComputeMaps
    forwards: Callable[[Sequence[int], AttributionConfig], int]
    layer: str = "input"


INPUT_METHODS: dict[str, InputMethod] = {
    "occlusion": InputMethod(occlusion, lambda size, config: box_grid(size).num_boxes),
    "rise": InputMethod(rise, lambda size, config: config.masks),
}


def input_map_keys(methods: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(name in place of a layer's, method) for each of these methods."""
    return tuple((INPUT_METHODS[method].layer, method) for method in methods)
