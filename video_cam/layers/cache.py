"""A cache for facts about a network that take forward passes to find: in memory and on disk.

The folder on disk is ``VIDEO_CAM_CACHE``, by default ``~/.cache/video_cam``: a few kilobytes for
each network, choice of layers and input size. A file that cannot be read or written is ignored; one
that is damaged or belongs to another network is written again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from torch import nn

from video_cam.layers.weights_digest import digest_of_weights
from video_cam.utils.files import read_regular, write_atomically
from video_cam.utils.strict_json import parse_json
from video_cam.utils.version import __version__

FORMAT = 4  # to be raised whenever the same network would be described differently
FOLDER_VARIABLE = "VIDEO_CAM_CACHE"
MAX_FILE_BYTES = 64 * 2**20
Value = TypeVar("Value")

_log = logging.getLogger(__name__)

# Network -> key -> (state of the network, value). Only the latest state is kept: in a training loop
# every step has a new one.
_in_memory: WeakKeyDictionary[nn.Module, dict[Hashable, tuple[Hashable, Any]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Fact(Generic[Value]):
    """A kind of fact about a network.

    Attributes:
        kind: its name in keys and file names.
        uses_weights: whether it changes with the network's parameters and buffers, or with its
            modules and shapes alone.
        to_json, from_json: convert a value to and from JSON's types; ``from_json`` also receives
            the network, and raises ValueError for what ``to_json`` cannot have returned for it.
    """

    kind: str
    uses_weights: bool
    to_json: Callable[[Value], Any]
    from_json: Callable[[nn.Module, Any], Value]


def learned(
    fact: Fact[Value],
    model: nn.Module,
    key: Sequence[Hashable],
    find: Callable[[], Value],
    identity: str = "",
) -> Value:
    """The result of ``find``, or its earlier result for the same network and key.

    Args:
        fact: the kind of fact.
        model: the network; ``find`` is called again when its modules are exchanged and, if the
            fact uses weights, when its parameters or buffers change.
        key: what else the result depends on, in JSON's types.
        find: finds the value.
        identity: the same text for the same network code in every process. Only values of networks
            that have one are kept on disk.
    """
    found = partial(_from_disk, fact, model, key, find, identity) if identity else find
    return remembered(fact.kind, model, key, found, uses_weights=fact.uses_weights)


def remembered(
    kind: str,
    model: nn.Module,
    key: Sequence[Hashable],
    find: Callable[[], Value],
    *,
    uses_weights: bool,
) -> Value:
    """``learned`` for values that are kept in memory only.

    Args:
        kind: what the values are.
        model, key, find: as in ``learned``; ``key`` may hold more than JSON's types, and nothing of
            the network, which is forgotten with its values.
        uses_weights: as in ``Fact``.
    """
    entries = _in_memory.setdefault(model, {})
    entry_key, state = (kind, *key), _state(model, uses_weights)
    if entry_key not in entries or entries[entry_key][0] != state:
        entries[entry_key] = state, find()
    value: Value = entries[entry_key][1]
    return value


def _state(model: nn.Module, with_weights: bool) -> Hashable:
    """A value that changes within this process whenever the network does."""
    modules = tuple(map(id, model.modules()))
    if not with_weights:
        return modules
    # Tensors made in inference mode have no version, and cannot be trained.
    tensors = chain(model.parameters(), model.buffers())
    return modules, tuple((id(t), 0 if t.is_inference() else t._version) for t in tensors)


def _from_disk(
    fact: Fact[Value],
    model: nn.Module,
    key: Sequence[Hashable],
    find: Callable[[], Value],
    identity: str,
) -> Value:
    weights = digest_of_weights(model) if fact.uses_weights else ""
    names = [FORMAT, identity, weights, *_structure(model), *key]
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:32]
    folder = _folder()
    if folder is None:
        return find()
    path = folder / f"{fact.kind}-{digest}.json"
    with suppress(OSError):
        data = read_regular(path, MAX_FILE_BYTES)
        try:
            return fact.from_json(model, _unsealed(path.name, data))
        except ValueError as error:
            _log.warning("%s is damaged (%s): it is written again", path, error)
    found = find()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, sealed(path.name, fact.to_json(found)))
    return found


def sealed(name: str, content: Any) -> bytes:
    """The bytes of a cache file: its content, and a digest that recognises damage.

    Args:
        name: of the file, which is part of the digest: the file is of no use under another name.
        content: of JSON's types.
    """
    return json.dumps({"sha256": _digest(name, content), "content": content}).encode()


def _unsealed(name: str, data: bytes) -> Any:
    """The content of a cache file. Raises ValueError for other bytes than ``sealed`` returned."""
    file = parse_json(data)
    if not isinstance(file, dict) or set(file) != {"sha256", "content"}:
        raise ValueError("it holds something else")
    if file["sha256"] != _digest(name, file["content"]):
        raise ValueError("its digest is another one")
    return file["content"]


def _digest(name: str, content: Any) -> str:
    """Of numbers and text as JSON writes them, which is the same after reading them again."""
    try:
        return hashlib.sha256(json.dumps([name, content]).encode()).hexdigest()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _folder() -> Path | None:
    """The folder of the cache; None for a user without a home folder, as in some containers."""
    try:
        return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "video_cam")
    except RuntimeError:
        return None


def _structure(model: nn.Module) -> list[str]:
    """The modules, the parameters' shapes, and the versions of the packages with their code."""
    packages = {type(part).__module__.split(".")[0] for part in model.modules()}
    shapes = [f"{name} {tuple(p.shape)} {p.dtype}" for name, p in model.named_parameters()]
    return [repr(model), *shapes, *map(_version, sorted(packages | {"torch"}))]


def _version(package: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return f"{package} {metadata.version(package)}"
    return f"{package} of {__version__}"  # the project's own packages
