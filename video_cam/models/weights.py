"""State dicts: read from files and nested checkpoints, downloaded, loaded into a network.

Nothing here runs code from a file: PyTorch files are read with ``weights_only=True``.
"""

from __future__ import annotations

import pickle
import queue
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError, first_line
from video_cam.models.checkpoint_file import read_tensors, unusable_tensor, why_unreadable

DOWNLOAD_START_SECONDS = 10
# Keys under which training scripts nest a state dict, outermost first.
NESTED_KEYS = ("ema", "state_dict", "model_state_dict", "model_state", "model", "net", "network")
# Prefixes that DataParallel and torch.compile put before every name.
WRAPPER_PREFIXES = ("module.", "_orig_mod.")
WEIGHTS_SUFFIXES = (".pth", ".pt", ".safetensors", ".ckpt", ".bin", ".pyth", ".tar", ".pkl")


class WeightsUnavailable(UsageError):
    """Pretrained weights are neither on disk nor can they be downloaded."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The state dict in a .safetensors file or a PyTorch checkpoint.

    Args:
        path: the file. A state dict may be nested under NESTED_KEYS, beside other things, and its
            names may begin with WRAPPER_PREFIXES.

    Returns:
        Parameter name, without such prefixes -> tensor on the CPU.

    Raises:
        UsageError: where the file cannot be read, contains objects that could run code,
            contains no state dict, or one with other tensors than dense ones of real numbers.
    """
    try:
        state = _without_prefixes(_nested_state_dict(read_tensors(path), path))
    except UsageError:
        raise
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
    return _usable(state, repr(str(path)))


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
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name
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


def load_state_dict(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load ``state`` into ``module``, all of it.

    Args:
        name: of the weights, for messages.

    Raises:
        UsageError: naming the keys that are missing, unexpected, or of another shape or type.
    """
    expected = module.state_dict()
    # Modules may keep values of their own beside the tensors, under "_extra_state".
    both = [(k, v) for k, v in expected.items() if k in state and isinstance(v, Tensor)]
    problems = {
        "missing": [key for key in expected if key not in state],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
            for key, tensor in both
            if state[key].shape != tensor.shape
        ],
        "of another type": [
            f"{key} {_dtype(state[key])} instead of {_dtype(tensor)}"
            for key, tensor in both
            if tensor.is_floating_point() and not state[key].is_floating_point()
        ],
    }
    messages = [
        f"{len(keys)} {problem} ({_first_few(keys)})" for problem, keys in problems.items() if keys
    ]
    if messages:
        raise UsageError(f"weights {name!r} do not fit the network: {'; '.join(messages)}")
    module.load_state_dict(dict(state))


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


def _nested_state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    for key in NESTED_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content or not _is_state_dict(content):
        is_mapping = isinstance(content, Mapping)
        keys = [key for key in content if isinstance(key, str)] if is_mapping else []
        only = f", only {_first_few(keys)}" if keys else ""
        raise UsageError(
            f"weights {str(path)!r} hold no state dict{only}: expected names and tensors"
        )
    return dict(content)


def _usable(state: dict[str, Tensor], shown: str) -> dict[str, Tensor]:
    """The state dict itself. Raises UsageError where a tensor of it cannot be a network's."""
    unusable = unusable_tensor(state)
    if unusable is not None:
        raise UsageError(
            f"weights {shown} cannot be used: {unusable}; expected dense tensors of real numbers"
        )
    return state


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((p for p in WRAPPER_PREFIXES if all(k.startswith(p) for k in state)), ""):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _is_state_dict(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())


def _first_few(keys: Sequence[str], count: int = 3) -> str:
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "")
