"""ONNX files with weights beside them, damaged ones, other files, and what is missing."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.onnx_networks import (
    FLOAT,
    clips,
    model,
    of_nodes,
    onnx,
    pool_linear,
    save,
    scores,
    written,
)
from video_cam import UsageError, compute_cams, load_model
from video_cam.batch.fingerprint import fingerprint_parts
from video_cam.config import ExplainConfig
from video_cam.layers.weights_digest import digest_of_weights


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


def test_names_that_are_no_text(tmp_path: Path) -> None:
    data = model(("CLIPS", 3, 4, 16, 16)).SerializeToString()
    assert data.count(b"CLIPS") > 1
    for name in (b"CLIPS", b"video", b"logits"):
        (tmp_path / "net.onnx").write_bytes(data.replace(name, b"\xff" * len(name)))
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
