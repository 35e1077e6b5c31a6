"""FFmpeg's own log messages, for debugging."""

from __future__ import annotations

from av import logging as ffmpeg


def show_ffmpeg_log() -> None:
    """Let FFmpeg write its messages to stderr itself.

    Through Python's logging its threads would have to wait for the interpreter's lock.
    """
    ffmpeg.restore_default_callback()
