"""Pictures of input gradients on their way to another process: file names and PNG bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from video_cam.config import ExplainConfig, RenderConfig
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.keyframe_gradients import GRADIENTS
from video_cam.pipeline import ClipExplainer
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.frame_choice import saved_keyframes
from video_cam.rendering.keyframes import keep_keyframes
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip


def gradient_files(
    explainer: ClipExplainer,
    clip: Clip,
    explanation: Explanation,
    config: ExplainConfig,
    progress: Progress = silent,
    render: RenderConfig | None = None,
) -> dict[str, bytes]:
    """The pictures of ``--guided`` and ``--smoothgrad``, where ``config`` asks for them.

    Args:
        render: how the results are drawn, to give the pictures of its keyframes; None for all.

    Returns:
        Relative path -> the file's content.
    """
    if not any(getattr(config, kind) for kind in GRADIENTS):
        return {}
    with tempfile.TemporaryDirectory(prefix="video_cam-") as name:
        folder = Path(name)
        explainer.write_gradients(clip, explanation, config, folder, progress)
        if render is not None:
            keyframes = saved_keyframes(BlendedMaps(explanation), render.max_keyframes)
            keep_keyframes(folder, keyframes)
        return {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*.png"))
        }


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write what ``gradient_files`` returned."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
