"""Makes opening a video hang, crash or worse where the file's name says so.

Python imports a module of this name when it starts and PYTHONPATH contains its folder.
"""

import os
import signal
import time
from pathlib import Path

import av

_open = av.open


def _faulty_open(file, *arguments, **options):
    name = Path(str(file)).name
    tried = Path(str(file).removeprefix("file:") + ".tried")
    if "hangs" in name:
        time.sleep(1000)
    if "crashes" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "dies once" in name and not tried.exists():
        tried.touch()
        # The actor that started this worker, or the worker itself.
        os.kill(os.getppid() if "actor" in name else os.getpid(), signal.SIGKILL)
    return _open(file, *arguments, **options)


av.open = _faulty_open
