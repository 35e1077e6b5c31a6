"""Networks in ONNX files: scores and maps as in PyTorch, dtypes, batches and last steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import video_cam
from tests.support.onnx_networks import (
    CLIP,
    clips,
    images,
    model,
    onnx,
    pool_linear,
    save,
    scores,
    written,
)
from tests.support.user_networks import SMALL_INPUT
from video_cam import UsageError, compute_cams, load_model

TYPES = onnx.TensorProto


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
    assert ours.score == score and "maps explain its input, the logits" in ours.notes[0].text
    raw = load_model(str(path), score="raw")
    made = {"Softmax": expected.softmax(1), "Sigmoid": expected.sigmoid()}
    wanted = made.get(last, expected.log_softmax(1))
    torch.testing.assert_close(scores(raw, clips()), wanted, atol=1e-5, rtol=0)
    assert raw.score == "raw"


def test_functions_are_given_what_the_file_puts_out(tmp_path: Path) -> None:
    def first(outputs: Tensor) -> Tensor:
        assert outputs.min() > 0 and outputs.max() < 1
        return outputs[:, 0]

    path = written(tmp_path, model(last="Sigmoid"))
    for options in ({}, {"output_layout": "any"}):
        ours = load_model(path, frame_rate=8, **options)
        [cam] = compute_cams(ours.module, clips(2), methods=["occlusion"], targets=[first])
        torch.testing.assert_close(cam.scores, pool_linear()(clips(2))[:, 0].sigmoid().detach())


def test_the_last_step_ofimages(tmp_path: Path) -> None:
    node, made = onnx.helper.make_node, images(("N", 3, 8, 8))
    made.graph.node[1].output[0] = "means"
    made.graph.node.append(node("Softmax", ["means"], ["scores"]))
    ours = load_model(written(tmp_path, made))
    x = torch.randn(2, 3, 5, 8, 8)
    found, means = ours.module(x), x.mean((3, 4)).transpose(1, 2)
    torch.testing.assert_close(found.scores, means)
    torch.testing.assert_close(found.original, means.softmax(2))
    assert "ends in a softmax" in ours.notes[0].text


def test_the_last_step_of_one_of_several_outputs(tmp_path: Path) -> None:
    path = written(tmp_path, model(last="Sigmoid", extra={"embedding": "features"}))
    ours = load_model(path)
    assert ours.score == "sigmoid" and "ends in a sigmoid" in ours.notes[0].text
    other = load_model(path, output_layout="embedding:NK")
    assert other.score == "softmax" and not other.notes
