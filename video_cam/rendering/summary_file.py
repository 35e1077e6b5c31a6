"""summary.json as bytes: written, and read back with a check of everything that later runs use.

It is read before the network is loaded, so nothing here imports PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

import msgspec

from video_cam.utils.notes import Note
from video_cam.utils.strict_json import checked, parse_json
from video_cam.utils.text import json_text

MAX_BYTES = 2**28  # of a summary.json that is read; one of a day of video has a tenth

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class ScoredClass(msgspec.Struct):
    """A prediction or an explained target."""

    class_id: int | None
    label: str
    score: float
    shown: str


class CheckResult(msgspec.Struct):
    """The result of the perturbation check."""

    sentence: str
    drop: float


class TruthResult(msgspec.Struct):
    """How a result compares with the ground truth; of a failed clip the class's name only."""

    name: str | None = None
    label: str | None = None
    rank: Annotated[int, msgspec.Meta(ge=1)] | None = None
    correct: bool | None = None
    num_classes: int | None = None
    measures: dict[str, float | None] | None = None
    digest: str = ""


class MotionTestResult(msgspec.Struct):
    """The result of the motion test."""

    sentence: str
    motion_share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None


class _SanityResult(msgspec.Struct):
    sentence: str


class FrameTestResult(msgspec.Struct):
    """The result of the frame test."""

    sentence: str


class _Clip(msgspec.Struct):
    path: str
    duration_seconds: Annotated[float, msgspec.Meta(ge=0)]

    def __post_init__(self) -> None:
        os.fsencode(self.path)  # raises ValueError for a name that no file can have


class _File(msgspec.Struct):
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Sha256


class _Summary(msgspec.Struct):
    """The entries that are read again. Older versions wrote fewer of them."""

    clip: _Clip | None = None
    clip_id: str | None = None
    fingerprint: str | None = None
    predictions: list[ScoredClass] | None = None
    targets: list[ScoredClass] | None = None
    notes: list[Note] = []
    check: CheckResult | None = None
    sanity: _SanityResult | None = None
    motion_test: MotionTestResult | None = None
    frame_test: FrameTestResult | None = None
    damage: dict[str, int | float | None] | None = None
    contents: dict[str, _File] | None = None
    truth: TruthResult | None = None

    def __post_init__(self) -> None:
        for name in self.contents or ():
            parts = PurePosixPath(name).parts
            is_plain = bool(parts) and name == "/".join(parts) and ".." not in parts
            if not is_plain or "\\" in name or "\0" in name:
                raise ValueError("a name in its contents leaves the folder")


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """The content of summary.json."""
    return f"{json_text(summary, indent=2)}\n".encode()


def parse_summary(data: bytes) -> dict[str, Any]:
    """The content of a summary.json; what a later run uses of it has the expected types.

    Raises:
        ValueError: for other bytes than ``summary_bytes`` returns.
    """
    summary = parse_json(data)
    checked(summary, _Summary)
    result: dict[str, Any] = summary
    return result


def sizes_of_files(summary: Mapping[str, Any]) -> dict[str, int] | None:
    """Relative path -> size in bytes of each file of a finished result.

    None where the summary lacks what a finished result has, as those of older versions do.
    """
    if any(summary.get(name) is None for name in ("clip", "predictions", "targets", "contents")):
        return None
    return {name: file["bytes"] for name, file in summary["contents"].items()}
