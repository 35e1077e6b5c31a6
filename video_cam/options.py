"""What to explain and how: the fields are the command's options, checked where they enter."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from video_cam.cam import Request
from video_cam.errors import UsageError
from video_cam.grids import Unpack, to_grid
from video_cam.names import check_names
from video_cam.progress import Progress, silent

SAMPLING = ("windows", "uniform")
PRECISIONS = ("fp32", "bf16")
_POSITIVE = ("top_k", "num_frames", "frame_rate", "window_stride", "max_channels", "batch_size")


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
    aug_smooth: bool = False
    eigen_smooth: bool = False
    guided: bool = False
    max_channels: int | None = None
    precision: str = "fp32"
    batch_size: int = 4

    def __post_init__(self) -> None:
        check_names("sampling", [self.sampling], SAMPLING)
        check_names("precision", [self.precision], PRECISIONS)
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} {value} must be above 0")
        self.request((), to_grid)  # which checks the names it takes

    def request(
        self, layers: tuple[str, ...], unpack: Unpack, progress: Progress = silent
    ) -> Request:
        """What is asked of each window."""
        names = set(Request.__dataclass_fields__) & set(Options.__dataclass_fields__) - {"layers"}
        shared = {name: getattr(self, name) for name in names}
        return Request(layers, unpack=unpack, progress=progress, **shared)


def make_options(values: dict[str, Any]) -> Options:
    """Options from keyword arguments; lists become tuples. UsageError for a wrong name."""
    check_names("option", list(values), Options.__dataclass_fields__)
    frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return Options(**frozen)
