"""Which of a file's streams is the clip's picture."""

from __future__ import annotations

from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from video_cam.errors import ClipError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path


def best_stream(container: InputContainer, path: StrPath) -> VideoStream:
    """The stream that the ffmpeg command would take: the best one that is no cover picture.

    Raises:
        ClipError: where there is none.
    """
    best = container.streams.best("video")
    moving = [s for s in container.streams.video if not is_cover(s)]
    if not moving:
        kind = "only audio" if container.streams.audio else "no video stream"
        raise ClipError(f"{printable_path(path)}: {kind}; a clip needs moving pictures")
    return best if isinstance(best, VideoStream) and best in moving else moving[0]


def is_cover(stream: Stream) -> bool:
    """Whether the stream is a picture beside the clip, such as the cover of an album."""
    return bool(stream.disposition & Disposition.attached_pic)
