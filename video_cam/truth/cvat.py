"""CVAT's XML for video: tracks of boxes, polygons and masks, and tags."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from video_cam.truth.clip_truth import Box, ClipTruth, Mask, RowCollector, TruthFile
from video_cam.truth.text_files import not_readable


class _DocumentType(Exception):
    """The file declares a document type, with which entities could grow without limit."""


class _PlainTree(TreeBuilder):
    """Elements of a file without a document type."""

    def doctype(self, *_: object) -> None:
        raise _DocumentType


def read_cvat(path: Path, text: str) -> TruthFile:
    """The tracks of one task ("CVAT for video 1.1"); its clip is the task's source.

    A track's label is the name of an object: the clip's class only where the network knows it.

    Raises:
        UsageError: for XML of another form.
    """
    root = _parsed(path, text)
    sources = [*root.iterfind("meta/task/source"), *root.iterfind("meta/source")]
    names = [*sources, *root.iterfind("meta/task/name"), *root.iterfind("meta/job/name")]
    clips = list(dict.fromkeys((name.text or "").strip() for name in names if name.text))
    if root.tag != "annotations" or not clips:
        raise not_readable(path, "it is not CVAT's XML for video, with <source> in its <meta>")
    if root.find("image") is not None:
        raise not_readable(path, 'it is "CVAT for images": export the task as "CVAT for video"')
    collected = RowCollector()
    for number, track in enumerate(root.iterfind("track")):
        where = f"{path.name} track {track.get('id', number)}"
        label = track.get("label")
        try:
            boxes, masks = list(_boxes(track)), list(_masks(track))
        except (KeyError, ValueError) as error:
            raise not_readable(path, f"track {track.get('id', number)}: {error}") from error
        truth = ClipTruth(
            boxes=tuple(boxes), masks=tuple(masks), object_names=(label,) if label else ()
        )
        collected.add(where, clips, truth)
    return TruthFile(str(path), tuple(collected.rows), problems=tuple(collected.problems))


def _parsed(path: Path, text: str) -> Element:
    parser = XMLParser(target=_PlainTree())
    try:
        parser.feed(text)
        root: Element = parser.close()
    except ParseError as error:
        raise not_readable(path, f"it is not XML ({error})") from error
    except _DocumentType as error:
        raise not_readable(path, "it declares a document type, which is not read") from error
    return root


def _visible(track: Element, kind: str) -> Iterator[Element]:
    return (shape for shape in track.iterfind(kind) if shape.get("outside") != "1")


def _boxes(track: Element) -> Iterator[Box]:
    for shape in _visible(track, "box"):
        sides = (_number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
        yield Box(_integer(shape, "frame"), *sides)


def _masks(track: Element) -> Iterator[Mask]:
    for shape in _visible(track, "polygon"):
        points = shape.attrib["points"].replace(";", ",").split(",")
        yield Mask(_integer(shape, "frame"), polygons=(tuple(map(float, points)),))
    for shape in _visible(track, "mask"):
        counts = tuple(int(count) for count in shape.attrib["rle"].split(","))
        yield Mask(
            _integer(shape, "frame"),
            counts=counts,
            size=(_integer(shape, "height"), _integer(shape, "width")),
            by_column=False,
            corner=(_integer(shape, "left"), _integer(shape, "top")),
        )


def _number(shape: Element, name: str) -> float:
    value = float(shape.attrib[name])
    if not math.isfinite(value):
        raise ValueError(f"{name} is not finite")
    return value


def _integer(shape: Element, name: str) -> int:
    return int(shape.attrib[name])
