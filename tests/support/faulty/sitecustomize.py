"""Makes opening a video hang, crash or worse where the file's name says so.

Python imports a module of this name when it starts and PYTHONPATH contains its folder.
"""

import os
import signal
import sys
import time
from pathlib import Path

import av

_open = av.open


def _is_its_turn(name: str, tried: Path) -> bool:
    """Whether this process runs the stage in which the clip's process is to die."""
    has_network = "video_cam.batch.network" in sys.modules
    opened = tried.with_suffix(".opened")  # a line for each time: who, and with the network?
    before = opened.read_text().split() if opened.exists() else []
    with opened.open("a") as file:
        file.write(f"{'network' if has_network else os.getpid()}\n")
    if "network" in name:
        return has_network
    # The process that draws is another one than that which has read the clip.
    return not ("drawing" in name and (has_network or before[:1] in ([], [str(os.getpid())])))


def _faulty_open(file, *arguments, **options):
    name = Path(str(file)).name
    tried = Path(str(file).removeprefix("file:") + ".tried")
    if "hangs" in name:
        time.sleep(1000)
    if "crashes" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "dies once" in name and _is_its_turn(name, tried) and not tried.exists():
        tried.touch()
        # The actor that started this worker, or the worker itself.
        os.kill(os.getppid() if "actor" in name else os.getpid(), signal.SIGKILL)
    return _open(file, *arguments, **options)


av.open = _faulty_open
