"""Parsers with planted faults, for the test of the fuzzer."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.fuzz.structure_damage import damaged_json
from benchmarks.fuzz.target import Target
from video_cam import UsageError

SEED = '{"clip": "a.mp4", "numbers": [1, 2]}'


def _write(folder: Path) -> None:
    (folder / "seed.json").write_text(SEED)


def _is_damaged(path: Path) -> bool:
    return path.read_text(errors="replace") != SEED


def _traceback(path: Path) -> None:
    if _is_damaged(path):
        raise KeyError("planted")


def _crash(path: Path) -> None:
    if _is_damaged(path):
        os.abort()


def _hang(path: Path) -> None:
    if _is_damaged(path):
        time.sleep(60)


def _memory(path: Path) -> None:
    if _is_damaged(path):
        bytearray(16 << 30)


def _many_lines(path: Path) -> None:
    if _is_damaged(path):
        raise UsageError("a line\nand another")


def _correct(path: Path) -> None:
    print("read\n")  # no answer: it goes to another stream
    if _is_damaged(path):
        raise UsageError("damaged")


TARGETS = {
    read.__name__: Target(_write, read, {".json": damaged_json})
    for read in (_traceback, _crash, _hang, _memory, _many_lines, _correct)
}
