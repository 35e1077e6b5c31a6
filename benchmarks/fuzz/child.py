"""The process that reads damaged files: little memory, and a time limit for each file.

    python -m benchmarks.fuzz.child MODULE SECONDS

MODULE has the targets. Each line on stdin is ``TARGET PATH``; the answer on stdout is one line:

    ready                   before the first answer: everything is imported
    read                    the parser returned something
    refused                 it raised an error of this project with a message of one line
    fault <description>     it raised something else
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from video_cam.errors import VideoCamError

MEMORY = 4 << 30  # bytes of address space, on top of what the imports take


def answer(target: Any, path: Path) -> str:
    """How reading the file ended."""
    try:
        target.read(path)
    except VideoCamError as error:
        message = str(error)
        if len(message.splitlines()) == 1:
            return "refused"
        return f"fault {type(error).__name__} whose message is not one line: {message}"
    except Exception as error:  # whatever a parser raises beyond that is the fault looked for
        return f"fault {_where(error)}{type(error).__name__}: {error}"
    return "read"


def _where(error: BaseException) -> str:
    """The place in this project that raised, or called what raised."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "video_cam" in Path(code.co_filename).parts:
            place = f"{Path(code.co_filename).name}:{trace.tb_lineno} "
        trace = trace.tb_next
    return place


def main() -> None:
    """Answer every line on stdin."""
    # The parsers' libraries may print: what they print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", errors="backslashreplace")
    os.dup2(2, 1)
    targets = importlib.import_module(sys.argv[1]).TARGETS
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        name, _, path = line.rstrip("\n").partition(" ")
        signal.alarm(int(sys.argv[2]))  # there is no handler: a hang ends the process
        text = answer(targets[name], Path(path))
        signal.alarm(0)
        print(" ".join(text.split())[:500], file=answers, flush=True)


if __name__ == "__main__":
    main()
