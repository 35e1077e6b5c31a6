"""``python -m video_cam``: the command."""

import sys

from video_cam.cli.main import run_process

if __name__ == "__main__":
    sys.exit(run_process())
