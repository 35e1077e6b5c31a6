"""The control groups of Linux that this process is in: limits of containers and services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def groups(controller: str, root: Path, own: Path) -> Iterator[tuple[Path, int]]:
    """The folders of the process's groups and of those above them, with their version, 1 or 2.

    A limit holds for the group and for all groups below it. The folders need not exist.

    Args:
        controller: such as "memory" or "cpu".
        root: where the groups are mounted, version 1 or 2.
        own: lines such as "0::/a/b" (version 2) or "4:memory:/a/b" (version 1).
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, version = root, 2
        elif controller in controllers.split(","):
            top, version = root / controller, 1
        else:
            continue
        folder = top / path.lstrip("/")
        # In a container the path is often that outside of it; its own group is then the root.
        for group in (folder, *folder.parents):
            yield group, version
            if group == top:
                break
