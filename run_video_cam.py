"""The command: a clip in, an annotated video out.

    python run_video_cam.py --clip v.mp4 --use-cuda

Its options and what it does with them are in video_cam/cli/.
"""

import sys

from video_cam.cli.main import main, run_process

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(run_process())
