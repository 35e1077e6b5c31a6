"""The names of the choices that options have.

The tables of functions behind them import PyTorch, these lists do not; a test holds the lists equal
to the tables' keys.
"""

from __future__ import annotations

from collections.abc import Sequence

# Methods with a map for each layer, and those whose map is of the whole input.
LAYER_METHOD_NAMES = (
    *("gradcam", "gradcam++", "xgradcam", "hirescam", "gradcam-elementwise", "layercam"),
    *("eigencam", "eigengradcam", "ablationcam", "scorecam", "fullgrad", "finercam"),
    *("shapleycam", "fem", "cam", "smoothgradcam++"),
)
# Those of the whole input that follow a network's attention, and those that need nothing of it but
# its scores.
ATTENTION_METHOD_NAMES = ("attention-rollout", "attention-gradient", "legrad")
SCORE_METHOD_NAMES = ("occlusion", "rise")
INPUT_METHOD_NAMES = (*SCORE_METHOD_NAMES, *ATTENTION_METHOD_NAMES)
METHOD_NAMES = (*LAYER_METHOD_NAMES, *INPUT_METHOD_NAMES)
# The signed maps of these methods are linear in the score, so the map of the difference of two
# scores is the difference of their maps.
LINEAR_METHODS = ("gradcam", "xgradcam", "hirescam", "cam", "occlusion", "rise")
FILL_NAMES = ("blur", "mean", "before")
POOLING_NAMES = ("clip", "frame")
DETAIL_NAMES = ("none", "layers", "input")
ALIGNMENT_NAMES = ("receptive-field", "probe", "half-pixel", "corners", "nearest")
PRECISIONS = ("fp32", "bf16")
SAMPLING_MODES = ("windows", "uniform")
CLASS_SCOPES = ("video", "window")
FUSION_NAMES = ("product", "mean", "max")
VIDEO_LAYOUTS = ("overlay", "side-by-side", "strip")
NORMALIZATIONS = ("video", "window", "frame")
COLORMAP_NAMES = ("inferno", "magma", "plasma", "viridis", "cividis", "turbo", "jet", "hot")
SCORE_KINDS = ("softmax", "sigmoid", "raw")
CHANNEL_NAMES = ("rgb", "bgr", "gray", "flow")  # what a network takes of a clip


def take_blocks(methods: Sequence[str]) -> bool:
    """Whether layers, where they are named, are blocks whose attention these methods follow."""
    of_layers = any(name in LAYER_METHOD_NAMES for name in methods)
    return not of_layers and any(name in ATTENTION_METHOD_NAMES for name in methods)


def layer_options(methods: Sequence[str]) -> tuple[str, ...]:
    """Options of ``ExplainConfig`` that need a method of layers, which these methods are not."""
    others = ("conv_backcount", "fuse")
    return others if take_blocks(methods) else ("layers", *others)
