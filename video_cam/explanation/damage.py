"""What of a clip's pictures is damaged or missing: counts, sentences, and ``--strict``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from video_cam.errors import ClipError
from video_cam.explanation.window_result import WindowResult
from video_cam.utils.names import printable_path
from video_cam.video.clip import Clip


@dataclass(frozen=True)
class Damage:
    """Damage that was met where frames of a clip were read; the other frames are not known.

    Attributes:
        missing_frames: how many of the frames that the header announces the file does not give.
        skipped_packets: how many packets could not be decoded.
        corrupt_frames: how many frames were decoded although data of them are wrong or missing,
            as the decoder or the container says. Not all codecs can tell.
        first_corrupt_frame: source index of the first of them, None without any.
        first_corrupt_seconds: its time stamp.
    """

    missing_frames: int = 0
    skipped_packets: int = 0
    corrupt_frames: int = 0
    first_corrupt_frame: int | None = None
    first_corrupt_seconds: float | None = None

    def sentences(self, num_frames: int) -> Iterator[str]:
        """One line on each kind of damage.

        Args:
            num_frames: how many frames the file gives.
        """
        if self.missing_frames:
            declared = num_frames + self.missing_frames
            yield f"decoded {num_frames} of {declared} frames: the file is incomplete"
        if self.skipped_packets:
            yield f"{self.skipped_packets} damaged packets were skipped"
        if self.corrupt_frames:
            place = f"frame {self.first_corrupt_frame} at {self.first_corrupt_seconds:.2f} s"
            yield (
                f"{self.corrupt_frames} corrupt frames, the first is {place}: parts of their "
                "pictures are guessed, also in frames after them up to the next key frame"
                if self.corrupt_frames > 1
                else f"1 corrupt frame, {place}: parts of its picture are guessed, also in frames "
                "after it up to the next key frame"
            )


def damage_of(clip: Clip, results: Sequence[WindowResult]) -> Damage:
    """The damage that was met while the windows of a clip were read.

    Args:
        clip: as it was planned.
        results: of all windows.
    """
    declared, num_frames = clip.info.declared_frames, clip.timeline.num_frames
    corrupt = {index for result in results for index in result.corrupt_frames}
    first = min(corrupt, default=None)
    return Damage(
        missing_frames=max((declared or 0) - num_frames, 0),
        # Each part of a clip counts what it has read.
        skipped_packets=max(result.num_damaged for result in results),
        corrupt_frames=len(corrupt),
        first_corrupt_frame=first,
        first_corrupt_seconds=None if first is None else float(clip.timeline.pts_seconds(first)),
    )


def refuse_damage(clip: Clip, damage: Damage) -> None:
    """Raise ClipError for any damage: what ``--strict`` does."""
    if sentences := list(damage.sentences(clip.timeline.num_frames)):
        raise ClipError(
            f"{printable_path(clip.path)}: {'; '.join(sentences)}; leave out --strict to explain "
            "the clip as it is"
        )


def is_undamaged(summary: dict[str, Any]) -> bool:
    """Whether a summary.json says that no damage was met."""
    damage = summary.get("damage")
    return damage is not None and not any(damage.values())
