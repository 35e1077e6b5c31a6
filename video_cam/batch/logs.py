"""The package's log on stderr, in the command's process and in workers alike."""

from __future__ import annotations

import logging
from typing import Any

from video_cam.utils.text import for_terminal


def set_up_logging(level: str) -> None:
    """Write the package's log to stderr.

    Args:
        level: the lowest level that is written, of run_config.LOG_LEVELS. "debug" also shows the
            messages of FFmpeg.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("video_cam")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    if level == "debug":
        from video_cam.video.ffmpeg_log import show_ffmpeg_log

        show_ffmpeg_log()


class _Formatter(logging.Formatter):
    """Writes names from files as data: no terminal escapes, a message on one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line of a record without its traceback."""
        return for_terminal(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """The lines of a traceback."""
        return "\n".join(map(for_terminal, super().formatException(ei).split("\n")))
