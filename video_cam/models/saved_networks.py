"""A network of the user's own: from a factory in a file or a package, or from a saved file."""

from __future__ import annotations

import pickle
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import IMAGENET_MEAN, IMAGENET_STD, Row
from video_cam.models.user_code import find_function, importing_from

SIDE = 224
# What a network of one's own is given where nothing else is said.
OWN = Row(
    build=lambda classes: nn.Identity(),
    pretrained={},
    labels=(),
    num_frames=16,
    frame_rate=Fraction(15),
    preprocess=Preprocess((SIDE, SIDE), (SIDE, SIDE), IMAGENET_MEAN, IMAGENET_STD),
)
SAVED_SUFFIXES = (".pt", ".pth", ".pt2", ".ckpt", ".bin")


def is_saved(text: str) -> bool:
    """Whether ``text`` is the path of a saved network."""
    return text.endswith(SAVED_SUFFIXES)


def build(spec: str) -> nn.Module:
    """The network that ``package.module:factory`` or ``file.py:factory`` makes without arguments.

    Raises UsageError where the module or the name does not exist, where it raises, and where it
    returns no nn.Module.
    """
    factory = find_function(spec)
    if isinstance(factory, nn.Module):
        return factory
    try:
        module = factory()
    except Exception as error:  # a stranger's function
        raise UsageError(
            f"{spec} raised {type(error).__name__}: {_first_line(error)}; it is called without "
            "arguments and has to return an nn.Module (--debug shows where)"
        ) from error
    if not isinstance(module, nn.Module):
        raise UsageError(f"{spec} returned a {type(module).__name__}, expected an nn.Module")
    return module


def load_saved(path: Path, trust: bool = False) -> nn.Module:
    """A network from a torch.export program (.pt2) or a whole saved module.

    Either can run code when it is loaded (PyTorch's reader of .pt2 files unpickles sample inputs
    and evaluates strings), so the file is opened only where ``trust`` is set. Raises UsageError for
    a file that is not trusted or that holds something else, with what to do instead.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}")
    if _is_script(path):
        raise UsageError(
            f"{str(path)!r} is TorchScript, whose layers run inside an interpreter that shows "
            "nothing of them: give the network as file.py:factory, with its weights from "
            "torch.save(torch.jit.load(...).state_dict(), 'weights.pth')"
        )
    if path.suffix == ".pt2":
        if not trust:
            raise _not_trusted(path, "a torch.export program")
        return _load_exported(path)
    return _load_module(path, trust)


def _load_exported(path: Path) -> nn.Module:
    try:
        return torch.export.unflatten(torch.export.load(path))
    except Exception as error:  # garbage makes its reader raise anything
        raise UsageError(
            f"{str(path)!r} cannot be read as a torch.export program ({type(error).__name__}): "
            "save it with torch.export.save"
        ) from error


def takes_one_clip(module: nn.Module) -> bool:
    """Whether it was exported for inputs of one size, batch included."""
    if not isinstance(module, torch.export.UnflattenedModule):
        return False
    inputs = [node.meta.get("val") for node in module.input_placeholders]
    return any(isinstance(x, Tensor) and isinstance(x.shape[0], int) for x in inputs if x.ndim)


def _load_module(path: Path, trust: bool) -> nn.Module:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust:
            raise _not_trusted(path, "a whole network") from error
        content = _load_trusted(path)
    except Exception as error:  # garbage makes the unpickler raise anything
        raise UsageError(
            f"{str(path)!r} cannot be read ({type(error).__name__}): expected a saved nn.Module "
            "or a torch.export program (.pt2)"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), nn.Module):
        content = content["model"]
    if not isinstance(content, nn.Module):
        raise UsageError(
            f"{str(path)!r} holds weights without a network: give it to --weights, and --model "
            "NAME or file.py:factory for the network they belong to"
        )
    return content


def _load_trusted(path: Path) -> Any:
    try:
        with importing_from(Path.cwd()), importing_from(path.resolve().parent):
            return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever the code in it raises
        raise UsageError(
            f"{str(path)!r} cannot be loaded ({type(error).__name__}: {_first_line(error)}): the "
            "code of its classes has to be importable; better give file.py:factory and --weights"
        ) from error


def _not_trusted(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{str(path)!r} holds {what}, and loading it can run code: add --trust-checkpoint "
        "(in Python trust_checkpoint=True) if you trust where it comes from"
    )


def _is_script(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.split("/")[1:2] == ["constants.pkl"] for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
