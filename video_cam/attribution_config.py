"""Settings that say how maps are computed from one input; a part of ``config.ExplainConfig``."""

from __future__ import annotations

from dataclasses import dataclass

from video_cam import choice_names
from video_cam.errors import UsageError
from video_cam.utils.field_types import check_types
from video_cam.utils.names import check_names, check_positive

MAX_MASKS = 100_000  # they are kept while maps are made of them


@dataclass(frozen=True)
class AttributionConfig:
    """How maps are computed from one input.

    Attributes:
        methods: of METHOD_NAMES.
        pooling: gradients are pooled over the whole "clip" or per "frame".
        detail: what makes maps finer than their layer's grid, of DETAIL_NAMES; of several, each
            gives maps of its own.
        align: how the positions of a layer's cells are found, of ALIGNMENT_NAMES.
        aug_smooth: mean over six versions of the input: flipped left to right or not, times 0.9,
            1 and 1.1.
        aug_shift: mean over the input as it is and moved this many frames earlier and later.
        eigen_smooth: the first principal component of the weighted activations instead of their
            sum over channels.
        precision: of PRECISIONS.
        max_channels: how many channels scorecam runs; None for all, which is exact.
        fill: what occlusion and rise put in place of what they hide, of FILL_NAMES.
        masks: how many random masks rise scores at most.
        mask_error: rise stops when its standard error is this share of the map; 0 for never.
        seed: of the masks.
        batch_size: inputs, or altered inputs and activations, in one forward pass.
    """

    methods: tuple[str, ...] = ("gradcam",)
    pooling: str = "clip"
    detail: tuple[str, ...] = ("none",)
    align: str = "probe"
    aug_smooth: bool = False
    aug_shift: int = 0
    eigen_smooth: bool = False
    precision: str = "fp32"
    max_channels: int | None = None
    fill: str = "blur"
    masks: int = 1000
    mask_error: float = 0.1
    seed: int = 0
    batch_size: int = 4

    def __post_init__(self) -> None:
        check_types(self)
        check_names("method", self.methods, choice_names.METHOD_NAMES)
        check_names("pooling", [self.pooling], choice_names.POOLING_NAMES)
        check_names("detail", self.detail, choice_names.DETAIL_NAMES)
        check_names("align", [self.align], choice_names.ALIGNMENT_NAMES)
        check_names("precision", [self.precision], choice_names.PRECISIONS)
        if not self.methods:
            raise UsageError("no method is named: give at least one, or leave methods out")
        if not self.detail:
            raise UsageError("no detail is named: give at least one, or leave detail out")
        if len(set(self.detail)) < len(self.detail):
            raise UsageError(f"detail {' '.join(self.detail)} names one twice: give each once")
        check_names("fill", [self.fill], choice_names.FILL_NAMES)
        check_positive(self, ("max_channels", "batch_size"))
        if not 2 <= self.masks <= MAX_MASKS:
            raise UsageError(f"masks {self.masks} must lie between 2 and {MAX_MASKS:,}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed} must lie between 0 and 2**63 - 1")
        if not 0 <= self.mask_error < 1:
            raise UsageError(f"mask_error {self.mask_error} must lie between 0 and 1")
        if self.aug_shift < 0:
            raise UsageError(f"aug_shift {self.aug_shift} must be 0 or more frames")
        if self.eigen_smooth and self.input_methods:
            raise UsageError(
                f"eigen_smooth combines a layer's channels, and {self.input_methods[0]} has none: "
                "leave it out"
            )

    @property
    def makes_finer(self) -> bool:
        """Whether some maps are to be finer than their layer's grid."""
        return self.detail != ("none",)

    @property
    def layer_methods(self) -> tuple[str, ...]:
        """The methods with a map for each layer."""
        return tuple(name for name in self.methods if name in choice_names.LAYER_METHOD_NAMES)

    @property
    def input_methods(self) -> tuple[str, ...]:
        """The methods whose map is of the whole input."""
        return tuple(name for name in self.methods if name not in choice_names.LAYER_METHOD_NAMES)
