"""Any annotation file: which kind it is, and its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from video_cam.errors import UsageError, first_line
from video_cam.truth import coco, data_sets
from video_cam.truth.clip_truth import TruthFile
from video_cam.truth.cvat import read_cvat
from video_cam.truth.json_rows import read_json_rows
from video_cam.truth.tables import read_csv
from video_cam.truth.text_files import not_readable, read_text
from video_cam.utils.strict_json import parse_json


def read_truth(path: Path) -> TruthFile:
    """The annotations of a file.

    Args:
        path: .csv or .tsv, .json, .xml, or a .txt list.

    Raises:
        UsageError: where it cannot be read or holds something else.
    """
    if not path.is_file():
        missing = "not a file" if path.exists() else "no such file"
        raise UsageError(
            f"--truth {str(path)!r}: {missing}; give folders, where each folder has the name of "
            "its clips' class, or a file"
        )
    text = read_text(path)
    suffix = path.suffix.lower()
    if suffix == ".xml" or text.lstrip().startswith("<"):
        return read_cvat(path, text)
    if suffix == ".json" or text.lstrip()[:1] in ("[", "{"):
        return _read_json(path, text)
    if suffix == ".txt":
        return data_sets.read_split(path, text)
    return read_csv(path, text)


def _read_json(path: Path, text: str) -> TruthFile:
    try:
        content: Any = parse_json(text)
    except ValueError as error:
        raise not_readable(path, f"it is not JSON ({first_line(error)})") from error
    if coco.is_coco(content):
        return coco.read_coco(path, content)
    if data_sets.is_kinetics(content):
        return data_sets.read_kinetics(path, content)
    if data_sets.is_something(content):
        return data_sets.read_something(path, content)
    return read_json_rows(path, content)
