"""Networks saved whole: torch.export programs (.pt2), TorchScript and pickled modules (.pt)."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError, first_line
from video_cam.layers.scores_only import ScriptedNetwork
from video_cam.models.checkpoint_file import is_torchscript, read_tensors, why_unreadable
from video_cam.models.user_code import importing_from

SAVED_SUFFIXES = (".pt", ".pth", ".pt2", ".ckpt", ".bin")


def is_saved_network(text: str) -> bool:
    """Whether ``text`` is written like the path of a saved network."""
    return text.endswith(SAVED_SUFFIXES)


def load_saved_network(path: Path, trust: bool = False) -> nn.Module:
    """The network in a torch.export program, or in a file of torch.jit.save or torch.save(module).

    All can run code: PyTorch's reader of .pt2 files unpickles sample inputs and evaluates strings,
    TorchScript is a program, and a pickled module names the functions that rebuild it.

    Args:
        path: the file.
        trust: it may run code. Without it, a .pt2 file is not opened, and another file is read
            with ``weights_only=True``.

    Raises:
        UsageError: for a file that would need ``trust``, a file of weights without a network, and
            one that cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}")
    if is_torchscript(path):
        if not trust:
            raise _not_trusted(path, "a TorchScript network")
        return _load_torchscript(path)
    if path.suffix == ".pt2":
        if not trust:
            raise _not_trusted(path, "a torch.export program")
        return _load_exported(path)
    return _load_module(path, trust)


def takes_one_clip(module: nn.Module) -> bool:
    """Whether a network is a torch.export program for a fixed batch size."""
    if not isinstance(module, torch.export.UnflattenedModule):
        return False
    inputs = [node.meta.get("val") for node in module.input_placeholders]
    return any(isinstance(x, Tensor) and isinstance(x.shape[0], int) for x in inputs if x.ndim)


def _load_exported(path: Path) -> nn.Module:
    try:
        return torch.export.unflatten(torch.export.load(path))
    except Exception as error:  # damaged files make the reader raise anything
        raise UsageError(
            f"{str(path)!r} cannot be read as a torch.export program ({type(error).__name__}): "
            "save it with torch.export.save"
        ) from error


def _load_torchscript(path: Path) -> nn.Module:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*torch.jit", FutureWarning)
            return ScriptedNetwork(torch.jit.load(path, map_location="cpu"))
    except Exception as error:  # damaged files make the reader raise anything
        raise UsageError(
            f"{str(path)!r} cannot be read as a TorchScript network ({type(error).__name__}): save "
            "it with torch.jit.save"
        ) from error


def _load_module(path: Path, trust: bool) -> nn.Module:
    try:
        content = read_tensors(path)
    except pickle.UnpicklingError as error:
        if not trust:
            raise _not_trusted(path, "a whole network") from error
        content = _unpickle(path)
    except Exception as error:  # damaged files make the unpickler raise anything
        raise UsageError(
            f"{str(path)!r} cannot be read ({why_unreadable(error)}): expected a saved nn.Module, "
            "TorchScript or a torch.export program (.pt2)"
        ) from error
    # The file can give an OrderedDict attributes that hide its methods.
    if isinstance(content, dict) and isinstance(dict.get(content, "model"), nn.Module):
        content = dict.get(content, "model")
    if not isinstance(content, nn.Module):
        raise UsageError(
            f"{str(path)!r} holds weights without a network: give it to --weights, and --model "
            "NAME or file.py:factory for the network they belong to"
        )
    return content


def _unpickle(path: Path) -> Any:
    """Read a trusted file; it may run any code."""
    try:
        with importing_from(Path.cwd()), importing_from(path.resolve().parent):
            return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # the code in the file may raise anything
        raise UsageError(
            f"{str(path)!r} cannot be loaded ({type(error).__name__}: {first_line(error)}): the "
            "code of its classes has to be importable; better give file.py:factory and --weights"
        ) from error


def _not_trusted(path: Path, content: str) -> UsageError:
    return UsageError(
        f"{str(path)!r} holds {content}, and loading it can run code: add --trust-checkpoint "
        "(in Python trust_checkpoint=True) if you trust where it comes from"
    )
