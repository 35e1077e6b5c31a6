"""Networks in ONNX files, run by ONNX Runtime: they give scores, no layers and no gradients.

An ONNX file is data: ONNX Runtime computes with the operators that it brings itself. Libraries of
further operators are code, and none is loaded.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_cam.config import InputConfig
from video_cam.errors import DoesNotFit, UsageError, first_line
from video_cam.layers.output_reading import LOG_SOFTMAX, SIGMOID, SOFTMAX
from video_cam.layers.outputs import ClassOutput
from video_cam.layers.scores_only import ScoresOnly
from video_cam.models.onnx_file import LastStep, OnnxFile, damaged, read_onnx_file, with_outputs
from video_cam.models.onnx_input import OnnxInput, clip_input
from video_cam.utils.memory import is_out_of_memory

SUFFIX = ".onnx"
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_INSTALL = "pip install 'video-cam[onnx]' (or onnxruntime)"
_DATA_FOLDER = "session.model_external_initializers_file_folder_path"  # from ONNX Runtime 1.20 on
_SILENT = 4  # fatal messages only: errors are raised, and said once
_NO_MEMORY = ("Failed to allocate memory", "std::bad_alloc", "out of memory")
# What may make an output of numbers that are no scores.
_ACTIVATIONS = {"Softmax": SOFTMAX, "LogSoftmax": LOG_SOFTMAX, "Sigmoid": SIGMOID}


def is_onnx(text: str) -> bool:
    """Whether ``text`` is written like the path of an ONNX file."""
    return text.lower().endswith(SUFFIX)


def has_cuda(path: str) -> bool:
    """Whether ONNX Runtime can use CUDA. Raises UsageError where it is not installed."""
    return _CUDA in _onnxruntime(path).get_available_providers()


class OnnxNetwork(ScoresOnly):
    """A network that ONNX Runtime runs.

    Its forward takes tensors in the order of the file's inputs, or by their names, and returns a
    tensor, or name -> tensor where the file has several outputs. Tensors may hold any number of
    clips: where the file fixes it, they are given in parts, and the last part is filled up with
    copies of its last clip.

    Attributes:
        inputs: as the file describes them.
        outputs: names of the file's outputs.
        activations: name of an output (N, classes) -> the softmax, sigmoid or log softmax that
            makes it in the file.
        digest: SHA-256 of the file and its data files.
        place: the part of ONNX Runtime that computes.
    """

    kind = "an ONNX network"

    def __init__(
        self,
        session: Any,
        inputs: Sequence[OnnxInput],
        outputs: Sequence[str],
        steps: Mapping[str, LastStep],
        digest: str,
    ) -> None:
        """Bind a session, which also computes the sources of ``steps``, the last steps."""
        super().__init__()
        self._session, self._steps, self._scored = session, steps, ""
        self.inputs, self.outputs, self.digest = tuple(inputs), tuple(outputs), digest
        self.activations = {name: _ACTIVATIONS[step.operator] for name, step in steps.items()}
        self.place = f"ONNX Runtime's {session.get_providers()[0]}"
        self.channels_last = False

    def before_activation(self, output: str) -> OnnxNetwork:
        """The network with class scores: what the last step that makes ``output`` is given."""
        scored = copy.copy(self)
        scored._scored = output
        return scored

    def scores(self, *inputs: Any, **named: Any) -> Any:
        """The outputs, for tensors or pathways in the order of the inputs, or by their names."""
        given = self._by_name(inputs, named)
        rows = len(next(iter(given.values())))
        size = self._fixed_batch
        if size is None:
            outputs = self._run(given)
        else:
            parts = [self._run_part(given, start, size) for start in range(0, rows, size)]
            outputs = {
                name: np.concatenate([part[name] for part in parts])[:rows] for name in parts[0]
            }
        tensors = {name: _floating(torch.from_numpy(one)) for name, one in outputs.items()}
        own = {name: tensors[name] for name in self.outputs}
        original = own if len(own) > 1 else own[self.outputs[0]]
        if not self._scored:
            return original
        return ClassOutput(tensors[self._steps[self._scored].source], None, original)

    @property
    def _fixed_batch(self) -> int | None:
        """How many clips every input takes; None for any number."""
        sizes = [one.shape[0] for one in self.inputs if one.shape]
        return next((size for size in sizes if size is not None), None)

    def _by_name(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> dict[str, np.ndarray]:
        values = [*inputs[0]] if len(inputs) == 1 and isinstance(inputs[0], list) else [*inputs]
        names = [one.name for one in self.inputs]
        given = dict(zip(names, values, strict=False)) | named
        if len(values) > len(names) or set(given) != set(names):
            raise DoesNotFit(
                f"the network takes {', '.join(map(str, self.inputs))}, and was given "
                f"{', '.join(map(repr, named)) or f'{len(values)} inputs'}: give these"
            )
        return {one.name: self._array(one, given[one.name]) for one in self.inputs}

    def _array(self, one: OnnxInput, value: Any) -> np.ndarray:
        """A tensor as the file's input takes it."""
        tensor = torch.as_tensor(value).detach().cpu()
        if self.channels_last:
            tensor = tensor.movedim(-3, -1)
        if one.dtype is None:
            raise DoesNotFit(f"the network's input {one} is of a type that no tensor has")
        if tensor.dtype != one.dtype:
            # Fills and blurs lie between the numbers that pictures have.
            is_whole = not one.dtype.is_floating_point and tensor.is_floating_point()
            tensor = tensor.round() if is_whole else tensor
            tensor = tensor.clamp(0, 255) if one.dtype is torch.uint8 else tensor
            tensor = tensor.to(one.dtype)
        return np.ascontiguousarray(tensor.numpy())

    def _run_part(
        self, given: dict[str, np.ndarray], start: int, size: int
    ) -> dict[str, np.ndarray]:
        """The outputs for ``size`` clips from ``start`` on, with copies where there are fewer."""
        part = {
            one.name: _filled(given[one.name][start : start + size], size)
            if one.shape[:1] == (size,)
            else given[one.name]
            for one in self.inputs
        }
        outputs = self._run(part)
        for name, one in outputs.items():
            if not one.ndim or len(one) != size:
                raise DoesNotFit(
                    f"the network put out {name!r} {one.shape} for {size} inputs, expected a row "
                    "for each: export it with an input whose first axis is clips, (N, C, T, H, W)"
                )
        return outputs

    def _run(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        sources = [self._steps[self._scored].source] if self._scored else []
        names = [*dict.fromkeys((*self.outputs, *sources))]
        try:
            values = self._session.run(names, given)
        except Exception as error:  # ONNX Runtime has an exception class for every status
            if any(text in str(error) for text in _NO_MEMORY) or is_out_of_memory(error):
                raise MemoryError(first_line(error)) from error
            shapes = " and ".join(str(value.shape) for value in given.values())
            raise DoesNotFit(
                f"the network does not run on an input of {shapes}: {_without_status(error)}; set "
                "--num-frames, --size and --layout-in to what it takes"
            ) from None
        return dict(zip(names, values, strict=True))


def load_onnx(
    path: Path, device: torch.device | str | None, options: InputConfig
) -> tuple[OnnxNetwork, InputConfig]:
    """The network in an ONNX file, and the options with what the file says of its input.

    Args:
        path: the file.
        device: "cuda" and "cuda:1" for ONNX Runtime's CUDA provider; else it runs on the CPU.
        options: the caller's, which have to fit.

    Raises:
        UsageError: where ONNX Runtime is missing, for a file that cannot be used, and for options
            that do not fit it.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}")
    runtime = _onnxruntime(str(path))
    file = read_onnx_file(path)
    steps = {k: step for k, step in file.last_steps.items() if step.operator in _ACTIVATIONS}
    added = {step.source for step in steps.values()} - set(file.outputs)
    session = _open(runtime, path, added, torch.device(device or "cpu"))
    network = _bound(path, session, file, steps)
    clip = clip_input(network.inputs, options)
    network.channels_last = clip.channels_last
    return network, clip.options


def _bound(path: Path, session: Any, file: OnnxFile, steps: Mapping[str, LastStep]) -> OnnxNetwork:
    """The network of a session, with the outputs that are numbers."""
    try:
        inputs, made = (
            [OnnxInput.of(one) for one in several()]
            for several in (session.get_inputs, session.get_outputs)
        )
    except UnicodeDecodeError as error:
        raise damaged(path, "a name in it is no text") from error
    described = {one.name: one for one in made}
    outputs = [name for name in file.outputs if described[name].dtype is not None]
    if not outputs:
        raise UsageError(
            f"{str(path)!r} puts out no numbers but {', '.join(map(str, described.values()))}: "
            "export it with class scores (N, classes) as an output"
        )
    steps = {name: steps[name] for name in steps if len(described[name].shape) == 2}
    return OnnxNetwork(session, inputs, outputs, steps, file.digest)


def _onnxruntime(path: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            f"{path!r} is run by ONNX Runtime, which is missing: {_INSTALL}"
        ) from error
    return onnxruntime


def _open(runtime: Any, path: Path, added: set[str], device: torch.device) -> Any:
    """A session; ONNX Runtime loads nothing but its own operators.

    Args:
        added: names of values that are outputs besides the file's own.
    """
    options = runtime.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry(_DATA_FOLDER, str(path.parent.resolve()))
    providers = _providers(runtime, device)
    content: Any = with_outputs(path.read_bytes(), sorted(added)) if added else str(path)
    try:
        session = runtime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # ONNX Runtime has an exception class for every status
        raise _unusable(path, error) from error
    if device.type == "cuda" and session.get_providers()[0] != _CUDA:
        raise UsageError(
            f"ONNX Runtime cannot start CUDA for {str(path)!r}: it needs the CUDA and cuDNN that "
            "it was built for; leave --use-cuda and --device out for the CPU"
        )
    return session


def _providers(runtime: Any, device: torch.device) -> list[Any]:
    """What computes, the preferred one first. All others, such as remote ones, are left out."""
    if device.type != "cuda":
        return [_CPU]
    if _CUDA not in runtime.get_available_providers():
        raise UsageError(
            "this ONNX Runtime has no CUDA: pip install onnxruntime-gpu in place of onnxruntime, "
            "or leave --device out"
        )
    return [(_CUDA, {"device_id": device.index or 0}), _CPU]


def _unusable(path: Path, error: Exception) -> UsageError:
    reason = _without_status(error)
    if "is not a registered function/op" in str(error):
        return UsageError(
            f"{str(path)!r} uses an operator that ONNX Runtime lacks ({reason}): libraries of "
            "operators are code and are not loaded; export the network with ONNX's own operators"
        )
    return damaged(path, reason)


def _without_status(error: Exception) -> str:
    """ONNX Runtime's message without its status: ``[ONNXRuntimeError] : 1 : FAIL : ...``."""
    return (
        first_line(error).rpartition(" : ")[2]
        if "ONNXRuntimeError" in str(error)
        else first_line(error)
    )


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    """``size`` rows: the given ones, then copies of the last."""
    missing = size - len(values)
    return values if missing <= 0 else np.concatenate([values, np.repeat(values[-1:], missing, 0)])


def _floating(tensor: Tensor) -> Tensor:
    """Half precision as float32, which sums over places and classes need."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
