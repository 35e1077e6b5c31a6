"""What an ONNX file says of its inputs and outputs: defaults, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import video_cam
from tests.support.onnx_networks import (
    CLIP,
    FLOAT,
    clips,
    images,
    model,
    of_nodes,
    onnx,
    pool_linear,
    scores,
    written,
)
from video_cam import UsageError, load_model

TYPES = onnx.TensorProto


@pytest.mark.parametrize(
    ("shape", "order", "layout", "frames", "size"),
    [
        (("N", 3, 4, 16, 16), "NCTHW", "NCTHW", 4, (16, 16)),
        (("N", 3, "T", "H", "W"), "NCTHW", "NCTHW", 16, (224, 224)),
        (("N", 3, 8, None, 24), "NCTHW", "NCTHW", 8, (24, 24)),
        ((1, 3, 8, 12, 20), "NCTHW", "NCTHW", 8, (12, 20)),
        (("N", 4, 3, 16, 16), "NTCHW", "NTCHW", 4, (16, 16)),
        (("N", "T", 3, 16, 16), "NTCHW", "NTCHW", 16, (16, 16)),
        ((2, 4, 16, 18, 3), "NTHWC", "NTCHW", 4, (16, 18)),
        (("N", "T", 16, 18, 3), "NTHWC", "NTCHW", 16, (16, 18)),
    ],
)
def test_the_layout_and_sizes_are_the_files(
    tmp_path: Path, shape: Any, order: str, layout: str, frames: int, size: tuple[int, int]
) -> None:
    ours = load_model(written(tmp_path, model(shape, order=order)))
    assert (ours.input_layout.layout, ours.num_frames, ours.preprocess.crop) == (
        layout,
        frames,
        size,
    )
    x = torch.randn(1, 3, 4 if frames == 16 else frames, *(16 if n == 224 else n for n in size))
    expected = pool_linear()(x).detach()
    torch.testing.assert_close(scores(ours, x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("shape", "order"),
    [(("N", 3, 8, 10), "NCHW"), ((4, 3, 8, 10), "NCHW"), ((3, 8, 10, 3), "NHWC")],
)
def test_networks_of_images_score_the_frames(tmp_path: Path, shape: Any, order: str) -> None:
    ours = load_model(written(tmp_path, images(shape, order)))
    assert ours.input_layout.layout == "frames" and ours.preprocess.crop == (8, 10)
    x = torch.randn(2, 3, 5, 8, 10)
    found = ours.module(x)  # (N, T, classes)
    torch.testing.assert_close(found, x.mean((3, 4)).transpose(1, 2))


def test_stacked_frames_and_other_channels(tmp_path: Path) -> None:
    stacked = load_model(written(tmp_path, images((1, 12, 8, 8))))
    assert stacked.input_layout.layout == "stacked" and stacked.num_frames == 4
    gray = load_model(written(tmp_path, images(("N", 1, 8, 8))), channels="gray")
    assert (
        gray.input_layout.layout == "frames" and gray.module(torch.randn(1, 3, 2, 8, 8)).ndim == 3
    )
    flow = load_model(written(tmp_path, images((1, 20, 16, 16))), channels="flow")
    assert flow.input_layout.layout == "stacked" and flow.num_frames == 11
    with pytest.raises(UsageError, match=r"takes 1 channel and is given 3.*add --channels gray"):
        load_model(written(tmp_path, images(("N", 1, 8, 8))))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_frames": 8}, r"--num-frames 8 does not fit.*'video' \(any, 3, 4, 16, 16\) float"),
        ({"size": (16, 32)}, "--size 16 32 does not fit.*it takes 16 16; leave the option out"),
        ({"layout": "NTCHW"}, "--layout-in NTCHW with 3 channels does not fit"),
        ({"layout": "frames"}, "--layout-in frames with 3 channels does not fit"),
        ({"channels": "gray"}, "takes 3 channels and is given 1.*give --channels rgb"),
        ({"layout": "list:4,1"}, "--layout-in list:4,1 gives 2 pathways, and the network takes 1"),
    ],
)
def test_options_that_do_not_fit_the_file(tmp_path: Path, options: Any, words: str) -> None:
    path = written(tmp_path, model())
    with pytest.raises(UsageError, match=words) as caught:
        load_model(path, **options)
    assert "\n" not in str(caught.value)
    assert load_model(path, num_frames=4, size=(16, 16), layout="NCTHW").num_frames == 4


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        ((1, 16), FLOAT, r"'x' \(1, 16\) float, expected a clip"),
        ((1, 3, 4, 8, 8, 2), FLOAT, "expected a clip"),
        ((), FLOAT, "expected a clip"),
        ((1, 3, 4, 8, 8), TYPES.INT32, "int32, expected float, float16, double or uint8"),
        ((1, 3, 4, 8, 8), TYPES.STRING, "string, expected float"),
        ((1, 5, 4, 8, 8), FLOAT, r"no axis of the network's input 'x' \(1, 5, 4, 8, 8\).* 3 chann"),
        ((3, 16, 8, 8), FLOAT, "no axis of the network's input"),
    ],
)
def test_inputs_that_no_clip_fits(tmp_path: Path, shape: Any, kind: int, words: str) -> None:
    nodes = [onnx.helper.make_node("Shape", ["x"], ["sizes"])]
    nodes.append(onnx.helper.make_node("Cast", ["sizes"], ["scores"], to=FLOAT))
    with pytest.raises(UsageError, match=words) as caught:
        load_model(written(tmp_path, of_nodes(nodes, {"x": (kind, shape)})))
    assert "\n" not in str(caught.value)


def test_an_input_without_an_axis_for_clips(tmp_path: Path) -> None:
    node = onnx.helper.make_node
    nodes = [node("ReduceMean", ["frames"], ["scores"], axes=[0, 2, 3], keepdims=0)]
    made = of_nodes(nodes, {"frames": (FLOAT, (16, 3, 8, 8))})  # (T, C, H, W) -> (C,)
    with pytest.raises(UsageError, match=r"expected a row for each: .*first axis is clips"):
        load_model(written(tmp_path, made))


def test_an_input_that_the_network_does_not_run_on(tmp_path: Path, sample_clip: Path) -> None:
    ours = load_model(written(tmp_path, model(("N", *CLIP[1:]))), frame_rate=8)
    with pytest.raises(
        UsageError, match=r"not run on an input of \(\d, 3, 8, 16, 16\): .*dimension"
    ):
        video_cam.explain(sample_clip, ours, num_frames=8, end=0.5)
    node = onnx.helper.make_node
    sizes = onnx.helper.make_tensor("sizes", TYPES.INT64, [2], [-1, 7])
    nodes = [
        node("Constant", [], ["sizes"], value=sizes),
        node("Reshape", ["x", "sizes"], ["scores"]),
    ]
    path = written(tmp_path, of_nodes(nodes, {"x": (FLOAT, ("N", 3, "T", "H", "W"))}))
    with pytest.raises(UsageError, match=r"\(1, 3, 16, 8, 8\): .*Reshape.*; set --num-frames"):
        load_model(path, size=(8, 8))


# Several inputs and outputs


def _two_inputs(shape: Any = ("N", 3, 4, 8, 8), second: Any = ("N", 3)) -> Any:
    """The channels' means of a clip, plus the second input or the means of it."""
    node = onnx.helper.make_node
    nodes = [node("ReduceMean", ["video"], ["mean"], axes=[2, 3, 4], keepdims=0)]
    if len(second) == 5:
        nodes.append(node("ReduceMean", ["sound"], ["more"], axes=[2, 3, 4], keepdims=0))
    else:
        nodes.append(node("Identity", ["sound"], ["more"]))
    nodes.append(node("Add", ["mean", "more"], ["scores"]))
    return of_nodes(nodes, {"video": (FLOAT, shape), "sound": (FLOAT, second)})


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("rows", ["N", 1, 2])
def test_several_inputs_come_from_a_function(tmp_path: Path, by_name: bool, rows: Any) -> None:
    path = written(tmp_path, _two_inputs((rows, 3, 4, 8, 8), (rows, 3)))
    with pytest.raises(UsageError, match=r"takes 2 inputs, 'video' .*'sound'.*--input-factory"):
        load_model(path)

    def inputs(clip: Tensor, path: Any, times: Any) -> Any:
        sound = torch.ones(len(clip), 3)
        return {"sound": sound, "video": clip} if by_name else (clip, sound)

    ours = load_model(path, input_factory=inputs, num_frames=4, size=(8, 8))
    x = torch.randn(3, 3, 4, 8, 8)
    torch.testing.assert_close(scores(ours, x), x.mean((2, 3, 4)) + 1)
    with pytest.raises(UsageError, match="was given 1 inputs: give these"):
        load_model(path, input_factory=lambda clip, *_: (clip,), num_frames=4, size=(8, 8))


def test_two_pathways(tmp_path: Path) -> None:
    path = written(tmp_path, _two_inputs((1, 3, 2, 8, 8), (1, 3, 8, 8, 8)))
    ours = load_model(path, layout="list:4,1")
    assert ours.num_frames == 8 and ours.preprocess.crop == (8, 8)
    x = torch.randn(2, 3, 8, 8, 8)
    expected = x[:, :, [0, 7]].mean((2, 3, 4)) + x.mean((2, 3, 4))
    torch.testing.assert_close(scores(ours, x), expected)
    assert load_model(path, layout="list:8,2").num_frames == 16
    with pytest.raises(UsageError, match=r"list:8,4,1 gives 3 pathways, and the network takes 2"):
        load_model(path, layout="list:8,4,1")


def test_several_outputs(tmp_path: Path) -> None:
    extra = {"embedding": "features", "logits_copy": "logits"}
    path = written(tmp_path, model(extra=extra))
    expected = pool_linear()(clips()).detach()
    named = load_model(path)  # "scores" is a usual name
    torch.testing.assert_close(scores(named, clips()), expected, atol=1e-5, rtol=0)
    asked = load_model(path, output_layout="embedding:NK")
    assert len(asked.labels) == 5
    with pytest.raises(UsageError, match="returns no 'other': there is"):
        load_model(path, output_layout="other:NK")


def test_outputs_without_numbers_are_left_out(tmp_path: Path) -> None:
    describe, made = onnx.helper.make_tensor_value_info, model()
    name = onnx.helper.make_tensor("name", TYPES.STRING, [1], [b"spin"])
    made.graph.node.append(onnx.helper.make_node("Constant", [], ["name"], value=name))
    made.graph.output.append(describe("name", TYPES.STRING, [1]))
    ours = load_model(written(tmp_path, made))
    torch.testing.assert_close(scores(ours, clips()), pool_linear()(clips()).detach())
    del made.graph.output[0]
    with pytest.raises(UsageError, match=r"puts out no numbers but 'name' \(1\) string: export it"):
        load_model(written(tmp_path, made))
