"""The name by which the command was called."""

from __future__ import annotations

import sys
from pathlib import Path

_NAMES = {"__main__.py": "python -m video_cam", "video-cam": "video-cam"}


def program_name() -> str:
    """The command as it was typed, for usage texts."""
    return _NAMES.get(Path(sys.argv[0]).name, "run_video_cam.py")
