"""What was learned of a network, kept on disk, so that the next command need not learn it again.

In ``VIDEO_CAM_CACHE``, by default ``~/.cache/video_cam``: a few kilobytes for each network, choice
of layers and input size. What cannot be read or written there is learned as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from video_cam import __version__
from video_cam.layers.outputs import class_scores
from video_cam.layers.receptive_field import AxisChain, Chains, Step
from video_cam.layers.trace import Seen, Trace
from video_cam.layers.weights_digest import digest_of_weights

if TYPE_CHECKING:
    from video_cam.models.classifier import Classifier

FORMAT = 1  # to be raised whenever a network would be read otherwise
FOLDER = "VIDEO_CAM_CACHE"
Thing = TypeVar("Thing")


def remembered_chains(
    model: Classifier,
    layers: Sequence[str],
    size: Sequence[int],
    measured: bool,
    find: Callable[[], dict[str, Chains]],
) -> dict[str, Chains]:
    """Where layers' cells sit for an input of (T, H, W): as it was kept, else found and kept.

    Networks whose code nobody can tell apart by name are looked at every time.
    """
    if not model.known:
        return find()
    network = [model.name, model.code, digest_of_weights(model.module), str(model.input_layout)]
    key = [*network, *_structure(model.module), *layers, *size, measured]
    return _kept("chains", key, find, _chains_to_json, _chains_from_json)


def remembered_trace(
    name: str, module: nn.Module, size: Sequence[int], run: Callable[[], Trace]
) -> Trace:
    """What the modules of a library's network put out, as it was kept, else ``run`` and kept."""
    key = [name, *_structure(module), *size]
    return _kept("trace", key, run, _trace_to_json, partial(_trace_from_json, module))


def _structure(module: nn.Module) -> list[str]:
    """What modules there are, of what shapes, and whose code they run."""
    packages = {type(part).__module__.split(".")[0] for part in module.modules()}
    shapes = [f"{name} {tuple(p.shape)} {p.dtype}" for name, p in module.named_parameters()]
    return [repr(module), *shapes, *map(_version, sorted(packages | {"torch"}))]


def _version(package: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return f"{package} {metadata.version(package)}"
    return f"{package} of {__version__}"  # the project's own


def _kept(
    kind: str,
    key: Sequence[Any],
    make: Callable[[], Thing],
    to_json: Callable[[Thing], Any],
    from_json: Callable[[Any], Thing],
) -> Thing:
    name = hashlib.sha256(json.dumps([FORMAT, *key]).encode()).hexdigest()[:32]
    try:
        folder = Path(os.environ.get(FOLDER) or Path.home() / ".cache" / "video_cam")
    except RuntimeError:  # nobody's home: a container's user without an entry
        return make()
    path = folder / f"{kind}-{name}.json"
    with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    found = make()
    with suppress(OSError):
        _write(path, json.dumps(to_json(found)))
    return found


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _chains_to_json(found: dict[str, Chains]) -> Any:
    return {layer: [_chain_to_json(chain) for chain in chains] for layer, chains in found.items()}


def _chain_to_json(chain: AxisChain | None) -> Any:
    if chain is None:
        return None
    steps = [[s.kernel, s.stride, s.padding, s.dilation, s.behind] for s in chain.steps]
    return [steps, chain.measured]


def _chains_from_json(content: Any) -> dict[str, Chains]:
    found = {}
    for layer, chains in content.items():
        t, y, x = map(_chain_from_json, chains)
        found[layer] = (t, y, x)
    return found


def _chain_from_json(content: Any) -> AxisChain | None:
    if content is None:
        return None
    steps, measured = content
    return AxisChain(tuple(Step(*step) for step in steps), tuple(map(float, measured)))


def _trace_to_json(found: Trace) -> Any:
    rows = [[s.name, s.shape, s.grid, s.calls, s.leaf] for s in found.seen.values()]
    return [rows, class_scores(found.outputs).shape]


def _trace_from_json(module: nn.Module, content: Any) -> Trace:
    kinds = {name: type(part) for name, part in module.named_modules()}
    rows, scores = content
    seen = {
        name: Seen(name, kinds[name], tuple(shape), grid and tuple(grid), calls, leaf)
        for name, shape, grid, calls, leaf in rows
    }
    return Trace(seen, torch.empty(scores, device="meta"))
