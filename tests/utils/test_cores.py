"""A container's share of the processor counts, not only the machine's cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from video_cam.utils import cores
from video_cam.utils.cores import cgroup_shares, schedulable_cores, usable_cores


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"cpu.{name}").write_text(f"{text}\n")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where groups are mounted, and the file with the process's own."""
    root, own = tmp_path / "cgroup", tmp_path / "own"
    monkeypatch.setattr(cores, "CGROUPS", root)
    monkeypatch.setattr(cores, "OWN_CGROUPS", own)
    return root, own


def test_groups_of_version_2_and_those_above_them_count(folders) -> None:
    root, own = folders
    own.write_text("0::/a/b\n")
    group(root / "a", max="150000 100000")
    group(root / "a" / "b", max="max 100000")
    assert list(cgroup_shares(root, own)) == [1.5]
    group(root / "a" / "b", max="400000 100000")
    assert list(cgroup_shares(root, own)) == [4, 1.5]


def test_groups_of_version_1(folders) -> None:
    root, own = folders
    own.write_text("5:cpu,cpuacct:/a\n4:memory:/b\n")
    group(root / "cpu" / "a", cfs_quota_us="50000", cfs_period_us="100000")
    group(root / "cpu", cfs_quota_us="-1", cfs_period_us="100000")
    assert list(cgroup_shares(root, own)) == [0.5]


def test_the_smaller_of_both_counts(folders, monkeypatch: pytest.MonkeyPatch) -> None:
    root, own = folders
    assert usable_cores() == schedulable_cores() <= (os.cpu_count() or 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_cores() == 8
    own.write_text("0::/\n")
    for quota, expected in (("250000", 3), ("1000", 1), ("9900000", 8)):
        group(root, max=f"{quota} 100000")
        assert usable_cores() == expected
