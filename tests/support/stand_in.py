"""A device that is not the CPU and needs no hardware, for tests.

The device "standin" is PyTorch's PrivateUse1. Its tensors lie in the CPU's memory, and every
operation on them is the CPU's, but PyTorch and this file treat them as those of an accelerator:
an operation on tensors of both devices fails, and what a program would have to wait for is counted.

Not seen here: ``tensor[index] = number``, for which PyTorch waits on CUDA only.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration

import video_cam

NAME, COUNT = "standin", 2
DEVICE = f"{NAME}:0"
_PACKAGE = str(Path(video_cam.__file__).parent)
_CPU, _STAND_IN = 1, 12  # kDLCPU and kDLExtDev of dlpack.h

# They need numbers of the device to know the shape of their result.
_SHAPE_BY_VALUES = (
    *("nonzero", "masked_select", "unique_dim", "_unique2", "unique_consecutive"),
    *("bincount", "equal", "_local_scalar_dense"),
    # These read whether they succeeded.
    *("_linalg_eigh", "_linalg_svd", "linalg_inv_ex"),
)


def _convolution_backward(grad: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> Any:
    return torch.ops.aten.convolution_backward(grad, x, weight, [grad.shape[1]], *rest)


# PyTorch asks an unknown device for kernels of these names.
_AS_ON_CPU: dict[str, Callable[..., Any]] = {
    "convolution_overrideable": torch.ops.aten.convolution.default,
    "convolution_backward_overrideable": _convolution_backward,
}
# Autocast computes these in its lower precision, as on CUDA.
_IN_LOWER_PRECISION = ("conv2d", "conv3d", "linear", "matmul", "mm", "bmm", "addmm", "baddbmm")
# PyTorch's own way to these resizes an empty tensor, and memory lent by the CPU has one size.
_WITHOUT_RESIZING = ("abs", "arange", "arange.start", "arange.start_step", "logical_not")


class _DLDevice(ctypes.Structure):
    _fields_ = (("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32))


class _DLTensor(ctypes.Structure):  # its first two fields
    _fields_ = (("data", ctypes.c_void_p), ("device", _DLDevice))


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


class _Module:
    """What PyTorch asks of ``torch.standin``."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        _generator.manual_seed(seed + 1)  # other numbers than on the CPU, as on any device

    def get_rng_state(self, device: Any = None) -> Tensor:
        return _generator.get_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        _generator.set_state(state)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return COUNT


_generator = torch.Generator().manual_seed(1)  # of random numbers drawn on the device
_waits: list[str] = []
_copied: list[tuple[torch.dtype, int]] = []  # dtype and count of numbers, for each copy to it
_largest: list[int] = []  # the largest tensor in bytes, where memory is limited


def available() -> bool:
    """Whether there can be such a device: not beside CUDA, for PyTorch has one accelerator."""
    has_python_backends = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
    return has_python_backends and not torch.cuda.is_available()


@functools.cache
def register() -> tuple[torch.library.Library, ...]:
    """Make the device known to this process, before its first backward pass."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, _Module())
    kernels = torch.library.Library("_", "IMPL")
    kernels.fallback(_run, "PrivateUse1")
    kernels.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    own = torch.library.Library("aten", "IMPL")
    for name in (*_AS_ON_CPU, *_WITHOUT_RESIZING):
        packet, _, overload = name.partition(".")
        op = getattr(getattr(torch.ops.aten, packet), overload or "default")
        own.impl(name, functools.partial(_run, op), "PrivateUse1")
    for name in _IN_LOWER_PRECISION:
        op = getattr(torch.ops.aten, name).default
        own.impl(name, functools.partial(_run_lower, op), "AutocastPrivateUse1")
    return kernels, own


def random_state() -> Tensor:
    """The state of the device's random numbers."""
    return _generator.get_state()


@contextmanager
def counted_waits() -> Iterator[list[str]]:
    """Inside the block the list grows by each operation that a program has to wait for."""
    _waits.clear()
    yield _waits


@contextmanager
def copied_numbers(dtype: torch.dtype) -> Iterator[list[int]]:
    """After the block the list has the count of numbers of each copy of a dtype to the device."""
    counts: list[int] = []
    _copied.clear()
    yield counts
    counts.extend(count for of_dtype, count in _copied if of_dtype == dtype)


@contextmanager
def limited_memory(largest: int) -> Iterator[None]:
    """Inside the block a tensor of more than ``largest`` bytes does not fit on the device."""
    _largest.append(largest)
    try:
        yield
    finally:
        _largest.pop()


@dataclass(frozen=True)
class _Facts:
    """What is asked of an operation's schema at every call."""

    name: str
    takes_generator: bool
    returns_views: bool
    is_mutable: bool
    run: Callable[..., Any]  # on the CPU

    @staticmethod
    @functools.cache
    def of(op: Any) -> _Facts:
        schema = op._schema
        name = schema.name.removeprefix("aten::")
        return _Facts(
            name,
            any(one.name == "generator" for one in schema.arguments),
            any(one.alias_info is not None for one in schema.returns),
            schema.is_mutable,
            _copy_from if name == "_copy_from" else _AS_ON_CPU.get(name, op),
        )


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    return target.copy_(source)


def _moved(tensor: Tensor, kind: int, index: int) -> Tensor:
    """The same memory as a tensor of another device."""
    capsule = torch.utils.dlpack.to_dlpack(tensor)
    described = _DLTensor.from_address(_pointer(capsule, b"dltensor")).device
    described.device_type, described.device_id = kind, index
    return torch.utils.dlpack.from_dlpack(capsule)


def _each(function: Callable[[Any], Any], value: Any) -> Any:
    """The function of a value, or of all values of a list or tuple."""
    if isinstance(value, list | tuple):
        return type(value)([_each(function, one) for one in value])
    return function(value)


def _run(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Any operation with a tensor of the device, or on it: the CPU's, on the same memory."""
    facts, given = _Facts.of(op), []
    _each(given.append, [args, *kwargs.values()])
    device = _device_of(facts.name, given)
    _note_wait(facts.name, given)
    args_ = _each(_as_cpu, args)
    kwargs_ = {name: _each(_as_cpu, value) for name, value in kwargs.items()}
    if facts.takes_generator:
        kwargs_["generator"] = _generator
    result = facts.run(*args_, **kwargs_)
    if facts.is_mutable:
        return _written(op, args, kwargs)
    # A view of a tensor from outside of inference mode is no inference tensor.
    with torch.inference_mode(torch.is_inference_mode_enabled() and not facts.returns_views):
        return _each(lambda one: _put(one, device) if isinstance(one, Tensor) else one, result)


def _run_lower(op: Any, *args: Any, **kwargs: Any) -> Any:
    """An operation inside autocast."""
    dtype = torch.get_autocast_dtype(NAME)

    def lowered(value: Any) -> Any:
        is_wider = isinstance(value, Tensor) and value.dtype == torch.float32
        return value.to(dtype) if is_wider else value

    inside = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)
    with torch._C._ExcludeDispatchKeyGuard(inside):
        return op(*_each(lowered, args), **kwargs)


def _device_of(name: str, given: list[Any]) -> torch.device:
    """The device of the operands. Raises RuntimeError where they are on several, as CUDA does."""
    tensors = [one for one in given if isinstance(one, Tensor)]
    devices = {one.device for one in tensors if one.device.type == NAME}
    # A number may lie on the CPU, and so may indices, which are copied.
    others = [one for one in tensors if one.device.type != NAME and one.ndim]
    if name != "_copy_from" and (
        len(devices) > 1 or (devices and others and not name.startswith("index"))
    ):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found "
            f"{sorted({str(one.device) for one in tensors})} in {name}"
        )
    if any(isinstance(one, torch.Generator) for one in given):
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")
    wanted = [one for one in given if isinstance(one, torch.device)]
    [device, *_] = [*devices, *wanted, torch.device(DEVICE)]
    return torch.device(NAME, device.index or 0)


def _note_wait(name: str, given: list[Any]) -> None:
    """Keep the name of what the program waits for on a CUDA device."""
    tensors = [one for one in given if isinstance(one, Tensor)]
    if name == "_copy_from":
        source, target = (one.device.type for one in tensors)
        waited = target == "cpu" or (source == "cpu" and given[-1] is not True)
        if source == "cpu":
            _copied.append((tensors[0].dtype, tensors[0].numel()))
        name = f"copy from {source} to {target}"
    elif name.startswith("index"):
        indices = tensors[1:]
        waited = any(one.dtype == torch.bool or one.device.type == "cpu" for one in indices)
    else:
        waited = name in _SHAPE_BY_VALUES
    if waited:
        _waits.append(f"{name} at {_place()}")


def _place() -> str:
    """File and line of the project's own code that runs, such as ``rescoring.py:162``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not _is_own(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _is_own(path: str) -> bool:
    return path.startswith(_PACKAGE)


def _as_cpu(value: Any) -> Any:
    if isinstance(value, Tensor) and value.device.type == NAME:
        return _moved(value, _CPU, 0)
    if isinstance(value, torch.device) and value.type == NAME:
        return torch.device("cpu")
    return value


def _put(made: Tensor, device: torch.device) -> Tensor:
    size = made.numel() * made.element_size()
    if _largest and size > _largest[-1]:
        raise torch.OutOfMemoryError(f"stand-in device: tried to allocate {size} bytes")
    return _moved(made, _STAND_IN, device.index)


def _written(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation that writes to its operands returns: these operands."""
    schema = op._schema
    values = dict(zip([one.name for one in schema.arguments], args, strict=False)) | kwargs
    written = [
        values[one.name]
        for one in schema.arguments
        if one.alias_info is not None and one.alias_info.is_write and one.name in values
    ]
    if not schema.returns:
        return None
    return written[0] if len(schema.returns) == 1 else tuple(written)


needs_stand_in = pytest.mark.skipif(
    not available(), reason="PyTorch has no devices written in Python, or has CUDA"
)
