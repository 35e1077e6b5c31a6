"""Makes the decoder of a process hang, crash or worse for clips whose names say so.

Python runs a module of this name at its start where PYTHONPATH leads to it.
"""

import os
import shutil
import signal
import time
from pathlib import Path

import av

_open = av.open


def _faulty(file, *arguments, **options):
    name = Path(str(file)).name
    tried = Path(str(file).removeprefix("file:") + ".tried")
    if "hangs" in name:
        time.sleep(1000)
    if "crashes" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "dies once" in name and not tried.exists():
        tried.touch()
        # The process whose worker this is, or the worker itself.
        os.kill(os.getppid() if "actor" in name else os.getpid(), signal.SIGKILL)
    if "removes" in name and os.environ.get("REMOVED"):
        shutil.rmtree(os.environ["REMOVED"], ignore_errors=True)
    return _open(file, *arguments, **options)


av.open = _faulty
