"""Networks in ONNX files: scores as in PyTorch, what the file says of itself, and bad files."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import video_cam
from tests.support.onnx_networks import CLIP, FLOAT, model, of_nodes, onnx, pool_linear, save
from tests.support.user_networks import SMALL_INPUT
from video_cam import UsageError, compute_cams, load_model
from video_cam.batch.fingerprint import fingerprint_parts
from video_cam.config import ExplainConfig
from video_cam.layers.outputs import class_scores
from video_cam.layers.weights_digest import digest_of_weights

TYPES = onnx.TensorProto


def clips(count: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 4, 16, 16, generator=torch.Generator().manual_seed(seed))


def written(tmp_path: Path, made: Any) -> str:
    return str(save(made, tmp_path / "net.onnx"))


def scores(classifier: video_cam.Classifier, x: Tensor) -> Tensor:
    with torch.no_grad():
        return class_scores(classifier.module(x))


# Parity with PyTorch


def test_scores_and_occlusion_are_those_of_the_same_network_in_pytorch(
    tmp_path: Path, sample_clip: Path
) -> None:
    network = pool_linear()
    ours = load_model(written(tmp_path, model()), frame_rate=8)
    same = load_model(network, **SMALL_INPUT)
    assert (ours.num_frames, ours.preprocess) == (same.num_frames, same.preprocess)
    x = clips()
    torch.testing.assert_close(scores(ours, x), scores(same, x), atol=1e-4, rtol=0)
    options = {"methods": ["occlusion"], "class_ids": [1], "end": 0.6}
    found, expected = (video_cam.explain(sample_clip, one, **options) for one in (ours, same))
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)
    assert len(found.frame_indices) > 1
    for one, other in zip(found.maps, expected.maps, strict=True):
        assert np.abs(other.values).max() > 1e-3
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 3, None, "N"])
def test_any_number_of_clips_whatever_the_file_fixes(tmp_path: Path, rows: Any) -> None:
    network, x = pool_linear(), clips(4)
    ours = load_model(written(tmp_path, model((rows, *CLIP[1:]))))
    assert ours.max_batch is None
    for count in (1, 2, 3, 4):
        expected = network(x[:count]).detach()
        torch.testing.assert_close(scores(ours, x[:count]), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [TYPES.FLOAT16, TYPES.DOUBLE])
def test_inputs_of_other_precision(tmp_path: Path, kind: int) -> None:
    ours = load_model(written(tmp_path, model(dtype=kind)))
    found = scores(ours, clips())
    assert found.dtype == (torch.float32 if kind == TYPES.FLOAT16 else torch.float64)
    expected = pool_linear()(clips()).detach()
    torch.testing.assert_close(found.float(), expected, atol=2e-3, rtol=0)


def test_a_network_of_pictures_as_they_are_stored(tmp_path: Path) -> None:
    ours = load_model(written(tmp_path, model(dtype=TYPES.UINT8)))
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, 16, 16, 3), np.uint8)
    x = ours.preprocess.tensor(frames)
    assert float(x.max()) > 250 and torch.equal(x, x.round())
    expected = pool_linear()(x).detach()
    torch.testing.assert_close(scores(ours, x), expected, atol=1e-4, rtol=1e-4)
    # Blurred values are rounded, and what lies outside is not wrapped round.
    torch.testing.assert_close(scores(ours, x - 0.4), expected, atol=1e-4, rtol=1e-4)
    limits = x.new_full((1, 3, 4, 16, 16), 255)
    torch.testing.assert_close(scores(ours, limits + 9), scores(ours, limits))
    for name, value in (("mean", (0.5,) * 3), ("std", (0.5,) * 3), ("value_range", 1.0)):
        with pytest.raises(UsageError, match=rf"as they are stored.*leave --{name[:4]}"):
            load_model(str(tmp_path / "net.onnx"), **{name: value})


# What the file says of its input


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


def _images(shape: Any, order: str = "NCHW") -> Any:
    """A network of images: the mean of each channel, after the given order of axes."""
    node = onnx.helper.make_node
    to_first = [0, 3, 1, 2] if order == "NHWC" else [0, 1, 2, 3]
    nodes = [
        node("Transpose", ["image"], ["first"], perm=to_first),
        node("ReduceMean", ["first"], ["scores"], axes=[2, 3], keepdims=0),
    ]
    return of_nodes(nodes, {"image": (FLOAT, shape)})


@pytest.mark.parametrize(
    ("shape", "order"),
    [(("N", 3, 8, 10), "NCHW"), ((4, 3, 8, 10), "NCHW"), ((3, 8, 10, 3), "NHWC")],
)
def test_networks_of_images_score_the_frames(tmp_path: Path, shape: Any, order: str) -> None:
    ours = load_model(written(tmp_path, _images(shape, order)))
    assert ours.input_layout.layout == "frames" and ours.preprocess.crop == (8, 10)
    x = torch.randn(2, 3, 5, 8, 10)
    found = ours.module(x)  # (N, T, classes)
    torch.testing.assert_close(found, x.mean((3, 4)).transpose(1, 2))


def test_stacked_frames_and_other_channels(tmp_path: Path) -> None:
    stacked = load_model(written(tmp_path, _images((1, 12, 8, 8))))
    assert stacked.input_layout.layout == "stacked" and stacked.num_frames == 4
    gray = load_model(written(tmp_path, _images(("N", 1, 8, 8))), channels="gray")
    assert (
        gray.input_layout.layout == "frames" and gray.module(torch.randn(1, 3, 2, 8, 8)).ndim == 3
    )
    flow = load_model(written(tmp_path, _images((1, 20, 16, 16))), channels="flow")
    assert flow.input_layout.layout == "stacked" and flow.num_frames == 11
    with pytest.raises(UsageError, match=r"takes 1 channel and is given 3.*add --channels gray"):
        load_model(written(tmp_path, _images(("N", 1, 8, 8))))


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


# The last step


@pytest.mark.parametrize(
    ("last", "score"), [("Softmax", "softmax"), ("LogSoftmax", "softmax"), ("Sigmoid", "sigmoid")]
)
@pytest.mark.parametrize("data_file", ["", "weights.bin"])
def test_maps_explain_what_the_last_step_is_given(
    tmp_path: Path, last: str, score: str, data_file: str
) -> None:
    path = save(model(last=last), tmp_path / "net.onnx", data_file)
    ours = load_model(str(path))
    expected = pool_linear()(clips()).detach()
    torch.testing.assert_close(scores(ours, clips()), expected, atol=1e-5, rtol=0)
    assert ours.score == score and "maps explain its input, the logits" in ours.note
    raw = load_model(str(path), score="raw")
    made = {"Softmax": expected.softmax(1), "Sigmoid": expected.sigmoid()}
    wanted = made.get(last, expected.log_softmax(1))
    torch.testing.assert_close(scores(raw, clips()), wanted, atol=1e-5, rtol=0)
    assert raw.score == "raw"


def test_the_last_step_of_one_of_several_outputs(tmp_path: Path) -> None:
    path = written(tmp_path, model(last="Sigmoid", extra={"embedding": "features"}))
    ours = load_model(path)
    assert ours.score == "sigmoid" and "ends in a sigmoid" in ours.note
    other = load_model(path, output_layout="embedding:NK")
    assert other.score == "softmax" and not other.note


# Files


def test_weights_in_another_file_are_part_of_the_network(tmp_path: Path) -> None:
    path = save(model(), tmp_path / "net.onnx", "net.bin")
    ours = load_model(str(path))
    torch.testing.assert_close(
        scores(ours, clips()), pool_linear()(clips()).detach(), atol=1e-5, rtol=0
    )

    def parts() -> Any:
        one = load_model(str(path))
        return fingerprint_parts(one, digest_of_weights(one.module), ExplainConfig())["model"]

    first = parts()
    assert parts() == first
    data = bytearray((tmp_path / "net.bin").read_bytes())
    data[-1] ^= 1
    (tmp_path / "net.bin").write_bytes(data)
    assert parts() != first
    (tmp_path / "net.bin").unlink()
    with pytest.raises(UsageError, match=r"has its weights in 'net.bin', which is missing: put"):
        load_model(str(path))


def test_another_network_in_the_file_has_another_fingerprint(tmp_path: Path) -> None:
    codes = {load_model(written(tmp_path, model(network=pool_linear(s)))).code for s in (0, 0, 1)}
    assert len(codes) == 2 and all(len(code) == 64 for code in codes)


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "link.bin"])
def test_weights_outside_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "networks"
    folder.mkdir()
    path = save(model(), folder / "net.onnx", "net.bin")
    (folder / "net.bin").rename(tmp_path / "secret.bin")
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    made = onnx.load(path, load_external_data=False)
    for tensor in made.graph.initializer:
        entry = next(one for one in tensor.external_data if one.key == "location")
        entry.value = name
    save(made, path)
    with pytest.raises(UsageError, match=r"names a data file outside its folder.*it is not read"):
        load_model(str(path))


def test_operators_of_other_libraries_are_refused(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Steal", ["x"], ["scores"], domain="my.operators")]
    made = of_nodes(nodes, {"x": (FLOAT, (1, 3, 4, 8, 8))}, "my.operators")
    with pytest.raises(UsageError, match=r"lacks \(.*my.operators:Steal.*are code and are not"):
        load_model(written(tmp_path, made))


@pytest.mark.parametrize("content", [b"", b"?" * 100, b"\x00" * 50, b"PK\x03\x04 zip", b"\x3a\xff"])
def test_other_files_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read as an ONNX network") as caught:
        load_model(tmp_path / "net.onnx")
    assert "\n" not in str(caught.value)


def test_damaged_files_give_a_network_or_one_line(tmp_path: Path) -> None:
    whole = model().SerializeToString()
    generator = np.random.default_rng(0)
    refused = 0
    for number in range(60):
        data = bytearray(whole)
        if number % 2:
            data = data[: generator.integers(1, len(whole))]
        for place in generator.integers(0, len(data), 3):
            data[place] ^= 1 << int(generator.integers(8))
        (tmp_path / "net.onnx").write_bytes(data)
        try:
            load_model(tmp_path / "net.onnx")
        except UsageError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 30


def test_without_onnx_runtime_or_a_file(tmp_path: Path, monkeypatch) -> None:
    path = written(tmp_path, model())
    with pytest.raises(UsageError, match="no such file"):
        load_model("missing.onnx")
    with pytest.raises(UsageError, match="holds its weights itself: leave --weights out"):
        load_model(path, "none")
    with pytest.raises(UsageError, match="has no CUDA: pip install onnxruntime-gpu"):
        load_model(path, device="cuda:1")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        UsageError, match=r"run by ONNX Runtime, which is missing: pip install 'video-cam\[onnx\]'"
    ):
        load_model(path)


def test_a_network_of_a_file_as_any_other(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    ours = load_model(written(tmp_path, model()), labels=names, frame_rate=Fraction(6))
    assert (ours.labels, ours.frame_rate, ours.name) == (tuple(names), 6, "net.onnx")
    assert ours.trained and ours.layer == "" and ours.place.startswith("ONNX Runtime's CPU")
    with pytest.raises(UsageError, match=r"3 names, the network has 4 classes|has 3"):
        load_model(str(tmp_path / "net.onnx"), labels=names[:3])
    [cam] = compute_cams(ours.module, clips(2), methods=["occlusion"], targets=[1])
    assert cam.layer == "input" and cam.values.shape[0] == 2


def test_only_local_providers_and_the_threads_of_the_caller(tmp_path: Path, monkeypatch) -> None:
    import onnxruntime

    seen: list[Any] = []
    whole = onnxruntime.InferenceSession

    def session(content: Any, options: Any, **named: Any) -> Any:
        seen.append((options.intra_op_num_threads, named))
        return whole(content, options, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    load_model(written(tmp_path, model()))
    assert seen == [(torch.get_num_threads(), {"providers": ["CPUExecutionProvider"]})]
