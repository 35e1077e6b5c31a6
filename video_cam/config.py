"""Settings of the tool as frozen dataclasses; each default value is written once.

The command line and the Python functions fill the same classes; settings of a whole run over clips
are in video_cam/batch/run_config.py, those of maps in video_cam/attribution_config.py. PyTorch is
not imported, so that ``--help`` and a wrong argument answer at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from video_cam import choice_names
from video_cam.attribution_config import AttributionConfig
from video_cam.errors import UsageError
from video_cam.utils.field_types import check_types
from video_cam.utils.names import check_names, check_positive, function_name

if TYPE_CHECKING:
    from torch import Tensor

# How many numbers --mean and --std have for what a network takes of a clip.
_NORMALIZED = {
    "rgb": ((3,), "three numbers, for red, green and blue"),
    "bgr": ((3,), "three numbers, for blue, green and red"),
    "gray": ((1,), "one number, for grey"),
    "flow": ((1, 2), "two numbers, for flow to the right and down, or one for both"),
}
# As an output layout: whatever the network returns, for functions of its output.
ANY_OUTPUT = "any"

# The longest input that any published video network takes is far below this number of frames.
MAX_INPUT_FRAMES = 10_000
BIT_DEPTHS = range(1, 17)


@dataclass(frozen=True)
class LimitsConfig:
    """How much a file may ask for before it is refused.

    Attributes:
        max_pixels: width times height of one picture, in pixels.
        max_frames: number of frames of one clip.
        max_memory: bytes that the process may take while it works on one clip; None for
            half of what is available when the clip is opened, in addition to what it has taken.
    """

    max_pixels: int = 2**27  # 16K by 8K
    max_frames: int = 500_000  # more than two hours at 60 frames per second
    max_memory: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_positive(self, ("max_pixels", "max_frames", "max_memory"))


@dataclass(frozen=True)
class InputConfig:
    """The network's input and scores where the caller knows better; None keeps the network's own.

    Attributes:
        num_frames: frames in one input.
        frame_rate: frames per second of the input.
        size: (height, width) of the input in pixels.
        mean, std: one number for each channel of ``channels``, for values in [0, value_range].
        layout: how the forward takes a clip, one of the layouts of ``--layout-in``.
        score: how scores are shown, one of SCORE_KINDS.
        channels: what the network takes of the frames, one of CHANNEL_NAMES; None for RGB.
        value_range: the largest value of a channel before mean and std are applied. With it, they
            are 0 and 1 where they are not given; without it, it is 1.
        input_factory: a function (clip, path, times) that makes the network's arguments, or
            "file.py:function"; see ``models.input_factory``.
        output_layout: how class scores lie in the output, as ``--output-layout`` takes it; or
            ANY_OUTPUT for a network without class scores, of which only functions of the output
            are explained.
    """

    num_frames: int | None = None
    frame_rate: Fraction | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str | None = None
    score: str | None = None
    channels: str | None = None
    value_range: float | None = None
    input_factory: str | Callable[..., Any] | None = None
    output_layout: str | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if self.score is not None:
            check_names("score", [self.score], choice_names.SCORE_KINDS)
        if self.channels == "rgbd":
            raise UsageError(
                "a clip holds no depth for channels rgbd: give input_factory (--input-factory), a "
                "function (clip, path, times) that returns torch.cat([clip, depth], 1)"
            )
        if self.channels is not None:
            check_names("channels", [self.channels], choice_names.CHANNEL_NAMES)
        check_positive(self, ("num_frames", "frame_rate", "value_range"))
        counts, words = _NORMALIZED[self.channels or "rgb"]
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None and len(value) not in counts:
                raise UsageError(f"{name} {value} must be {words}")
            if value is not None and not all(map(math.isfinite, value)):
                raise UsageError(f"{name} {value} must be finite")
        if self.std is not None and not all(self.std):
            raise UsageError(f"std {self.std} must not be 0")
        if self.size is not None and min(self.size) < 1:
            raise UsageError(f"size {self.size} must be above 0")


@dataclass(frozen=True)
class ExplainConfig(AttributionConfig):
    """What of a clip is explained; the names are the command's options.

    Attributes:
        detail: as in AttributionConfig, where the default is "none".
        own_methods: no method was asked for, so a network without gradients may get another one.
        layers: module names, patterns, positions from the back, "where" or "when"; None for the
            network's own.
        conv_backcount: convolutions counted from the back; 1 is the last one.
        class_ids: ids or names; empty for the ``top_k`` best classes of the whole clip.
        targets: functions from the network's output to (N,) scores; where one is given, only the
            classes in ``class_ids`` are explained besides.
        top_k: how many of the best classes are explained; None for one, and for all texts of a
            network whose classes are texts.
        worst: also explain the least probable class.
        video_stream: which of the file's video streams, from 0; None for FFmpeg's choice.
        sampling: of SAMPLING_MODES.
        bit_depth: bits of data in pictures of more than 8 bits; None to find them.
        num_frames, frame_rate: of the network's input; None for the network's own.
        window_stride: samples from one window's start to the next; None for half a window.
        start, end: in seconds; None for the clip's own.
        split_scenes: no window runs across a cut.
        class_scope: the clip's best classes in every window ("video"), or its own ("window").
        contrast: maps of the class's score minus that of the best other class.
        fuse: combine all layers into one map, of FUSION_NAMES.
        guided, smoothgrad: also compute guided backpropagation or SmoothGrad for the keyframes.
        check: run the perturbation check; None runs it where it takes no longer than the maps.
        sanity: run the randomization check.
        motion_test, frame_test: ask what motion does, and which frames are enough for the score.
        strict: refuse a clip with damaged or missing pictures instead of noting them.
    """

    detail: tuple[str, ...] = ("layers",)
    own_methods: bool = False
    layers: tuple[str | int, ...] | None = None
    conv_backcount: tuple[int, ...] = ()
    class_ids: tuple[int | str, ...] = ()
    targets: tuple[Callable[[Any], Tensor], ...] = ()
    top_k: int | None = None
    worst: bool = False
    bit_depth: int | None = None
    video_stream: int | None = None
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
    guided: bool = False
    smoothgrad: bool = False
    check: bool | None = None
    sanity: bool = False
    motion_test: bool = False
    frame_test: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_names("sampling", [self.sampling], choice_names.SAMPLING_MODES)
        check_names("class_scope", [self.class_scope], choice_names.CLASS_SCOPES)
        if self.fuse is not None:
            check_names("fuse", [self.fuse], choice_names.FUSION_NAMES)
        self._check_combinations()
        self._check_times()
        if self.bit_depth not in (None, *BIT_DEPTHS):
            raise UsageError(f"bit_depth {self.bit_depth} must be a whole number from 1 to 16")
        check_positive(self, ("top_k", "num_frames", "frame_rate", "window_stride"))
        if self.video_stream is not None and self.video_stream < 0:
            raise UsageError(f"video_stream {self.video_stream} must be 0 or more")
        if self.num_frames is not None and self.num_frames > MAX_INPUT_FRAMES:
            raise UsageError(f"num_frames {self.num_frames} must be at most {MAX_INPUT_FRAMES}")

    def _check_combinations(self) -> None:
        self._check_layers()
        if self.class_scope == "window" and self.class_ids:
            raise UsageError(
                "class_scope window explains each window's own best class: leave class_ids out"
            )
        linear = choice_names.LINEAR_METHODS
        foreign = [method for method in self.methods if method not in linear]
        if self.contrast and (foreign or self.eigen_smooth):
            raise UsageError(
                f"contrast takes maps that are linear in the score ({', '.join(linear)}), "
                f"not {foreign[0] if foreign else 'those of eigen_smooth'}; finercam contrasts "
                "by itself"
            )

    def _check_layers(self) -> None:
        if self.layers == ():
            raise UsageError("no layer is named: give at least one, or leave layers out")
        if self.layer_methods:
            return
        what = "explains the input without one"
        if choice_names.take_blocks(self.methods):
            what = "makes one map of the attention in all blocks that layers names"
        for name in choice_names.layer_options(self.methods):
            if getattr(self, name):
                raise UsageError(
                    f"{name} is about maps of layers, and {' and '.join(self.methods)} {what}: "
                    f"leave {name} out, or name a method of layers beside it"
                )

    def _check_times(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise UsageError(f"{name} {value} must be a finite number of seconds")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(f"end {self.end} s must be later than start {self.start} s")

    def as_json(self) -> dict[str, Any]:
        """Everything that changes the result, in JSON's types."""
        unchanging = ("batch_size", "strict", "own_methods")
        values = {n: _plain(v) for n, v in vars(self).items() if n not in unchanging}
        return values | {"detail": self.detail[0] if len(self.detail) == 1 else [*self.detail]}

    @property
    def num_best(self) -> int:
        """How many of the best classes are explained, where no class is asked for."""
        return self.top_k or 1

    def attribution(self) -> AttributionConfig:
        """The part that says how maps are computed from one input."""
        values = {one.name: getattr(self, one.name) for one in fields(AttributionConfig)}
        # Only maps that are linear in the score can be subtracted, and finer ones are not.
        return AttributionConfig(**values | ({"detail": ("none",)} if self.contrast else {}))


@dataclass(frozen=True)
class RenderConfig:
    """How results are drawn; the names are the command's options.

    Attributes:
        layout: of VIDEO_LAYOUTS.
        colormap: of COLORMAP_NAMES.
        alpha: opacity of full heat, in [0, 1].
        normalize: what full heat is: the largest value in the video, the window or the frame.
        max_keyframes: pictures of at most this many keyframes are saved; 0 for all.
        figure: also write figure.pdf and figure.png.
        contours: levels of heat at which contour lines are drawn, each between 0 and 1.
    """

    layout: str = "overlay"
    colormap: str = "inferno"
    alpha: float = 0.7
    normalize: str = "video"
    max_keyframes: int = 30
    figure: bool = False
    contours: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_types(self)
        check_names("layout", [self.layout], choice_names.VIDEO_LAYOUTS)
        check_names("colormap", [self.colormap], choice_names.COLORMAP_NAMES)
        check_names("normalize", [self.normalize], choice_names.NORMALIZATIONS)
        if not 0 <= self.alpha <= 1:
            raise UsageError(f"alpha {self.alpha} must lie between 0 and 1")
        if self.max_keyframes < 0:
            raise UsageError(f"max_keyframes {self.max_keyframes} must be 1 or more, or 0 for all")
        for level in self.contours:
            if not 0 < level < 1:
                raise UsageError(
                    f"contours {level} must lie between 0 and 1: 0 is no heat, 1 is full heat"
                )


def make_explain_config(values: dict[str, Any]) -> ExplainConfig:
    """An ExplainConfig from keyword arguments as people write them.

    Args:
        values: fields by name, as ``check_types`` takes them; methods may be None.

    Raises:
        UsageError: for an unknown name or a wrong value.
    """
    check_names("option", list(values), ExplainConfig.__dataclass_fields__)
    if values.get("methods") is None:
        values = values | {"methods": ExplainConfig.methods, "own_methods": True}
    return ExplainConfig(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return function_name(value) if callable(value) else value
