"""Whether a browser that plays a copy of a clip shows what the clip shows.

A copy made of the clip's own packets is believed only after this proof. Its cost: the copy is
decoded once, without converting its colours; of the source the key frames are decoded, and a few
frames of both are compared pixel by pixel. Why a few suffice: the packets are the source's, so they
decode to the same pictures in the same order as the source does; the whole copy shows that they
decode without errors, in the order of their stamps, and with one set of tags; the key frames of the
source show that it has one set of tags, too; so the colours of one frame are those of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from video_cam.config import LimitsConfig
from video_cam.video.clip import Clip
from video_cam.video.container import open_video
from video_cam.video.orientation import orientation_of, upright_size
from video_cam.video.pixels import video_pixels
from video_cam.video.reader import Frame
from video_cam.video.scan import sample_aspect_ratio

COMPARED_FRAMES = 4


def shows_the_same(path: Path, clip: Clip, span: tuple[int, int], start: Fraction) -> bool:
    """Whether the copy shows every frame of the span at its time, upright, with its colours.

    Args:
        path: of the copy, which is made of the clip's packets.
        clip: the source.
        span: the source frames [first, stop) that must be in it.
        start: the source's time that is 0 in the copy.

    Raises:
        ClipError: where the copy cannot be read.
    """
    wanted = [clip.timeline.pts_seconds(i) - start for i in range(*span)]
    with clip.frames(span[0], span[0] + COMPARED_FRAMES) as first_frames:
        shown = _shown(path, clip, wanted[0], iter(first_frames))
    is_whole = span == (0, clip.timeline.num_frames)
    return (
        shown is not None
        and shown.shape == (clip.info.width, clip.info.height, clip.info.sample_aspect_ratio)
        and shown.stamps[0] == 0
        and (shown.stamps == wanted if is_whole else set(shown.stamps).issuperset(wanted))
        and _durations_fit(path, wanted[-1], clip.limits)
        and _has_one_set_of_tags(clip)
    )


@dataclass(frozen=True)
class _Shown:
    """What a copy shows.

    Attributes:
        shape: (width, height, sample aspect ratio), upright.
        stamps: of all frames, in the order in which they leave the decoder.
    """

    shape: tuple[int, int, Fraction]
    stamps: list[Fraction]


def _shown(
    path: Path, clip: Clip, first_seconds: Fraction, first_frames: Iterator[Frame]
) -> _Shown | None:
    """Decode the whole copy.

    None where a frame has no stamp or one that is not after the one before, where one has errors
    or is interlaced, where size, format or tags change, or where pixels are not those of the clip.

    Args:
        path: of the copy.
        clip: says how much the file may ask for, and how many threads decode it.
        first_seconds: when the first of these frames is shown in the copy.
        first_frames: of the clip, whose pixels are compared with those of the copy.
    """
    stamps: list[Fraction] = []
    kinds = set()
    with open_video(path, clip.limits, num_threads=clip.buffers.decoder_threads) as video:
        for frame in video.frames():
            if frame.pts is None or video.is_corrupt(frame):
                return None
            if not stamps:
                orientation, (width, height) = orientation_of(frame), upright_size(frame)
                shape = (width, height, sample_aspect_ratio(video.stream, frame))
            stamps.append(frame.pts * video.time_base)
            kinds.add(_kind(frame))
            expected = next(first_frames, None) if stamps[-1] >= first_seconds else None
            if expected is not None:
                pixels = video_pixels(frame, orientation, (width, height), None, path)
                if not np.array_equal(expected.rgb(), pixels):
                    return None
        # Browsers do not deinterlace.
        is_as_shown = video.num_damaged == 0 and video.deinterlacer.first_pts is None
    is_rising = all(before < after for before, after in pairwise(stamps))
    if not stamps or not is_rising or not is_as_shown or len(kinds) > 1:
        return None
    return _Shown(shape, stamps)


def _kind(frame: VideoFrame) -> tuple[object, ...]:
    tags = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    return (frame.width, frame.height, frame.format.name, *tags)


def _has_one_set_of_tags(clip: Clip) -> bool:
    """Whether size, format and tags are the same in all key frames: others cannot change them."""
    stream = clip.info.video_stream
    with open_video(clip.path, clip.limits, num_threads=1, video_stream=stream) as video:
        video.stream.codec_context.skip_frame = "NONKEY"
        # Not ``video.frames``, which decodes a stream again that gives fewer frames than packets.
        kinds = {
            _kind(frame)
            for packet in chain(video.packets(), [None])
            for frame in video.decode(packet)
        }
    return len(kinds) == 1


def _durations_fit(path: Path, last_seconds: Fraction, limits: LimitsConfig) -> bool:
    """Whether each packet's duration, up to the last frame's, is the time to the next frame.

    Browsers rely on the durations when they seek, and show a wrong frame if they are wrong: an
    mp4 stores the time between decoding stamps, which differs for B-frames with uneven stamps.
    Where a duration is missing browsers take the mean.
    """
    with open_video(path, limits, num_threads=1) as video:
        last = round(last_seconds / video.time_base) + video.zero_ticks
        packets = [
            (packet.pts, packet.duration or 0)
            for packet in video.packets()
            if packet.pts is not None and packet.pts <= last
        ]
    stamps, durations = np.array(sorted(packets)).T
    gaps = np.diff(stamps)
    assumed = np.where(durations[:-1] > 0, durations[:-1], gaps.mean() if gaps.size else 0)
    return bool((np.abs(assumed - gaps) <= np.maximum(gaps / 4, 1)).all())
