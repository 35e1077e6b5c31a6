"""Small ONNX files, made byte by byte: the package that usually makes them is not required."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_FLOAT, _INTS, _INT = 1, 7, 2  # of TensorProto.DataType and AttributeProto.AttributeType


def write_onnx(folder: Path) -> None:
    """A network with its weights in the file, and one with them in a file beside it."""
    weights = np.ones((3, 4), np.float32)
    inside = _message((1, 3), (1, 4), (2, _FLOAT), (8, "w"), (9, weights.tobytes()))
    (folder / "net.onnx").write_bytes(_network(inside))
    place = _message((1, "location"), (2, "weights.bin"))
    outside = _message((1, 3), (1, 4), (2, _FLOAT), (8, "w"), (13, place), (14, 1))
    (folder / "outside.onnx").write_bytes(_network(outside))
    (folder / "weights.bin").write_bytes(weights.tobytes())


def _network(weights: bytes) -> bytes:
    """The softmax of a linear head over the means of a clip's channels."""
    axes = _message((1, "axes"), *((8, axis) for axis in (2, 3, 4)), (20, _INTS))
    flat = _message((1, "keepdims"), (3, 0), (20, _INT))
    nodes = [
        _message((1, "video"), (2, "mean"), (4, "ReduceMean"), (5, axes), (5, flat)),
        _message((1, "mean"), (1, "w"), (2, "logits"), (4, "MatMul")),
        _message((1, "logits"), (2, "scores"), (4, "Softmax")),
    ]
    graph = _message(
        *((1, node) for node in nodes),
        (2, "network"),
        (5, weights),
        (11, _value("video", ("N", 3, 4, 8, 8))),
        (12, _value("scores", ("N", 4))),
    )
    return _message((1, 8), (7, graph), (8, _message((1, ""), (2, 17))))


def _value(name: str, shape: tuple[int | str, ...]) -> bytes:
    """The description of an input or output; axes of any length have names."""
    sizes = (_message((1 if isinstance(size, int) else 2, size)) for size in shape)
    tensor = _message((1, _FLOAT), (2, _message(*((1, size) for size in sizes))))
    return _message((1, name), (2, _message((1, tensor))))


def _message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A message of Protocol Buffers, from the numbers and values of its fields."""
    data = b""
    for number, value in fields:
        if isinstance(value, int):
            data += _varint(number << 3) + _varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            data += _varint(number << 3 | 2) + _varint(len(content)) + content
    return data


def _varint(value: int) -> bytes:
    """A whole number in groups of seven bits, lowest first."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])
