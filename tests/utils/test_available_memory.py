"""The limits of control groups and of the shell count, not only the machine's memory."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests.support.command import ROOT
from video_cam.utils import available_memory
from video_cam.utils.available_memory import available_bytes, cgroup_free_bytes, resident_bytes

MEGA = 2**20


def group(folder: Path, names: tuple[str, str, str], limit: str, used: int, droppable: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {droppable}\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def test_groups_of_version_2_and_those_above_them_count(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    group(root / "a" / "b", V2, "max", 700, 0)
    group(root / "a", V2, "1000", 700, 50)
    own.write_text("0::/a/b\n")
    assert list(cgroup_free_bytes(root, own)) == [350]
    group(root / "a" / "b", V2, "600", 500, 0)
    assert list(cgroup_free_bytes(root, own)) == [100, 350]


def test_groups_of_version_1(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    group(root / "memory" / "a", V1, "1000", 700, 20)
    own.write_text("5:cpu,cpuacct:/a\n4:hugetlb,memory:/a\n1:name=systemd:/x\n")
    assert list(cgroup_free_bytes(root, own)) == [320]


def test_in_a_container_the_root_is_the_own_group(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    group(root, V2, "1000", 700, 0)
    own.write_text("0::/outside/of/it\n")
    assert list(cgroup_free_bytes(root, own)) == [300]


def test_no_groups(tmp_path: Path) -> None:
    assert list(cgroup_free_bytes(tmp_path, tmp_path / "missing")) == []
    (tmp_path / "own").write_text("0::/\n")
    assert list(cgroup_free_bytes(tmp_path, tmp_path / "own")) == []


def test_the_smallest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = SimpleNamespace(available=900 * MEGA)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)
    free: list[int] = []
    monkeypatch.setattr(available_memory, "cgroup_free_bytes", lambda root, own: iter(free))
    assert available_bytes() == 900 * MEGA
    free.append(300 * MEGA)
    assert available_bytes() == 300 * MEGA
    free.append(-1)  # a group may use more than a limit that was lowered
    assert available_bytes() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_the_limit_of_the_shell_counts() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "from video_cam.utils.available_memory import available_bytes; print(available_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 0.5 * 2**30 < int(done.stdout) < 2**30


def test_what_this_process_takes() -> None:
    before = resident_bytes()
    # Not a bytearray: that may be put where memory was freed before.
    with mmap.mmap(-1, 100 * MEGA) as taken:
        for page in range(0, len(taken), mmap.PAGESIZE):
            taken[page] = 1
        assert 90 * MEGA < resident_bytes() - before < 250 * MEGA
