"""A clip, opened once: what it is, when its frames are shown, and the frames themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from video_cam.config import LimitsConfig
from video_cam.errors import UsageError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path
from video_cam.video.color import RGBImage
from video_cam.video.levels import of_bit_depth
from video_cam.video.limits import DEFAULT_LIMITS
from video_cam.video.memory import FASTEST, Buffers, budget_bytes, reading_buffers
from video_cam.video.reader import FrameReader
from video_cam.video.scan import ClipInfo, probe, read_all
from video_cam.video.timeline import Timeline


@dataclass(frozen=True)
class Clip:
    """A video, animation, array, DICOM file, still or folder of images, its header and times read.

        clip = Clip.open("v.mp4")
        with clip.frames(100, 200) as frames:
            for frame in frames:
                frame.rgb()

    A Clip holds no open file and can be pickled; every iteration over ``frames`` opens the file.

    Attributes:
        info: sizes in upright pixels, frame rate, sound, whether it is a still.
        timeline: time stamps of all frames, in presentation order.
        limits: how much the file may ask for.
        buffers: how many pictures are worked on at the same time.
        memory_budget: bytes that the pictures may take, found when the clip was opened.
        can_seek: False where the decoder gives other frames than the packets announce, or where
            time stamps jump, so that frames can only be counted from the beginning.
    """

    info: ClipInfo
    timeline: Timeline
    limits: LimitsConfig = DEFAULT_LIMITS
    can_seek: bool = True
    buffers: Buffers = FASTEST
    memory_budget: float = math.inf

    @classmethod
    def open(
        cls,
        path: StrPath,
        limits: LimitsConfig | None = None,
        bit_depth: int | None = None,
        video_stream: int | None = None,
    ) -> Clip:
        """Read what the clip is; see ``probe``, which decodes one frame as a rule.

        Args:
            path: a file, a folder of numbered images, or their name with %d.
            limits: None for the default ones.
            bit_depth: of the data in pictures of more than 8 bits; None to find it.
            video_stream: which of the file's video streams, from 0; None for FFmpeg's choice.

        Raises:
            ClipError: for a path that is no clip, or one beyond the limits, the memory among them.
            UsageError: where the file has no such stream.
        """
        limits = limits or DEFAULT_LIMITS
        levels = None if bit_depth is None else of_bit_depth(bit_depth)
        info, timeline = probe(path, limits, levels, video_stream)
        budget = budget_bytes(limits)
        buffers = reading_buffers(info.path, info.pictures, budget)
        # Seeking leads to stamps as they are in the file, not to joined ones.
        can_seek = not info.num_jumps
        return cls(info, timeline, limits, can_seek, buffers, budget)

    @property
    def path(self) -> str:
        """Where the clip is, as it was given."""
        return self.info.path

    def frames(self, start_index: int = 0, stop_index: int | None = None) -> FrameReader:
        """A reader of the frames [start_index, stop_index), which seeks where it can."""
        known = self.timeline if self.can_seek else None
        return FrameReader(
            self.path,
            start_index,
            stop_index,
            known,
            self.limits,
            self.buffers.decoder_threads,
            self.info.levels,
            self.info.video_stream,
        )

    def frames_at(self, frame_indices: Sequence[int]) -> dict[int, RGBImage]:
        """The pixels of single frames from one reading, which seeks to the first of them.

        Args:
            frame_indices: source frame indices, in any order.

        Returns:
            Frame index -> uint8 (H, W, 3) RGB, in rising order of the indices.

        Raises:
            UsageError: if the clip has no such frame.
        """
        wanted = set(frame_indices)
        if not wanted:
            return {}
        with self.frames(min(wanted), max(wanted) + 1) as reader:
            pictures = {frame.index: frame.rgb() for frame in reader if frame.index in wanted}
        if missing := wanted - set(pictures):
            raise UsageError(
                f"{printable_path(self.path)}: there is no frame {min(missing)}; the clip has "
                f"{self.timeline.num_frames} frames, counted from 0"
            )
        return pictures

    def decoded(self) -> Clip:
        """The same clip with the time stamps of the frames that really decode.

        Damaged and unusual files hold other frames than their packets announce. All frames are
        decoded once, without converting their pixels. Frames before the first one that decodes
        are no longer counted as declared: the clip was cut between a key frame and them.
        """
        threads, number = self.buffers.decoder_threads, self.info.video_stream
        reader = read_all(self.path, self.limits, threads, number)
        info, declared = self.info, self.info.declared_frames
        if declared is not None:
            info = replace(info, declared_frames=declared - reader.num_leading)
        return replace(self, info=info, timeline=reader.timeline, can_seek=False)
