"""How many processor cores this process may use: those of its container, not of the machine."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from video_cam.utils.control_groups import CGROUPS, OWN_CGROUPS, groups


def schedulable_cores() -> int:
    """The cores that the process's threads may run on; FFmpeg and x264 start threads for these."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cores() -> int:
    """The cores whose time the process gets: a container may have less than what it can run on."""
    shares = cgroup_shares(CGROUPS, OWN_CGROUPS)
    return min([schedulable_cores(), *(max(math.ceil(share), 1) for share in shares)])


def cgroup_shares(root: Path, own: Path) -> Iterator[float]:
    """The cores' worth of time that each limited control group of the process gets.

    Args:
        root: as in ``control_groups.groups``.
        own: as in ``control_groups.groups``.
    """
    for group, version in groups("cpu", root, own):
        try:
            if version == 2:
                quota, period = map(int, (group / "cpu.max").read_text().split())
            else:
                quota = int((group / "cpu.cfs_quota_us").read_text())
                period = int((group / "cpu.cfs_period_us").read_text())
        except (OSError, ValueError):  # there is no such group, or "max", which is no limit
            continue
        if quota > 0 and period > 0:  # version 1 has -1 for no limit
            yield quota / period
