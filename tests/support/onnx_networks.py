"""ONNX files of small networks, made node by node from PyTorch's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.networks import PoolLinear
from video_cam import Classifier
from video_cam.layers.outputs import class_scores

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FLOAT = onnx.TensorProto.FLOAT
CLIP = ("N", 3, 4, 16, 16)
# From the order of axes of a clip in a file to (N, C, T, H, W).
ORDERS = {"NTCHW": [0, 2, 1, 3, 4], "NTHWC": [0, 4, 1, 2, 3]}


def pool_linear(seed: int = 0) -> PoolLinear:
    """The network that the files are of, in float32 and evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return PoolLinear().eval()


def model(
    shape: Sequence[int | str | None] = CLIP,
    dtype: int = FLOAT,
    order: str = "NCTHW",
    last: str = "",
    extra: Mapping[str, str] | None = None,
    network: nn.Module | None = None,
) -> Any:
    """A PoolLinear as an ONNX model with the input "video" and the output "scores".

    Args:
        shape: of the input; names and None for axes of any length.
        dtype: of the input and output, of onnx.TensorProto; the network computes in float.
        order: of the input's axes, "NCTHW" or of ORDERS.
        last: the operator that makes the output of the logits, such as "Softmax".
        extra: further outputs: name -> the value they are a copy of ("features", "logits").
        network: its weights; None for ``pool_linear()``.
    """
    weights = dict((network or pool_linear()).named_parameters())
    node, nodes, x = onnx.helper.make_node, [], "video"
    if dtype != FLOAT:
        nodes.append(node("Cast", [x], ["float"], to=FLOAT))
        x = "float"
    if order in ORDERS:
        nodes.append(node("Transpose", [x], ["ordered"], perm=ORDERS[order]))
        x = "ordered"
    nodes += [
        node("Conv", [x, *_of("conv1")], ["a"], pads=[1] * 6, strides=[1, 2, 2]),
        node("Tanh", ["a"], ["b"]),
        node("Conv", ["b", *_of("conv2")], ["c"], pads=[1] * 6, strides=[2, 2, 2]),
        node("Relu", ["c"], ["d"]),
        node("GlobalAveragePool", ["d"], ["e"]),
        node("Flatten", ["e"], ["features"]),
        node("Gemm", ["features", *_of("fc")], ["logits"], transB=1),
        node(last or "Identity", ["logits"], ["made"]),
        node("Cast", ["made"], ["scores"], to=FLOAT if dtype in (2, 6) else dtype),
    ]
    outputs = {"scores": FLOAT if dtype in (2, 6) else dtype} | dict.fromkeys(extra or {}, FLOAT)
    nodes += [node("Identity", [source], [name]) for name, source in (extra or {}).items()]
    describe = onnx.helper.make_tensor_value_info
    rows = shape[0] if shape else None
    graph = onnx.helper.make_graph(
        nodes,
        "network",
        [describe("video", dtype, shape)],
        [describe(name, kind, (rows, None)) for name, kind in outputs.items()],
        [onnx.numpy_helper.from_array(w.detach().numpy(), name) for name, w in weights.items()],
    )
    return finished(graph)


def finished(graph: Any, domain: str = "") -> Any:
    """A model of a graph; with operators of another domain, too, where one is given."""
    versions = {"": 17} | ({domain: 1} if domain else {})
    opsets = [onnx.helper.make_opsetid(name, version) for name, version in versions.items()]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def of_nodes(nodes: Sequence[Any], inputs: Mapping[str, Any], domain: str = "") -> Any:
    """A model of nodes that make "scores"; inputs by name: (dtype, shape)."""
    describe = onnx.helper.make_tensor_value_info
    given = [describe(name, dtype, shape) for name, (dtype, shape) in inputs.items()]
    made = [describe("scores", FLOAT, None)]
    return finished(onnx.helper.make_graph(nodes, "network", given, made), domain)


def save(made: Any, path: Path, data_file: str = "") -> Path:
    """Write a model; its weights to another file beside it where one is named."""
    if data_file:
        onnx.save(made, path, save_as_external_data=True, location=data_file, size_threshold=0)
    else:
        path.write_bytes(made.SerializeToString())
    return path


def _of(layer: str) -> list[str]:
    return [f"{layer}.weight", f"{layer}.bias"]


def clips(count: int = 3) -> Tensor:
    """Inputs of ``pool_linear()``, the same in every call."""
    return torch.randn(count, 3, 4, 16, 16, generator=torch.Generator().manual_seed(0))


def written(folder: Path, made: Any) -> str:
    """The path of a file with a model, which replaces the last one."""
    return str(save(made, folder / "net.onnx"))


def scores(classifier: Classifier, x: Tensor) -> Tensor:
    """The class scores of an input (N, classes)."""
    with torch.no_grad():
        return class_scores(classifier.module(x))


def images(shape: Any, order: str = "NCHW") -> Any:
    """A network of images: the mean of each channel, after the given order of axes."""
    node = onnx.helper.make_node
    to_first = [0, 3, 1, 2] if order == "NHWC" else [0, 1, 2, 3]
    nodes = [
        node("Transpose", ["image"], ["first"], perm=to_first),
        node("ReduceMean", ["first"], ["scores"], axes=[2, 3], keepdims=0),
    ]
    return of_nodes(nodes, {"image": (FLOAT, shape)})
