"""Tensors out of checkpoints that hold other objects too; none of these objects is created.

Training programs store their settings and logs beside the tensors: namespaces, enumerations, log
buffers, configuration objects. PyTorch's own reader without code, ``weights_only=True``, refuses
such files. Here every class and function that a file names is replaced by an empty class, and only
those few that PyTorch writes for tensors have a meaning. Nothing is imported, and no code runs.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Callable
from typing import IO, Any

import torch
from torch import Tensor

# What a file names as the type of a tensor's storage -> dtype. Complex and quantised tensors are
# no weights that a network could be given.
_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_DICTIONARIES = ("collections.OrderedDict", "collections.defaultdict")
# They take objects from a registry of the running process instead of a name in the file.
_REGISTRY_OPCODES = ("EXT1", "EXT2", "EXT4")


class InertObject(dict):
    """Stands for an object, a class or a function of the file, whatever is done with it.

    It keeps entries that are set as in a dictionary, as configurations hold tensors in their own
    kinds of dictionary; everything else is dropped.
    """

    name = ""  # of the class or function in the file

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        super().__init__()

    def __call__(self, *_arguments: Any, **_options: Any) -> InertObject:
        return type(self)()

    def __setstate__(self, _state: Any) -> None:
        pass

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def append(self, _item: Any) -> None:
        """Drop an item of a list-like object."""

    def extend(self, _items: Any) -> None:
        """Drop items of a list-like object."""

    def add(self, _item: Any) -> None:
        """Drop an item of a set-like object."""


def read_archive(archive: zipfile.ZipFile) -> Any:
    """The content of an archive that ``torch.save`` wrote, with InertObjects for unknown objects.

    Args:
        archive: its entries are stored without compression.

    Returns:
        The object: tensors are on the CPU, in dictionaries, lists and tuples.

    Raises:
        pickle.UnpicklingError: where the pickle in it asks for anything but that.
        ValueError: for storages that are not as ``torch.save`` writes them.
        Exception: what pickle raises for damaged data, of many types.
    """
    folder = next(n for n in archive.namelist() if n.endswith("/data.pkl")).removesuffix("data.pkl")
    order = (
        archive.read(folder + "byteorder") if folder + "byteorder" in archive.namelist() else b""
    )
    if order == b"big":
        raise ValueError("its numbers have the other byte order")
    with archive.open(folder + "data.pkl") as file:
        _refuse_registry(file)
    with archive.open(folder + "data.pkl") as file:
        return _Unpickler(file, archive, folder).load()


def _refuse_registry(file: IO[bytes]) -> None:
    for opcode, _, _ in pickletools.genops(file):
        if opcode.name in _REGISTRY_OPCODES:
            raise pickle.UnpicklingError(f"opcode {opcode.name}")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive = archive
        self._folder = folder
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        full_name = f"{module}.{name}"
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if rebuild := _REBUILDERS.get(full_name):
            return _Function(rebuild)
        if full_name in ("torch.Size", "builtins.set", "builtins.frozenset"):
            return tuple
        # A class of its own for each name, so that what the file does to it stays in this result.
        bases = (_Dictionary,) if full_name in _DICTIONARIES else (InertObject,)
        return type(name, bases, {"name": full_name})

    def persistent_load(self, identifier: Any) -> Tensor:
        """The numbers of a storage, flat."""
        kind, dtype, key, _, length = identifier
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise pickle.UnpicklingError("an entry that is no storage of numbers")
        if key not in self._storages:
            data = bytearray(self._archive.read(f"{self._folder}data/{key}"))
            if length * dtype.itemsize > len(data):
                raise ValueError("a storage is longer than its entry")
            # Memory of a buffer cannot be enlarged, whatever a view of it asks for.
            buffer = torch.frombuffer(data or bytearray(dtype.itemsize), dtype=dtype)
            self._storages[key] = buffer[:length]
        return self._storages[key]


class _Dictionary(dict):
    """A dictionary that may have attributes, as the OrderedDict of a state dict has."""

    def __init__(self, *arguments: Any) -> None:
        # A defaultdict is stored with its factory, an OrderedDict of old with its items.
        super().__init__(*(a for a in arguments if isinstance(a, list | dict)))


class _Function:
    """A function that the file may call and cannot change."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError(f"sets {name!r} of a function")


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_others: Any) -> Tensor:
    # as_strided checks that the view lies within the storage.
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _parameter(data: Any, *_others: Any) -> Any:
    return data


def _tensor_of_type(rebuild: Any, _type: Any, arguments: Any, _state: Any) -> Any:
    return rebuild(*arguments)


_REBUILDERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _tensor_of_type,
}
