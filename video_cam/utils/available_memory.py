"""How much memory this process may still take: the machine's, a container's, the shell's limit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from video_cam.utils.control_groups import CGROUPS, OWN_CGROUPS, groups

# Version of a control group -> names of its files: limit, use, and the field of memory.stat that
# counts file contents which the kernel drops when memory is needed.
_NAMES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def available_bytes() -> int:
    """Bytes that this process can take before something on the machine runs out of memory."""
    free = [psutil.virtual_memory().available, *cgroup_free_bytes(CGROUPS, OWN_CGROUPS)]
    if (address_space := _address_space_bytes()) is not None:
        free.append(address_space)
    return max(min(free), 0)


def resident_bytes() -> int:
    """Bytes of memory that this process takes now."""
    return int(psutil.Process().memory_info().rss)


def cgroup_free_bytes(root: Path, own: Path) -> Iterator[int]:
    """What each limited control group that the process is in has left; nothing without limits.

    Args:
        root: as in ``control_groups.groups``.
        own: as in ``control_groups.groups``.
    """
    for group, version in groups("memory", root, own):
        if (free := _free_bytes(group, *_NAMES[version])) is not None:
            yield free


def _free_bytes(group: Path, limit: str, usage: str, droppable: str) -> int | None:
    try:
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # there is no such group, or "max", which is no limit
        return None
    return most - used + int(stat.get(droppable, 0))


def _address_space_bytes() -> int | None:
    """What ``ulimit -v`` leaves; None without a limit."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    return int(limit - psutil.Process().memory_info().vms)
