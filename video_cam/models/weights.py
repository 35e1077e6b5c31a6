"""State dicts: read from files and nested checkpoints, downloaded, loaded into a network.

Nothing here runs code from a file.
"""

from __future__ import annotations

import pickle
import queue
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from video_cam.errors import UsageError, first_line
from video_cam.models.checkpoint_file import read_tensors, unusable_tensor, why_unreadable
from video_cam.models.inert_pickle import InertObject
from video_cam.models.state_dict_matching import StateDict, first_few
from video_cam.utils.notes import WARNING, Note

DOWNLOAD_START_SECONDS = 10
# Keys under which training programs nest a state dict, the preferred ones first.
NESTED_KEYS = ("ema", "state_dict", "model_state_dict", "model_state", "model", "net", "network")
MAX_DEPTH = 4  # of a state dict in a checkpoint
INDEX_SUFFIX = ".index.json"  # of the list of the files that a large state dict is divided into
WEIGHTS_SUFFIXES = (
    *(".pth", ".pt", ".safetensors", ".ckpt", ".bin", ".pyth", ".tar", ".pkl"),
    INDEX_SUFFIX,
)


class WeightsUnavailable(UsageError):
    """Pretrained weights are neither on disk nor can they be downloaded."""


def read_state_dicts(path: Path) -> dict[str, StateDict]:
    """The state dicts in a .safetensors file, a PyTorch checkpoint or a list of such files.

    Args:
        path: the file. State dicts may be nested, beside other things.

    Returns:
        The keys under which a state dict was found, as "ema.state_dict", "" for the whole file ->
        parameter name -> tensor on the CPU. Those under NESTED_KEYS come first.

    Raises:
        UsageError: where the file cannot be read, contains objects that could run code, no state
            dict, or in one of them other tensors than dense ones of real numbers.
    """
    if path.name.endswith(INDEX_SUFFIX):
        return {"": _read_parts(path)}
    content = _read(path)
    found = dict(_state_dicts(content))
    if not found:
        raise UsageError(
            f"weights {str(path)!r} hold no state dict{_contents(content)}: expected names and "
            "tensors"
        )
    return {place: _usable(state, repr(str(path))) for place, state in found.items()}


def download(model: str, entry: Any) -> dict[str, Tensor]:
    """The state dict of a torchvision weights entry, from the hub's cache or its URL.

    Args:
        model: the model's name, for messages.
        entry: a member of one of torchvision's ``WeightsEnum`` classes.

    Raises:
        WeightsUnavailable: where a download does not start within DOWNLOAD_START_SECONDS, or
            breaks off.
        UsageError: where the file in the cache is damaged.
    """
    cached = cached_file(entry)
    if not cached.exists():
        reason = why_no_download(entry.url)
        if reason:
            raise WeightsUnavailable(
                f"weights {entry.name} of {model} are not at {cached} and cannot be downloaded "
                f"({reason})"
            )
    try:
        state = entry.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except OSError as error:
        raise WeightsUnavailable(
            f"the download of weights {entry.name} of {model} broke off: {first_line(error)}"
        ) from error
    except Exception as error:  # the bytes of a damaged file can make the unpickler raise anything
        raise UsageError(
            f"weights {str(cached)!r} cannot be read: delete the file, and it is downloaded again"
        ) from error
    return _usable(dict(state), repr(str(cached)))


def cached_file(entry: Any) -> Path:
    """Where a torchvision weights entry is on disk after it has been downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name


def load_state_dict(
    module: nn.Module, state: Mapping[str, Tensor], name: str, allow_partial: bool = False
) -> tuple[Note, ...]:
    """Load ``state`` into ``module``, all of it.

    Args:
        name: of the weights, for messages.
        allow_partial: load what fits, where at least one tensor does.

    Returns:
        A warning with what was not loaded; empty where all was.

    Raises:
        UsageError: naming the keys that are missing, unexpected, or of another shape or type.
    """
    expected = module.state_dict()
    # Modules may keep values of their own beside the tensors, under "_extra_state".
    both = {k: v for k, v in expected.items() if k in state and isinstance(v, Tensor)}
    shapes = [k for k, v in both.items() if state[k].shape != v.shape]
    types = [k for k, v in both.items() if v.is_floating_point() > state[k].is_floating_point()]
    problems = {
        "missing": [key for key in expected if key not in state],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(both[key].shape)}" for key in shapes
        ],
        "of another type": [
            f"{key} {_dtype(state[key])} instead of {_dtype(both[key])}" for key in types
        ],
    }
    found = "; ".join(
        f"{len(keys)} {problem} ({first_few(keys)})" for problem, keys in problems.items() if keys
    )
    fitting = {key: state[key] for key in both if key not in {*shapes, *types}}
    if found and not (allow_partial and fitting):
        remedy = "; --allow-partial loads what fits" if fitting else ""
        raise UsageError(f"weights {name!r} do not fit the network: {found}{remedy}")
    module.load_state_dict(fitting, strict=not found)
    if not found:
        return ()
    loaded = f"only {len(fitting)} of the network's {len(expected)} tensors were loaded"
    return (Note(f"{loaded}: {found}", WARNING),)


def why_no_download(url: str) -> str | None:
    """None where ``url`` answers within DOWNLOAD_START_SECONDS, else the reason in a few words."""
    answers: queue.Queue[str | None] = queue.Queue()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=DOWNLOAD_START_SECONDS) as response:
                response.read(1)
            answers.put(None)
        except (OSError, ValueError) as error:
            answers.put(str(getattr(error, "reason", error)) or type(error).__name__)

    # In a thread, because the timeout does not cover the look-up of the host's name.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=DOWNLOAD_START_SECONDS)
    except queue.Empty:
        return f"no answer within {DOWNLOAD_START_SECONDS} s"


def _read(path: Path) -> Any:
    try:
        return read_tensors(path, others=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"weights {str(path)!r} hold more than tensors, which could run code: "
            "save them with torch.save(model.state_dict(), ...)"
        ) from error
    # The bytes of a file that is no checkpoint can make the unpickler raise anything.
    except Exception as error:
        raise UsageError(
            f"weights {str(path)!r} cannot be read ({why_unreadable(error)}): "
            "expected a .pth or .safetensors file"
        ) from error


def _read_parts(index: Path) -> StateDict:
    """The state dict of all the files that an index lists, as transformers writes it."""
    try:
        listed = msgspec.json.decode(index.read_bytes(), type=_Index).weight_map
    except (msgspec.MsgspecError, OSError) as error:
        raise UsageError(
            f"weights {str(index)!r} cannot be read ({first_line(error)}): expected the list of "
            "files that transformers writes"
        ) from error
    state: StateDict = {}
    for name in dict.fromkeys(listed.values()):
        part = index.parent / Path(name).name  # never a file elsewhere
        if not part.is_file():
            raise UsageError(f"weights {str(index)!r} list a file that is not there: {name!r}")
        state |= next(iter(read_state_dicts(part).values()))
    missing = [name for name in listed if name not in state]
    if missing:
        raise UsageError(
            f"weights {str(index)!r} list tensors that are not in the files: {first_few(missing)}"
        )
    return state


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def _state_dicts(content: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, StateDict]]:
    """The state dicts in a checkpoint, the preferred ones first, with their places."""
    if not isinstance(content, dict) or depth > MAX_DEPTH:
        return
    entries = _entries(content)
    nested = [key for key, value in entries.items() if isinstance(value, dict)]
    for key in sorted(nested, key=lambda key: (key not in NESTED_KEYS, _rank(key))):
        yield from _state_dicts(entries[key], f"{place}.{key}".removeprefix("."), depth + 1)
    tensors = {key: value for key, value in entries.items() if isinstance(value, Tensor)}
    if tensors:
        yield place, tensors


def _entries(content: dict[Any, Any]) -> dict[str, Any]:
    """The entries with a name, also where the file gave an OrderedDict an attribute ``items``."""
    return {key: value for key, value in dict.items(content) if isinstance(key, str)}


def _rank(key: str) -> int:
    return NESTED_KEYS.index(key) if key in NESTED_KEYS else 0


def _contents(content: Any) -> str:
    """What a file has instead of a state dict, for a message."""
    if not isinstance(content, dict):
        return ""
    shown = [
        f"{key} (an object of {value.name})" if isinstance(value, InertObject) else key
        for key, value in _entries(content).items()
    ]
    return f", only {first_few(shown)}" if shown else ""


def _usable(state: StateDict, shown: str) -> StateDict:
    """The state dict itself. Raises UsageError where a tensor of it cannot be a network's."""
    unusable = unusable_tensor(state)
    if unusable is not None:
        raise UsageError(
            f"weights {shown} cannot be used: {unusable}; expected dense tensors of real numbers"
        )
    return state


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
