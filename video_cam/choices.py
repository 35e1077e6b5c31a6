"""The names that options choose from, apart from what they stand for, and two limits.

The tables of functions import PyTorch; their names alone do not, so that --help and a wrong name
answer at once. A test holds these lists equal to the tables' keys.
"""

from __future__ import annotations

METHODS = (
    *("gradcam", "gradcam++", "xgradcam", "hirescam", "gradcam-elementwise", "layercam"),
    *("eigencam", "eigengradcam", "ablationcam", "scorecam", "fullgrad", "finercam"),
    *("shapleycam", "fem", "cam", "smoothgradcam++"),
)
POOLING = ("clip", "frame")
PLACEMENTS = ("receptive-field", "probe", "half-pixel", "corners", "nearest")
PRECISIONS = ("fp32", "bf16")
SAMPLING = ("windows", "uniform")
CLASS_SCOPES = ("video", "window")
FUSE = ("product", "mean", "max")
# Signed maps of these are linear in the score, so the map of a difference of two scores is the
# difference of their maps.
LINEAR_METHODS = ("gradcam", "xgradcam", "hirescam", "cam")
LAYOUTS = ("overlay", "side-by-side", "strip")
NORMALIZE = ("video", "window", "frame")
COLORMAPS = ("inferno", "magma", "plasma", "viridis", "cividis", "turbo", "jet", "hot")
SCORES = ("softmax", "sigmoid", "raw")

# What a file may ask for before it is taken for a trap.
MAX_PIXELS = 2**27  # 16K by 8K
MAX_FRAMES = 500_000  # more than two hours at 60 per second
