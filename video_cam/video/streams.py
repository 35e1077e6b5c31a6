"""Which of a file's streams is the clip's picture."""

from __future__ import annotations

from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from video_cam.errors import ClipError, UsageError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path


def moving_streams(container: InputContainer) -> list[VideoStream]:
    """The file's video streams without cover pictures, in the file's order."""
    return [stream for stream in container.streams.video if not is_cover(stream)]


def chosen_stream(container: InputContainer, path: StrPath, number: int | None) -> VideoStream:
    """One of ``moving_streams``.

    Args:
        number: counts them from 0; None for the one that FFmpeg takes for the best.

    Raises:
        ClipError: where there is none. UsageError: where there is no stream of this number.
    """
    best, moving = container.streams.best("video"), moving_streams(container)
    if not moving:
        kind = "only audio" if container.streams.audio else "no video stream"
        raise ClipError(f"{printable_path(path)}: {kind}; a clip needs moving pictures")
    if number is None:
        return best if isinstance(best, VideoStream) and best in moving else moving[0]
    if not 0 <= number < len(moving):
        known = ", ".join(f"{i} ({_described(stream)})" for i, stream in enumerate(moving))
        raise UsageError(f"{printable_path(path)}: no video stream {number}; there is {known}")
    return moving[number]


def is_cover(stream: Stream) -> bool:
    """Whether the stream is a picture beside the clip, such as the cover of an album."""
    return bool(stream.disposition & Disposition.attached_pic)


def _described(stream: VideoStream) -> str:
    context = stream.codec_context
    return "unknown codec" if context is None else f"{context.name} {stream.width}x{stream.height}"
