"""torch.export programs and pickled modules: which are loaded, and which need trust."""

from __future__ import annotations

import contextlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.networks import PoolLinear
from tests.support.user_networks import SMALL_INPUT
from video_cam import UsageError, compute_cams, load_model
from video_cam.models.saved_networks import is_saved_network, load_saved_network, takes_one_clip


class RunsCode:
    """Unpickling it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def export(network: nn.Module, path: Path, batch: int = 1, any_batch: bool = False) -> Path:
    """``network`` as a torch.export program for clips (batch, 3, 4, 16, 16)."""
    shapes = ({0: torch.export.Dim.DYNAMIC},) if any_batch else None
    x = torch.randn(batch, 3, 4, 16, 16)
    torch.export.save(torch.export.export(network, (x,), dynamic_shapes=shapes), path)
    return path


@pytest.mark.parametrize(("text", "expected"), [("a/n.pt2", True), ("n.pt", True), ("n.py", False)])
def test_what_is_written_like_a_saved_network(text: str, expected: bool) -> None:
    assert is_saved_network(text) is expected


def test_a_whole_saved_module_only_with_trust(tmp_path: Path) -> None:
    path, other, marker = (tmp_path / name for name in ("net.pt", "other.pt", "marker"))
    network = PoolLinear()
    torch.save(network, path)
    torch.save([network, RunsCode(marker)], other)
    for untrusted in (path, other):
        with pytest.raises(UsageError, match="add --trust-checkpoint"):
            load_model(str(untrusted), **SMALL_INPUT)
    assert not marker.exists()
    model = load_model(str(path), trust_checkpoint=True, **SMALL_INPUT)
    assert model.name == "net.pt" and model.layer == "relu"
    assert torch.equal(model.module.fc.weight, network.fc.weight)


def test_a_module_in_a_checkpoint_is_found(tmp_path: Path) -> None:
    torch.save({"model": PoolLinear(), "epoch": 3}, tmp_path / "net.ckpt")
    assert isinstance(load_saved_network(tmp_path / "net.ckpt", trust=True), PoolLinear)


def test_an_exported_program_that_would_run_code_only_with_trust(tmp_path: Path) -> None:
    marker, bad = tmp_path / "marker", tmp_path / "bad.pt2"
    good = export(PoolLinear().eval(), tmp_path / "good.pt2")
    buffer = io.BytesIO()
    torch.save(RunsCode(marker), buffer)
    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(bad, "w") as crafted:
        for name in archive.namelist():
            is_sample = "sample_inputs" in name
            crafted.writestr(name, buffer.getvalue() if is_sample else archive.read(name))
    for path in (good, bad):
        with pytest.raises(UsageError, match="add --trust-checkpoint"):
            load_model(str(path), **SMALL_INPUT)
    assert not marker.exists()
    with contextlib.suppress(UsageError):
        load_model(str(bad), trust_checkpoint=True, **SMALL_INPUT)
    assert marker.exists()  # the file is one that runs code where it is trusted


def test_an_exported_program_has_the_maps_of_its_network(tmp_path: Path) -> None:
    network = PoolLinear().eval()
    path = export(network, tmp_path / "n.pt2", batch=2, any_batch=True)
    model = load_model(str(path), trust_checkpoint=True, **SMALL_INPUT)
    assert model.max_batch is None
    x = torch.randn(2, 3, 4, 16, 16)
    [ours] = compute_cams(model.module, x, layers=["conv2"], targets=[1])
    [expected] = compute_cams(network, x, layers=["conv2"], targets=[1])
    torch.testing.assert_close(ours.values, expected.values)


def test_a_program_exported_for_one_clip_gets_one_at_a_time(
    tmp_path: Path, sample_clip: Path
) -> None:
    network = PoolLinear().eval()
    path = export(network, tmp_path / "n.pt2")
    model = load_model(str(path), trust_checkpoint=True, **SMALL_INPUT)
    assert model.max_batch == 1 and model.batch(8) == 1
    options = {"class_ids": [1], "layers": ["conv2"], "methods": ["gradcam", "ablationcam"]}
    ours = video_cam.explain(sample_clip, model, **options)
    same = video_cam.explain(sample_clip, load_model(network, **SMALL_INPUT), **options)
    assert len(ours.frame_indices) > 1
    for one, other in zip(ours.maps, same.maps, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)
        assert np.abs(other.values).max() > 1e-3


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_torchscript_network_only_with_trust(tmp_path: Path) -> None:
    path, network = tmp_path / "s.pt", PoolLinear().eval()
    torch.jit.script(network).save(path)
    with pytest.raises(UsageError, match=r"holds a TorchScript network, .*add --trust-checkpoint"):
        load_model(str(path), **SMALL_INPUT)
    model = load_model(str(path), trust_checkpoint=True, **SMALL_INPUT)
    x = torch.randn(2, 3, 4, 16, 16)
    torch.testing.assert_close(model.module(x), network(x))
    assert model.name == "s.pt" and model.layer == "" and len(model.code) == 64
    with pytest.raises(UsageError, match="holds its weights itself: leave --weights out"):
        load_model(str(path), "none", trust_checkpoint=True, **SMALL_INPUT)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "bad.pt", "w") as crafted:
        for name in archive.namelist():
            crafted.writestr(name, b"?" if name.endswith(".py") else archive.read(name))
    with pytest.raises(UsageError, match="cannot be read as a TorchScript network"):
        load_saved_network(tmp_path / "bad.pt", trust=True)


def test_an_ordinary_network_takes_any_number_of_clips() -> None:
    assert not takes_one_clip(PoolLinear())


def _save_weights(path: Path) -> None:
    weights: dict[str, Tensor] = PoolLinear().state_dict()
    torch.save(weights, path)


@pytest.mark.parametrize(
    ("name", "save", "words"),
    [
        ("w.pth", _save_weights, r"holds weights without a network: give it to --weights"),
        (
            "n.pt",
            lambda path: path.write_bytes(b""),
            r"cannot be read .*expected a saved",
        ),
        ("n.pt2", lambda path: path.write_bytes(b"?"), r"cannot be read as a torch.export program"),
        ("missing.pt", lambda path: None, r"no such file"),
    ],
)
def test_other_files_are_refused_with_a_way_out(tmp_path: Path, name, save, words: str) -> None:
    save(tmp_path / name)
    with pytest.raises(UsageError, match=words):
        load_saved_network(tmp_path / name, trust=True)


def test_a_trusted_file_without_the_code_of_its_classes(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "vanishing.py").write_text("class Gone:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import vanishing

    torch.save(vanishing.Gone(), tmp_path / "n.pt")
    monkeypatch.delitem(sys.modules, "vanishing")
    # The folder of the file is searched for the module.
    with pytest.raises(UsageError, match="holds weights without a network"):
        load_saved_network(tmp_path / "n.pt", trust=True)
    (tmp_path / "vanishing.py").unlink()
    monkeypatch.delitem(sys.modules, "vanishing")
    with pytest.raises(UsageError, match="the code of its classes has to be importable"):
        load_saved_network(tmp_path / "n.pt", trust=True)
