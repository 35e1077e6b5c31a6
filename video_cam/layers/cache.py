"""What was learned of a network, so that it need not be learned again: in memory, and on disk.

On disk it lies in ``VIDEO_CAM_CACHE``, by default ``~/.cache/video_cam``: a few kilobytes for each
network, choice of layers and input size. A file that cannot be read or written there is ignored.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from torch import nn

from video_cam.layers.weights_digest import digest_of_weights
from video_cam.utils.files import write_atomically
from video_cam.utils.version import __version__

FORMAT = 2  # to be raised whenever the same network would be described differently
FOLDER_VARIABLE = "VIDEO_CAM_CACHE"
Found = TypeVar("Found")

_in_memory: WeakKeyDictionary[nn.Module, dict[Hashable, Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Fact(Generic[Found]):
    """A kind of knowledge about a network.

    Attributes:
        kind: names the knowledge in keys and file names.
        uses_weights: whether it changes with the network's parameters and buffers, or with its
            modules and shapes alone.
        to_json, from_json: between what is found and JSON's types; ``from_json`` gets the network,
            too, and may raise ValueError, TypeError, KeyError or AttributeError.
    """

    kind: str
    uses_weights: bool
    to_json: Callable[[Found], Any]
    from_json: Callable[[nn.Module, Any], Found]


def learned(
    fact: Fact[Found],
    model: nn.Module,
    key: Sequence[Hashable],
    find: Callable[[], Found],
    identity: str = "",
) -> Found:
    """What ``find`` finds out, or what it found before for the same network and key.

    Args:
        model: the network; it is looked at anew when its modules are exchanged and, if the fact
            uses weights, when its parameters change.
        key: what else the answer depends on, in JSON's types.
        find: finds it out.
        identity: the same text for the same network code in every process. The answer is kept on
            disk only where there is one.
    """
    known = _in_memory.setdefault(model, {})
    slot = (fact.kind, *key, _state(model, fact.uses_weights))
    if slot not in known:
        known[slot] = _from_disk(fact, model, key, find, identity) if identity else find()
    return known[slot]


def _state(model: nn.Module, with_weights: bool) -> Hashable:
    """Changes within this process whenever the network does."""
    modules = tuple(map(id, model.modules()))
    if not with_weights:
        return modules
    # Tensors made in inference mode have no version, and cannot be trained.
    versions = ((id(p), 0 if p.is_inference() else p._version) for p in model.parameters())
    return modules, tuple(versions)


def _from_disk(
    fact: Fact[Found],
    model: nn.Module,
    key: Sequence[Hashable],
    find: Callable[[], Found],
    identity: str,
) -> Found:
    weights = digest_of_weights(model) if fact.uses_weights else ""
    names = [FORMAT, identity, weights, *_structure(model), *key]
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:32]
    folder = _folder()
    if folder is None:
        return find()
    path = folder / f"{fact.kind}-{digest}.json"
    with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        return fact.from_json(model, json.loads(path.read_text(encoding="utf-8")))
    found = find()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(fact.to_json(found)).encode())
    return found


def _folder() -> Path | None:
    """Where files are kept; None for a user without a home, as in some containers."""
    try:
        return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "video_cam")
    except RuntimeError:
        return None


def _structure(model: nn.Module) -> list[str]:
    """The modules, their shapes, and the versions of the packages whose code they run."""
    packages = {type(part).__module__.split(".")[0] for part in model.modules()}
    shapes = [f"{name} {tuple(p.shape)} {p.dtype}" for name, p in model.named_parameters()]
    return [repr(model), *shapes, *map(_version, sorted(packages | {"torch"}))]


def _version(package: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return f"{package} {metadata.version(package)}"
    return f"{package} of {__version__}"  # the project's own packages
