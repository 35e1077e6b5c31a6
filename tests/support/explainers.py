"""A ClipExplainer without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from video_cam import Explanation
from video_cam.config import ExplainConfig
from video_cam.utils.progress import Progress
from video_cam.video.clip import Clip


class FixedExplainer:
    """Returns the same explanation for every clip, and keeps what it was asked.

    Attributes:
        clips: the paths of the explained clips, in order.
        configs: the options of each call.
        before: called with the clip's path before it is explained.
        network: goes into the fingerprint.
    """

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation
        self.clips: list[str] = []
        self.configs: list[ExplainConfig] = []
        self.before: Callable[[str], object] = lambda path: None
        self.network = "a network"

    def explain(self, clip: Clip, config: ExplainConfig, progress: Progress) -> Explanation:
        self.clips.append(clip.path)
        self.configs.append(config)
        self.before(clip.path)
        with progress("explain", 1) as step:
            step(1)
        return self.explanation

    def write_gradients(
        self,
        clip: Clip,
        explanation: Explanation,
        config: ExplainConfig,
        folder: Path,
        progress: Progress,
    ) -> None:
        for kind in ("guided", "smoothgrad"):
            if getattr(config, kind):
                (folder / kind).mkdir()
                (folder / kind / "000000.png").write_bytes(kind.encode())

    def fingerprint_parts(self, config: ExplainConfig) -> dict[str, Any]:
        return {"model": self.network, "options": config.as_json()}
