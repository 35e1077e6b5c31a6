"""The options of the benchmark command; imports no PyTorch, so that ``--help`` is fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from video_cam.choice_names import (
    ALIGNMENT_NAMES,
    DETAIL_NAMES,
    INPUT_METHOD_NAMES,
    LAYER_METHOD_NAMES,
    METHOD_NAMES,
)
from video_cam.errors import UsageError
from video_cam.utils.names import check_names

NETWORK_NAMES = (
    "motion3d",
    "texture3d",
    "transformer3d",
)  # of models3d.tasks.TASKS, which imports PyTorch


@dataclass(frozen=True)
class BenchmarkOptions:
    """What the benchmark computes and writes.

    Attributes:
        clips: number of clips that are measured.
        seed: another seed draws other clips.
        model: the bundled network whose maps are measured, of NETWORK_NAMES.
        crowded: a distractor that moves as much as the actor lies near it.
        methods: of ``choice_names.METHOD_NAMES``.
        layers: names of the network's layers.
        align: how cells are placed, of ``choice_names.ALIGNMENT_NAMES``; of maps without detail.
        detail: of ``choice_names.DETAIL_NAMES``.
        peers: also measure the maps of other tools.
        faithful_clips: number of clips for the measures that run the network on altered clips,
            and for the maps of methods that do.
        units: also insertion and deletion by every unit and baseline.
        motion: measure the motion share of both networks instead of their maps.
        frames: measure the frame test of the network instead of its maps.
        json: file for the rows as JSON.
        output_dir: folder for benchmark.md and benchmark.png.
    """

    clips: int = 200
    seed: int = 0
    model: str = NETWORK_NAMES[0]
    crowded: bool = False
    methods: tuple[str, ...] = ("gradcam", "gradcam++", "hirescam", "layercam", "occlusion", "rise")
    layers: tuple[str, ...] = ("layer4", "layer3")
    align: tuple[str, ...] = ALIGNMENT_NAMES
    detail: tuple[str, ...] = DETAIL_NAMES
    peers: bool = False
    faithful_clips: int = 50
    units: bool = False
    motion: bool = False
    frames: bool = False
    json: Path | None = None
    output_dir: Path | None = None

    def __post_init__(self) -> None:
        check_names("method", self.methods, METHOD_NAMES)
        check_names("model", [self.model], NETWORK_NAMES)
        check_names("align", self.align, ALIGNMENT_NAMES)
        check_names("detail", self.detail, DETAIL_NAMES)
        if self.faithful_clips < 1:
            raise UsageError(f"--faithful-clips {self.faithful_clips} must be 1 or more")

    @property
    def default_method(self) -> str:
        """The method of layers whose maps the controls and the check are made of."""
        own = (name for name in self.methods if name not in INPUT_METHOD_NAMES)
        return next(own, LAYER_METHOD_NAMES[0])

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
