"""Draws a clip within some memory and prints how much it took: base and peak in bytes.

    python -m tests.support.drawing_child CLIP FOLDER EXTRA

EXTRA: bytes that may be taken besides those of the process before.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.support.explanations import make_explanation
from video_cam.config import LimitsConfig, RenderConfig
from video_cam.models.preprocessing import Geometry
from video_cam.rendering.renderer import render_with
from video_cam.utils.available_memory import resident_bytes
from video_cam.video.clip import Clip


def draw(path: Path, folder: Path, max_memory: int | None = None) -> None:
    """Draw a map without a network; every frame is a keyframe."""
    clip = Clip.open(path, LimitsConfig(max_memory=max_memory))
    info, count = clip.info, clip.timeline.num_frames
    explanation = make_explanation(
        clip=info,
        timeline=clip.timeline,
        geometry=Geometry(info.height, info.width, info.height, info.width, 0, 0, 8, 8),
        frame_indices=np.arange(count)[None],
        num_padded=np.zeros(1, np.int64),
        probabilities=np.array([[0.7, 0.2, 0.1]], np.float32),
        maps=(make_explanation().maps[0],),
        span=(0, count),
    )
    render_with(clip, explanation, folder, RenderConfig())


def main() -> None:
    small, large, folder, extra = sys.argv[1:]
    draw(Path(small), Path(folder) / "small")  # what is loaded once does not count
    base = resident_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    draw(Path(large), Path(folder) / "large", base + int(extra))
    status = Path("/proc/self/status").read_text()
    peak = next(int(x.split()[1]) * 1024 for x in status.splitlines() if x.startswith("VmHWM"))
    print(base, peak)


if __name__ == "__main__":
    main()
