"""Boxes and masks of high heat as annotations of COCO (https://cocodataset.org/#format-data)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.export.export_folder import Exported, export_with
from video_cam.export.regions import Region, Threshold, regions_of
from video_cam.export.results import Result
from video_cam.rendering.explained_targets import target_number
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.image_files import save_image
from video_cam.utils.extras import import_extra
from video_cam.utils.files import StrPath
from video_cam.utils.names import check_positive
from video_cam.utils.reporter import Reporter
from video_cam.utils.version import __version__

ANNOTATIONS = "annotations.json"
NO_IMAGES = (
    "the frames are not written as images: --frames writes them under the names in annotations.json"
)


def to_coco(
    results: StrPath,
    output: StrPath | None = None,
    *,
    maps: Sequence[int] = (),
    every: int = 1,
    threshold: float = Threshold.share,
    of: str = Threshold.of,
    min_area: int = Threshold.min_area,
    frames: bool = False,
    reporter: Reporter | None = None,
) -> Exported:
    """Write annotations.json: regions of high heat in each frame, as boxes and run lengths.

    ``images`` has every ``every``-th frame that was explained, also those without a region, with
    ``video_id``, ``frame_index`` (from 0) and ``pts_seconds``; ``videos`` the clips; ``categories``
    the explained targets by name. An annotation's ``score`` is the highest heat in its region,
    where 1 is the map's peak in the video; ``class_score`` is the target's mean score in the clip.

    Args:
        results: the folder of a run or of one clip, as in ``to_npz``.
        output: the folder to write, as in ``to_npz``.
        maps: which maps, as in ``to_npz``.
        reporter: is told of clips that are left out, as in ``to_npz``; None raises.
        every: every so many frames of the source.
        threshold: share of heat, between 0 and 1, that ``of`` says more on.
        of: "peak": a region has at least this share of the map's peak in the video; "mass": the
            regions of a frame are the smallest set of pixels with this share of its heat.
        min_area: smaller regions, in source pixels, are left out.
        frames: also write the frames, as JPEG files.

    Raises:
        UsageError: without pycocotools, for wrong options or missing results.
    """
    import_extra("pycocotools", "coco")
    writer = _CocoWriter(Threshold(threshold, of, min_area), every, frames)
    return export_with(writer, results, output, maps, reporter)


class _CocoWriter:
    format = "coco"

    def __init__(self, threshold: Threshold, every: int, frames: bool) -> None:
        self.notes: list[str] = [] if frames else [NO_IMAGES]
        self.every = every
        check_positive(self, ("every",))
        self._threshold, self._frames = threshold, frames
        self._videos: list[dict[str, Any]] = []
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: dict[tuple[int, str], int] = {}

    def add(self, result: Result, folder: Path) -> None:
        """Collect a clip's annotations; none of them are kept where it fails."""
        explanation = result.explanation
        clip, timeline = explanation.clip, explanation.timeline
        indices = range(*explanation.span, self.every)
        video_id, first = len(self._videos) + 1, len(self._images) + 1
        images = [
            {
                "id": first + position,
                "video_id": video_id,
                "file_name": f"{result.name}/{index:06d}.jpg",
                "width": clip.width,
                "height": clip.height,
                "frame_index": index,
                "pts_seconds": float(timeline.pts_seconds(index)),
            }
            for position, index in enumerate(indices)
        ]
        annotations = list(self._annotations_of(result, images))
        if self._frames:
            _write_frames(result, folder, set(indices))
        self._videos.append(
            {
                "id": video_id,
                "name": result.name,
                "file_name": clip.path,
                "width": clip.width,
                "height": clip.height,
                "length": timeline.num_frames,
                "frame_rate": float(clip.frame_rate),
            }
        )
        self._images += images
        for number, annotation in enumerate(annotations, len(self._annotations) + 1):
            self._annotations.append({"id": number} | annotation)

    def finish(self, folder: Path) -> None:
        """Write the annotations of all clips; folders without images are removed."""
        content = {
            "info": {
                "description": f"regions with {self._threshold.share:g} of a map's "
                f"{self._threshold.of}, at least {self._threshold.min_area} pixels",
                "version": f"video_cam {__version__}",
            },
            "videos": self._videos,
            "images": self._images,
            "categories": [
                {"id": number, "name": label, "class_id": class_id}
                for (class_id, label), number in self._categories.items()
            ],
            "annotations": self._annotations,
        }
        (folder / ANNOTATIONS).write_text(json.dumps(content))
        if not self._frames:
            for path in sorted(folder.rglob("*"), reverse=True):
                if path.is_dir():
                    path.rmdir()

    def _annotations_of(
        self, result: Result, images: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        explanation, annotations = result.explanation, []
        for map_index in result.chosen_maps:
            series = explanation.maps[map_index]
            key = (target_number(series.target), series.label)
            category = self._categories.setdefault(key, len(self._categories) + 1)
            of_map = {
                "category_id": category,
                "layer": series.layer,
                "method": series.method,
                "detail": series.detail,
                "class_score": float(explanation.window_scores(series).mean()),
            }
            mapper = HeatMapper(result.maps[map_index], explanation.geometry, "video")
            for image in images:
                for region in regions_of(mapper, image["frame_index"], self._threshold):
                    entry = _annotation(region, image["height"], image["width"])
                    annotations.append({"image_id": image["id"]} | of_map | entry)
        return annotations


def _annotation(region: Region, height: int, width: int) -> dict[str, Any]:
    """Box, area, run lengths and score of a region in a frame of this size."""
    from pycocotools import mask as runs

    picture = np.zeros((height, width), np.uint8, order="F")  # run lengths go down the columns
    place = np.s_[region.top : region.top + region.height, region.left : region.left + region.width]
    picture[place] = region.mask
    encoded = runs.encode(picture)
    return {
        "bbox": [region.left, region.top, region.width, region.height],
        "area": region.area,
        "iscrowd": 0,
        "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode("ascii")},
        "score": region.peak,
    }


def _write_frames(result: Result, folder: Path, indices: set[int]) -> None:
    with result.clip.frames(min(indices), max(indices) + 1) as reader:
        for frame in reader:
            if frame.index in indices:
                save_image(folder / f"{frame.index:06d}.jpg", frame.rgb())
