"""``python -m video_cam.compare``: two or more runs side by side."""

import sys

from video_cam.cli.compare import main

if __name__ == "__main__":
    sys.exit(main())
