"""How results are drawn: the fields are the command's options, checked where they enter."""

from __future__ import annotations

from dataclasses import dataclass

from video_cam.choices import COLORMAPS, LAYOUTS, NORMALIZE
from video_cam.errors import UsageError
from video_cam.names import check_names


@dataclass(frozen=True)
class Look:
    """How it is drawn; the names are the command's. alpha: 0 ... 1, the opacity of full heat;
    figure: also write a strip for a paper.
    """

    layout: str = "overlay"
    colormap: str = "inferno"
    alpha: float = 0.7
    normalize: str = "video"
    max_keyframes: int = 240
    figure: bool = False

    def __post_init__(self) -> None:
        check_names("layout", [self.layout], LAYOUTS)
        check_names("colormap", [self.colormap], COLORMAPS)
        check_names("normalize", [self.normalize], NORMALIZE)
        if not 0 <= self.alpha <= 1:
            raise UsageError(f"alpha {self.alpha} must lie between 0 and 1")
        if self.max_keyframes < 1:
            raise UsageError(f"max_keyframes {self.max_keyframes} must be 1 or more")
