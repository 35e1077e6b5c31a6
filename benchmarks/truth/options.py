"""The options of the benchmark command; imports no PyTorch, so that ``--help`` is fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from video_cam.config import METHOD_NAMES
from video_cam.errors import UsageError
from video_cam.utils.names import check_names


@dataclass(frozen=True)
class BenchmarkOptions:
    """What the benchmark computes and writes.

    Attributes:
        clips: number of clips that are measured.
        seed: another seed draws other clips.
        methods: names of CAM methods, of ``config.METHOD_NAMES``.
        layers: names of the bundled network's layers.
        peers: also measure the maps of other tools.
        faithful_clips: number of clips for the measures that run the network on altered clips.
        units: also insertion and deletion by every unit and baseline.
        json: file for the rows as JSON.
        output_dir: folder for benchmark.md and benchmark.png.
    """

    clips: int = 200
    seed: int = 0
    methods: tuple[str, ...] = ("gradcam", "gradcam++", "hirescam", "layercam")
    layers: tuple[str, ...] = ("layer4", "layer3")
    peers: bool = False
    faithful_clips: int = 10
    units: bool = False
    json: Path | None = None
    output_dir: Path | None = None

    def __post_init__(self) -> None:
        check_names("method", self.methods, METHOD_NAMES)
        if self.faithful_clips < 1:
            raise UsageError(f"--faithful-clips {self.faithful_clips} must be 1 or more")

    def prepare_outputs(self) -> None:
        """Create the folders of the output files, before the long computation.

        Raises:
            UsageError: ``json`` is a folder.
            OSError: a folder cannot be created.
        """
        if self.output_dir:
            self.output_dir.mkdir(parents=True, exist_ok=True)
        if self.json:
            if self.json.is_dir():
                raise UsageError(f"--json {str(self.json)!r} is a folder: name a file in it")
            self.json.parent.mkdir(parents=True, exist_ok=True)
