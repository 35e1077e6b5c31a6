"""What to explain and how: the fields are the command's options, checked where they enter."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from video_cam.alignment import PLACEMENTS
from video_cam.errors import UsageError
from video_cam.methods import GRADIENT_METHODS, POOLING
from video_cam.names import check_names

SAMPLING = ("windows", "uniform")
PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Options:
    """What to explain and how; the names are the command's.

    class_ids: ids or names; empty for the top_k classes of the whole clip. num_frames,
    frame_rate: None for the network's own. window_stride: samples from one window's start to the
    next, None for half a window. start, end: seconds. batch_size: windows in one forward pass.
    """

    methods: tuple[str, ...] = ("gradcam",)
    layers: tuple[str, ...] | None = None
    class_ids: tuple[int | str, ...] = ()
    top_k: int = 1
    worst: bool = False
    sampling: str = "windows"
    num_frames: int | None = None
    frame_rate: Fraction | None = None
    window_stride: int | None = None
    start: float | None = None
    end: float | None = None
    pooling: str = "clip"
    align: str = "receptive-field"
    precision: str = "fp32"
    batch_size: int = 4

    def __post_init__(self) -> None:
        check_names("method", self.methods, GRADIENT_METHODS)
        check_names("sampling", [self.sampling], SAMPLING)
        check_names("pooling", [self.pooling], POOLING)
        check_names("align", [self.align], PLACEMENTS)
        check_names("precision", [self.precision], PRECISIONS)
        for name in ("top_k", "num_frames", "frame_rate", "window_stride", "batch_size"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} {value} must be above 0")


def make_options(values: dict[str, Any]) -> Options:
    """Options from keyword arguments; lists become tuples. UsageError for a wrong name."""
    check_names("option", list(values), Options.__dataclass_fields__)
    frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return Options(**frozen)
