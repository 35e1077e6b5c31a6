"""Checkpoints that may come from anybody: archives are checked, no code in them is run."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from video_cam.errors import first_line
from video_cam.models.inert_pickle import InertObject, read_archive
from video_cam.utils.files import open_regular

_ZIP_START = b"PK\x03\x04"  # by which PyTorch tells its archives from older files
_TORCHSCRIPT_MEMBER = "constants.pkl"


def read_tensors(path: Path, others: bool = False) -> Any:
    """The content of a .safetensors file, or of a PyTorch file that holds nothing but tensors.

    Args:
        path: the file.
        others: read files that hold other objects, such as logs and settings of training programs,
            which become InertObjects: nothing of the file runs, and no package is imported.

    Returns:
        Tensors on the CPU, in lists, dictionaries and the like.

    Raises:
        pickle.UnpicklingError: for a PyTorch file with objects that could run code, without
            ``others``; with it, for a file that is such an object, and for pickles that do more
            than name objects.
        ValueError: for an archive that PyTorch did not write.
        Exception: what the readers raise for damaged files, of many types.
    """
    with open_regular(path) as file:
        if path.suffix == ".safetensors":
            return load_file(path)
        if not _is_archive(file):
            return _load_tensors(file)
        _check_archive(file)
        try:
            return _load_tensors(file)
        except pickle.UnpicklingError:
            if not others:
                raise
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            content = read_archive(archive)
    if isinstance(content, InertObject) and not content:
        raise pickle.UnpicklingError(f"the file is an object of {content.name}")
    return content


def why_unreadable(error: Exception) -> str:
    """What ``read_tensors`` found wrong, or the type of an error that a reader raised."""
    return first_line(error) if type(error) is ValueError else type(error).__name__


def is_torchscript(path: Path) -> bool:
    """Whether a file is an archive as torch.jit.save writes it; nothing of it is unpacked."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:  # a damaged archive makes zipfile raise anything; it is no TorchScript
        return False
    return any(name.split("/")[1:2] == [_TORCHSCRIPT_MEMBER] for name in names)


def unusable_tensor(state: Mapping[str, Any]) -> str | None:
    """Which value of a state dict is no ordinary tensor, in a few words; None where all are.

    Ordinary tensors hold real numbers, one for each of their elements.
    """
    for name, tensor in state.items():
        kind = _unusual(tensor)
        if kind is not None:
            return f"{name!r} is {kind}"
    return None


def _unusual(tensor: Any) -> str | None:
    if type(tensor) not in (Tensor, nn.Parameter):
        return f"a {type(tensor).__name__}"
    if tensor.is_meta:
        return "a meta tensor, without values"
    if tensor.layout is not torch.strided:
        return "a sparse tensor"
    if tensor.is_quantized or tensor.is_complex():
        return f"a tensor of {str(tensor.dtype).removeprefix('torch.')}"
    # A view can repeat few numbers as often as it likes, and what copies it takes all that memory.
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "a view that repeats its numbers"
    return None


def _load_tensors(file: IO[bytes]) -> Any:
    with warnings.catch_warnings():
        # It warns of pickle protocols that it may not know, and refuses what it does not know.
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
        return torch.load(file, map_location="cpu", weights_only=True)


def _is_archive(file: IO[bytes]) -> bool:
    start = file.read(len(_ZIP_START))
    file.seek(0)
    return start == _ZIP_START


def _check_archive(file: IO[bytes]) -> None:
    """Check the entries of an archive before it is opened by PyTorch, which would unpack bombs.

    PyTorch compresses nothing, so that all entries together are no larger than the file.
    """
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    file.seek(0)
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        raise ValueError("two entries of the archive have one name")
    for member in members:
        if PurePosixPath(member.filename).is_absolute() or ".." in member.filename.split("/"):
            raise ValueError("the name of an entry leaves the archive")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError("an entry of the archive is compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("the entries of the archive are larger than the file")
