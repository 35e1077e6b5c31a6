"""``python -m video_cam.benchmark``: are the maps right? The code is in ``benchmarks/truth``."""

import sys

if __name__ == "__main__":
    try:
        from benchmarks.truth.command import main
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("benchmarks"):
            raise
        sys.exit("error: the benchmark is part of the source tree: run it in a checkout")
    sys.exit(main())
