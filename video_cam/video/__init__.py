"""The only place that knows PyAV: probe a clip, read its frames with their stamps, write a video.

    info, timeline = probe(path)            # sizes, rate, stamps; hardly decodes anything
    with FrameReader(path) as reader:       # upright RGB frames, converted when asked for
        with VideoWriter(out, info.width, info.height, ...) as writer:
            for frame in reader:
                writer.write(frame.rgb(), frame.pts, timeline.duration_ticks(frame.index))

Time 0 is the container's start, as the ffmpeg command has it: the earliest start of sound or
picture, so a plain mp4 keeps its own stamps. A still image shows for 1/25 s; the images of a
folder of numbered ones follow one another at 25 per second.
"""

from video_cam.video.clean_copy import CleanCopy
from video_cam.video.reader import Frame, FrameReader, read_frames
from video_cam.video.scan import ClipInfo, decoded_timeline, probe
from video_cam.video.source import checked_path, named
from video_cam.video.still import IMAGE_SUFFIXES, is_frame_folder
from video_cam.video.timeline import STILL_SECONDS, Timeline
from video_cam.video.writer import VideoWriter

__all__ = [
    "IMAGE_SUFFIXES",
    "STILL_SECONDS",
    "CleanCopy",
    "ClipInfo",
    "Frame",
    "FrameReader",
    "Timeline",
    "VideoWriter",
    "checked_path",
    "decoded_timeline",
    "is_frame_folder",
    "named",
    "probe",
    "read_frames",
]
