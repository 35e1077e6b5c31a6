"""The package's log on stderr, in the command's process and in workers alike."""

from __future__ import annotations

import logging


def set_up_logging(level: str) -> None:
    """Write the package's log to stderr.

    Args:
        level: the lowest level that is written, of run_config.LOG_LEVELS. "debug" also shows the
            messages of FFmpeg.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("video_cam")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    if level == "debug":
        from video_cam.video.ffmpeg_log import show_ffmpeg_log

        show_ffmpeg_log()
