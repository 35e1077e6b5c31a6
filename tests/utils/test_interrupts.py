"""The first interrupt cleans up, a second one is silent, and a process in its start holds them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.support.command import ROOT

CLEANING = """
import time
from video_cam.utils import interrupts

interrupts.SECONDS_TO_CLEAN_UP = {seconds}
interrupts.handle_interrupts()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("cleaning", flush=True)
    time.sleep({cleaning})
    print("clean", flush=True)
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test suite in the background may have been started with interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_does_not_break_off_the_cleaning_up(second: signal.Signals) -> None:
    process = start(CLEANING.format(seconds=10, cleaning=0.2))
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "cleaning\n"
    process.send_signal(second)
    assert process.communicate(timeout=30) == ("clean\n", "")
    assert process.returncode == 0


def test_an_interrupt_ends_a_process_that_cleans_up_for_too_long() -> None:
    process = start(CLEANING.format(seconds=0.05, cleaning=60))
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "cleaning\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == -signal.SIGINT


HELD_BACK = """
import signal, subprocess, sys
from video_cam.utils.interrupts import handle_interrupts, interrupts_held_back

if len(sys.argv) > 1:
    print("started", flush=True)
    sys.stdin.readline()
    try:
        handle_interrupts()
    except KeyboardInterrupt:
        print("interrupted")
    sys.exit()
with interrupts_held_back():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "-c", sys.argv_code, "child"], **pipes)
print(child.stdout.readline(), end="")
child.send_signal(signal.SIGINT)
print(child.communicate("go on\\n", timeout=30)[0], end="")
"""


def test_a_process_receives_interrupts_when_it_can_handle_them() -> None:
    code = HELD_BACK.replace("sys.argv_code", repr(HELD_BACK))
    assert start(code).communicate(timeout=60) == ("started\ninterrupted\n", "")


def test_interrupts_that_are_ignored_stay_ignored() -> None:
    code = (
        "import os, signal\nfrom video_cam.utils.interrupts import handle_interrupts\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nhandle_interrupts()\n"
        "os.kill(os.getpid(), signal.SIGINT)\nprint('still here')"
    )
    assert start(code).communicate(timeout=60) == ("still here\n", "")
