"""What to explain and how: the fields are the command's options, checked where they enter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from numbers import Integral
from typing import TYPE_CHECKING, Any

from video_cam.choices import (
    CLASS_SCOPES,
    FUSE,
    LINEAR_METHODS,
    METHODS,
    PLACEMENTS,
    POOLING,
    PRECISIONS,
    SAMPLING,
)
from video_cam.errors import UsageError
from video_cam.functions import find_function, function_name
from video_cam.names import as_tuple, check_names
from video_cam.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

    from video_cam.cam import Request
    from video_cam.grids import Unpacks

# They change how fast a result is made, not what it is.
_SPEED = ("batch_size",)
MOST_FRAMES = 10_000  # in one input: the longest that networks take is far below
_POSITIVE = ("top_k", "num_frames", "frame_rate", "window_stride", "max_channels", "batch_size")


@dataclass(frozen=True)
class Options:
    """What to explain and how; the names are the command's.

    layers: module names, patterns, positions from the back, "where" or "when"; None for the
    network's own. conv_backcount: convolutions from the back, 1 is the last. class_ids: ids or
    names; empty for the top_k classes of the whole clip. targets: functions of the network's
    output, or file.py:function; where one is given, classes are those asked for. num_frames,
    frame_rate: None for the network's own. window_stride: samples from one window's start to the
    next, None for half a window. start, end: seconds. split_scenes: no window runs across a cut.
    class_scope: explain the clip's best classes in every window, or each window's own. contrast:
    maps of a class's score less that of the best other class. fuse: one map of all layers, of FUSE.
    check: None for where it costs no more than the maps. batch_size: windows in one forward pass.
    """

    methods: tuple[str, ...] = ("gradcam",)
    layers: tuple[str | int, ...] | None = None
    conv_backcount: tuple[int, ...] = ()
    class_ids: tuple[int | str, ...] = ()
    targets: tuple[Callable[[Any], Tensor], ...] = ()
    top_k: int = 1
    worst: bool = False
    sampling: str = "windows"
    num_frames: int | None = None
    frame_rate: Fraction | None = None
    window_stride: int | None = None
    start: float | None = None
    end: float | None = None
    split_scenes: bool = False
    class_scope: str = "video"
    contrast: bool = False
    fuse: str | None = None
    pooling: str = "clip"
    align: str = "probe"
    aug_smooth: bool = False
    aug_shift: int = 0
    eigen_smooth: bool = False
    guided: bool = False
    smoothgrad: bool = False
    check: bool | None = None
    sanity: bool = False
    max_channels: int | None = None
    precision: str = "fp32"
    batch_size: int = 4

    def __post_init__(self) -> None:
        check_names("method", self.methods, METHODS)
        check_names("sampling", [self.sampling], SAMPLING)
        check_names("pooling", [self.pooling], POOLING)
        check_names("align", [self.align], PLACEMENTS)
        check_names("precision", [self.precision], PRECISIONS)
        check_names("class_scope", [self.class_scope], CLASS_SCOPES)
        if self.fuse is not None:
            check_names("fuse", [self.fuse], FUSE)
        self._check_combinations()
        if not self.methods or self.layers == ():
            raise UsageError("no method or no layer is named: give at least one, or leave it out")
        for target in self.targets:
            if not callable(target):
                raise UsageError(f"target {target!r} must be a function of the network's output")
        for name in ("start", "end"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise UsageError(f"{name} {value} must be a finite number of seconds")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(f"end {self.end} s must be later than start {self.start} s")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} {value} must be above 0")
        if self.num_frames is not None and self.num_frames > MOST_FRAMES:
            raise UsageError(f"num_frames {self.num_frames} must be at most {MOST_FRAMES}")
        if self.aug_shift < 0:
            raise UsageError(f"aug_shift {self.aug_shift} must be 0 or more frames")

    def _check_combinations(self) -> None:
        if self.class_scope == "window" and self.class_ids:
            raise UsageError(
                "class_scope window explains each window's own best class: leave class_ids out"
            )
        foreign = [method for method in self.methods if method not in LINEAR_METHODS]
        if self.contrast and (foreign or self.eigen_smooth):
            raise UsageError(
                f"contrast takes maps that are linear in the score ({', '.join(LINEAR_METHODS)}), "
                f"not {foreign[0] if foreign else 'those of eigen_smooth'}; finercam contrasts "
                "by itself"
            )

    def as_json(self) -> dict[str, Any]:
        """Everything that changes the result, in JSON's types."""
        names = [field.name for field in fields(self) if field.name not in _SPEED]
        return {name: _plain(getattr(self, name)) for name in names}

    def request(
        self, layers: tuple[str, ...], unpack: Unpacks, progress: Progress = silent
    ) -> Request:
        """What is asked of each window."""
        from video_cam.cam import Request

        names = set(Request.__dataclass_fields__) & set(Options.__dataclass_fields__) - {"layers"}
        shared = {name: getattr(self, name) for name in names}
        return Request(layers, unpack=unpack, progress=progress, **shared)


def _python_number(value: Any) -> Any:
    """NumPy's integers are not JSON's."""
    return int(value) if isinstance(value, Integral) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return function_name(value) if callable(value) else value


_NAMES = ("methods", "layers", "class_ids", "conv_backcount", "targets")


def make_options(values: dict[str, Any]) -> Options:
    """Options from keyword arguments. UsageError for a wrong name.

    One method, layer or class may stand for a list of one; a frame rate may be any number.
    """
    check_names("option", list(values), Options.__dataclass_fields__)
    frozen: dict[str, Any] = dict(values)
    for name in set(_NAMES) & set(frozen):
        if frozen[name] is not None:
            frozen[name] = tuple(map(_python_number, as_tuple(frozen[name])))
    frozen["targets"] = tuple(
        find_function(target) if isinstance(target, str) else target
        for target in frozen.get("targets", ())
    )
    if isinstance(frozen.get("frame_rate"), int | float):
        # Nobody's frame rate is finer than a thousandth of a frame in a hundred seconds.
        frozen["frame_rate"] = Fraction(frozen["frame_rate"]).limit_denominator(100_000)
    return Options(**frozen)
