"""COCO's annotations of frames: boxes, polygons and run lengths, per image or per video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from video_cam.truth.clip_truth import Box, ClipTruth, Mask, RowCollector, TruthFile
from video_cam.truth.json_rows import RunLengths
from video_cam.truth.text_files import not_readable
from video_cam.utils.strict_json import checked

_Region = RunLengths | list[list[float]] | None
_Id = int | str
_Sides = tuple[float, float, float, float]  # left, top, width, height


class _Category(msgspec.Struct):
    id: _Id
    name: str


class _Video(msgspec.Struct):
    id: _Id
    name: str = ""
    file_name: str = ""
    file_names: list[str] = []


class _Image(msgspec.Struct):
    id: _Id
    file_name: str = ""
    video_id: _Id | None = None
    frame_id: int | None = None
    frame_index: int | None = None


class _Annotation(msgspec.Struct):
    category_id: _Id | None = None
    image_id: _Id | None = None
    video_id: _Id | None = None
    bbox: _Sides | None = None
    segmentation: _Region = None
    bboxes: list[_Sides | None] = []
    segmentations: list[_Region] = []


class _File(msgspec.Struct):
    annotations: list[_Annotation]
    images: list[_Image] = []
    videos: list[_Video] = []
    categories: list[_Category] = []


def is_coco(content: Any) -> bool:
    """Whether a JSON value is COCO's: annotations of images or videos."""
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        return False
    return "images" in content or "videos" in content


def read_coco(path: Path, content: Any) -> TruthFile:
    """Annotations of images that are a clip's frames, or of videos.

    An image's clip is its video, else the folder in its file's name, else the image itself. Its
    frame index is its ``frame_index`` or ``frame_id``, else its place among the sorted names of its
    folder. Categories are names of objects: the clip's class only where the network knows them.

    Raises:
        UsageError: for a value of another form.
    """
    try:
        file = checked(content, _File)
    except ValueError as error:
        raise not_readable(path, str(error)) from error
    names = {category.id: category.name for category in file.categories}
    places = dict(_places(file))
    videos = {video.id: _names_of(video) for video in file.videos}
    collected = RowCollector()
    for number, one in enumerate(file.annotations):
        where = f"{path.name} annotation {number}"
        objects = (names[one.category_id],) if one.category_id in names else ()
        if one.image_id in places:
            clip, frame_index = places[one.image_id]
            truth = _truth(objects, [(frame_index, one.bbox, one.segmentation)])
            collected.add(where, clip, truth)
        elif one.video_id in videos:
            pairs = _filled(one.bboxes, one.segmentations)
            truth = _truth(objects, [(index, *pair) for index, pair in enumerate(pairs)])
            collected.add(where, videos[one.video_id], truth)
        else:
            collected.problems.append(f"{where}: its image or video is not in the file")
    return TruthFile(str(path), tuple(collected.rows), True, tuple(collected.problems))


def _filled(
    boxes: Sequence[_Sides | None], regions: Sequence[_Region]
) -> list[tuple[_Sides | None, _Region]]:
    """Boxes and regions of each frame, of which either list may be shorter."""
    length = max(len(boxes), len(regions))
    pad: list[None] = [None] * length
    return list(zip([*boxes, *pad][:length], [*regions, *pad][:length], strict=True))


def _places(file: _File) -> Iterator[tuple[_Id, tuple[list[str], int]]]:
    """Image id -> the names of its clip, and its frame index."""
    videos = {video.id: _names_of(video) for video in file.videos}
    folders: dict[str, list[str]] = {}
    for image in file.images:
        folders.setdefault(str(PurePosixPath(image.file_name).parent), []).append(image.file_name)
    index_of = {
        name: index for names in folders.values() for index, name in enumerate(sorted(names))
    }
    for image in file.images:
        given = image.frame_index if image.frame_index is not None else image.frame_id
        parent = str(PurePosixPath(image.file_name).parent)
        if image.video_id in videos:
            clip = videos[image.video_id]
        elif parent != "." or given is not None:
            clip = [parent]
        else:  # a picture is a clip of one frame
            clip, given = [image.file_name], 0
        yield image.id, (clip, index_of[image.file_name] if given is None else given)


def _names_of(video: _Video) -> list[str]:
    folder = str(PurePosixPath(video.file_names[0]).parent) if video.file_names else ""
    return [name for name in (video.file_name, video.name, folder) if name not in ("", ".")]


def _truth(objects: tuple[str, ...], places: Sequence[tuple[int, Any, _Region]]) -> ClipTruth:
    boxes, masks = [], []
    for frame_index, box, region in places:
        if isinstance(region, RunLengths):
            masks.append(Mask(frame_index, counts=region.counts, size=region.size))
        elif region:
            masks.append(Mask(frame_index, polygons=tuple(map(tuple, region))))
        elif box:
            left, top, width, height = box
            boxes.append(Box(frame_index, left, top, left + width, top + height))
    return ClipTruth(boxes=tuple(boxes), masks=tuple(masks), object_names=objects)
