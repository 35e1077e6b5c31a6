"""What an ONNX file says of itself, read from its bytes: its data files, and its last steps.

An ONNX file is a message of Protocol Buffers: a sequence of fields, each with a number and a value.
Only the few fields that are needed are read; weights are passed over. Nothing of the file is run.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from video_cam.errors import UsageError
from video_cam.utils.files import open_regular, sha256_of

# Numbers of the fields in onnx.proto, by message.
_MODEL_GRAPH = 7
_NODE, _INITIALIZER, _GRAPH_OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH = 5, 6
_EXTERNAL_DATA = 13
_KEY, _VALUE = 1, 2
_OUTPUT_NAME = 1

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # kinds of values
_MAX_DEPTH = 16  # of graphs within graphs, as the branches of an If
_PASSED_THROUGH = ("Identity", "Cast")


@dataclass(frozen=True)
class LastStep:
    """The operation that makes an output.

    Attributes:
        operator: its name, such as "Softmax".
        source: name of the value that it is given.
    """

    operator: str
    source: str


@dataclass(frozen=True)
class OnnxFile:
    """What a file says of itself.

    Attributes:
        data_files: files with its weights, beside it; empty where it holds all of them.
        outputs: names of the network's outputs.
        last_steps: name of an output -> what makes it, where an operation does.
        digest: SHA-256 of the file and its data files.
    """

    data_files: tuple[Path, ...]
    outputs: tuple[str, ...]
    last_steps: Mapping[str, LastStep]
    digest: str


def read_onnx_file(path: Path) -> OnnxFile:
    """What an ONNX file says of itself.

    Raises:
        UsageError: for a file that cannot be read, that is no ONNX file, or whose data files are
            missing or not beside it.
    """
    try:
        with open_regular(path) as file:
            # Not read: it may be gigabytes. An empty file raises ValueError.
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        graphs = [value for number, value in _messages(data) if number == _MODEL_GRAPH]
        locations = {name for graph in graphs for name in _locations(graph, 0)}
        outputs = tuple(name for graph in graphs for name in _outputs(graph))
        steps = {name: step for graph in graphs for name, step in _last_steps(graph).items()}
    except ValueError as error:
        raise damaged(path, str(error)) from error
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    files = tuple(_beside(path, name) for name in sorted(locations))
    return OnnxFile(files, outputs, steps, _digest(path, files))


def damaged(path: Path, reason: str) -> UsageError:
    """The error for a file that is no ONNX file, or a damaged one."""
    return UsageError(
        f"{str(path)!r} cannot be read as an ONNX network ({reason}): it is damaged, or something "
        "else; export it again"
    )


def with_outputs(data: bytes, names: Iterable[str]) -> bytes:
    """An ONNX file's bytes with further outputs: names of values that its graph computes.

    Fields of a message that occurs twice are joined, so what is added stands at the end.
    """
    for name in names:
        output = _field(_GRAPH_OUTPUT, _field(_OUTPUT_NAME, name.encode()))
        data += _field(_MODEL_GRAPH, output)
    return data


def _beside(path: Path, name: str) -> Path:
    """The data file ``name`` of the ONNX file at ``path``."""
    folder = path.parent.resolve()
    file = folder / name
    try:
        is_inside, is_there = file.resolve().is_relative_to(folder), file.is_file()
    except (ValueError, OSError, RuntimeError) as error:  # names of odd bytes, links in a circle
        raise damaged(path, f"{name!r} is no name of a file") from error
    if not is_inside:
        raise UsageError(
            f"{str(path)!r} names a data file outside its folder, {name!r}: it is not read; export "
            "the network again"
        )
    if not is_there:
        raise UsageError(
            f"{str(path)!r} has its weights in {name!r}, which is missing: put that file beside it"
        )
    return file


def _digest(path: Path, files: tuple[Path, ...]) -> str:
    digests = [sha256_of(path)]
    digests += [f"{file.name} {sha256_of(file)}" for file in files]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest() if files else digests[0]


def _locations(graph: memoryview, depth: int) -> Iterator[str]:
    """The names of data files, in a graph and in those inside it."""
    if depth > _MAX_DEPTH:
        raise ValueError("its graphs are nested too deeply")
    for number, value in _messages(graph):
        if number == _INITIALIZER:
            yield from _locations_of_tensor(value)
        if number != _NODE:
            continue
        for field, attribute in _messages(value):
            if field != _ATTRIBUTE:
                continue
            for kind, content in _messages(attribute):
                if kind == _ATTRIBUTE_TENSOR:
                    yield from _locations_of_tensor(content)
                elif kind == _ATTRIBUTE_GRAPH:
                    yield from _locations(content, depth + 1)


def _locations_of_tensor(tensor: memoryview) -> Iterator[str]:
    for number, value in _messages(tensor):
        if number == _EXTERNAL_DATA:
            entry = {field: _text(content) for field, content in _messages(value)}
            if entry.get(_KEY) == "location":
                yield entry.get(_VALUE, "")


def _outputs(graph: memoryview) -> list[str]:
    described = (value for number, value in _messages(graph) if number == _GRAPH_OUTPUT)
    fields = (field for value in described for field in _messages(value))
    return [_text(name) for number, name in fields if number == _OUTPUT_NAME]


def _last_steps(graph: memoryview) -> dict[str, LastStep]:
    """For each output of a graph what makes it, before copies and changes of dtype."""
    made_by: dict[str, LastStep] = {}
    for number, value in _messages(graph):
        if number == _NODE:
            operator, sources, results = _node(value)
            made_by |= dict.fromkeys(results, LastStep(operator, (*sources, "")[0]))
    steps = {}
    for name in _outputs(graph):
        step = made_by.get(name)
        for _ in made_by:  # at most as often: a damaged graph may have a circle
            if step is None or step.operator not in _PASSED_THROUGH:
                break
            step = made_by.get(step.source)
        if step is not None:
            steps[name] = step
    return steps


def _node(node: memoryview) -> tuple[str, list[str], list[str]]:
    """The operator of a node, and the names of what it takes and makes."""
    operator, sources, results = "", [], []
    for number, value in _messages(node):
        if number == _OPERATOR:
            operator = _text(value)
        elif number == _NODE_INPUT:
            sources.append(_text(value))
        elif number == _NODE_OUTPUT:
            results.append(_text(value))
    return operator, sources, results


def _text(value: memoryview) -> str:
    return bytes(value).decode()


def _messages(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that hold bytes, as texts and messages do: number and content.

    Raises:
        ValueError: for bytes that are no message.
    """
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, position = _varint(data, position)
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("it is no message of Protocol Buffers")
        if position + size > len(data):
            raise ValueError("it ends too early")
        if kind == _BYTES:
            yield number, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A whole number in groups of seven bits, lowest first, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("it ends too early")
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("it is no message of Protocol Buffers")


def _field(number: int, content: bytes) -> bytes:
    """A field that holds bytes."""
    size, length = len(content), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | _BYTES]) + bytes(length) + content
