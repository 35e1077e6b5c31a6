"""State dicts: from a file, from torchvision's download, into a network. No file runs code."""

from __future__ import annotations

import pickle
import queue
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from video_cam.errors import UsageError

DOWNLOAD_START_SECONDS = 10
NESTED = ("ema", "state_dict", "model_state_dict", "model_state", "model", "net", "network")
# DataParallel's, torch.compile's.
PREFIXES = ("module.", "_orig_mod.")


class WeightsUnavailable(UsageError):
    """Pretrained weights are neither on disk nor to be downloaded."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """A state dict from .safetensors, or from a PyTorch file loaded with weights_only=True.

    One nested under a key of NESTED is found, and what wrappers put before every name, PREFIXES, is
    removed. Raises UsageError for a file that holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"weights {str(path)!r} hold more than tensors, which could run code: "
            "save them with torch.save(model.state_dict(), ...)"
        ) from error
    # The bytes of a file that is no checkpoint can make the unpickler raise anything.
    except Exception as error:
        raise UsageError(
            f"weights {str(path)!r} cannot be read ({type(error).__name__}): "
            "expected a .pth or .safetensors file"
        ) from error
    return _plain_state_dict(content, path)


def download(model: str, entry: Any) -> dict[str, Tensor]:
    """The state dict of a torchvision weights entry, from the hub's cache or its address.

    Raises WeightsUnavailable where a download does not start within DOWNLOAD_START_SECONDS.
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
        return entry.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except OSError as error:
        raise WeightsUnavailable(
            f"the download of weights {entry.name} of {model} broke off: {_first_line(error)}"
        ) from error
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UsageError(
            f"weights {str(cached)!r} cannot be read: delete the file, and it is downloaded again"
        ) from error


def fit_state_dict(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load ``state``; UsageError says which keys are missing, unexpected or of another shape."""
    own = module.state_dict()
    problems = {
        "missing": [key for key in own if key not in state],
        "unexpected": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
            for key in own
            if key in state and state[key].shape != own[key].shape
        ],
    }
    told = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys]
    if told:
        raise UsageError(f"weights {name!r} do not fit the network: {'; '.join(told)}")
    module.load_state_dict(dict(state))


def why_no_download(url: str) -> str | None:
    """None where a download of ``url`` starts in time, else the reason in a few words."""
    answers: queue.Queue[str | None] = queue.Queue()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=DOWNLOAD_START_SECONDS) as response:
                response.read(1)
            answers.put(None)
        except (OSError, ValueError) as error:
            answers.put(str(getattr(error, "reason", error)) or type(error).__name__)

    # A thread, because looking up a host's name obeys no time limit of its own.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=DOWNLOAD_START_SECONDS)
    except queue.Empty:
        return f"nothing came within {DOWNLOAD_START_SECONDS} s"


def _plain_state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content or not _all_tensors(content):
        held = [str(key) for key in content] if isinstance(content, Mapping) else []
        of = f", only {_some(held)}" if held else ""
        raise UsageError(
            f"weights {str(path)!r} hold no state dict{of}: expected names and tensors"
        )
    state = dict(content)
    while prefix := next((p for p in PREFIXES if all(k.startswith(p) for k in state)), ""):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _all_tensors(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())


def _some(keys: list[str], most: int = 3) -> str:
    return ", ".join(keys[:most]) + (", ..." if len(keys) > most else "")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
