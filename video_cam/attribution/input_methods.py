"""Methods whose map is of the whole input and of no layer, and the table of them by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from video_cam.attribution.attention_record import ATTENTION
from video_cam.attribution.attribution_result import MapKey
from video_cam.attribution.input_maps import InputMaps
from video_cam.attribution.method_inputs import TargetPass
from video_cam.attribution.occlusion import box_grid, occlusion
from video_cam.attribution.rise import rise
from video_cam.attribution_config import AttributionConfig
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.layers.alignment import cell_centres
from video_cam.layers.axes import input_size
from video_cam.layers.receptive_field import UNKNOWN

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
        needs: by the names of the tables in ``method_inputs``; computed before.
    """

    compute: ComputeMaps
    forwards: Callable[[Sequence[int], AttributionConfig], int]
    layer: str = "input"
    needs: tuple[str, ...] = ()


ABOVE_MEAN = ("attention-rollout", "legrad")


def attention_maps(method: str, targets: Sequence[TargetPass]) -> InputMaps:
    """The maps of a method of ATTENTION_METHOD_NAMES, on the grid of the network's tokens.

    Those of ABOVE_MEAN less their mean over a sample's cells: every token has a share of attention,
    and only one above the mean is evidence.
    """
    maps = [one.need(method)[ATTENTION] for one in targets]
    if method in ABOVE_MEAN:
        maps = [one - one.mean((1, 2, 3), keepdim=True) for one in maps]
    size = input_size(targets[0].x)
    # Tokens are patches, which lie evenly.
    return InputMaps(maps, cell_centres(maps[0].shape[1:], size, UNKNOWN, "half-pixel"))


def _one_pass(_size: Sequence[int], _config: AttributionConfig) -> int:
    return 1


INPUT_METHODS: dict[str, InputMethod] = {
    "occlusion": InputMethod(occlusion, lambda size, config: box_grid(size).num_boxes),
    "rise": InputMethod(rise, lambda size, config: config.masks),
    **{
        name: InputMethod(partial(attention_maps, name), _one_pass, ATTENTION, (name,))
        for name in ATTENTION_METHOD_NAMES
    },
}


def input_needs(methods: Sequence[str]) -> set[str]:
    """What these methods need of the network, by the names of the tables in ``method_inputs``."""
    return {need for method in methods for need in INPUT_METHODS[method].needs}


def input_map_keys(methods: Sequence[str]) -> tuple[MapKey, ...]:
    """(name in place of a layer's, method, no detail) for each of these methods."""
    return tuple((INPUT_METHODS[method].layer, method, "none") for method in methods)
