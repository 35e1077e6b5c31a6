"""A process that keeps freed memory causes hardly any page faults when it allocates again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.support.command import ROOT

PROGRAM = """
import resource
import torch
from video_cam.utils.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**24)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = [faults()]
keep_freed_memory()
faults()
print(*found, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_freed_memory_is_reused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True
    )
    before, after = map(int, done.stdout.split())
    assert after < before / 10
