"""Folders of transformers from unknown sources: damage is told in one line, and no code runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.pickles import CONTAINERS, PAYLOADS, run
from video_cam import UsageError, load_model

transformers = pytest.importorskip("transformers")

CONFIG = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "num_labels": 3,
    "image_size": 32,
    "patch_size": 8,
    "num_frames": 6,
    "tubelet_size": 2,
}


@pytest.fixture
def videomae(tmp_path: Path) -> Path:
    """A folder with a network of one kind, and the processor's file beside."""
    config = transformers.VideoMAEConfig(**CONFIG)
    transformers.VideoMAEForVideoClassification(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{}")
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load_model(str(folder))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[1]", "[" * 100_000, '{"size": NaN}'),
        *('{"image_mean": [1, 2]}', '{"image_mean": ["a", "b", "c"]}', '{"image_std": [0, 1, 1]}'),
        *('{"size": {"shortest_edge": -3}}', '{"size": {"height": 3}}', '{"crop_size": 1000000}'),
        '{"size": {"shortest_edge": [3]}}',
    ],
    ids=lambda content: content[:40],
)
def test_a_damaged_processor_file_is_one_line(content: str, videomae: Path) -> None:
    (videomae / "preprocessor_config.json").write_text(content)
    assert "cannot be used" in refusal(videomae)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"rescale_factor": 0}', "rescale_factor 0 of its processor is no number above 0"),
        ('{"rescale_factor": "small"}', "rescale_factor 'small' of its processor is no number"),
        ('{"resample": null}', "resample None of its processor is none of Pillow's filters"),
        ('{"resample": 9}', "resample 9 of its processor is none of Pillow's filters"),
    ],
)
def test_a_wrong_number_of_a_processor_is_named(content: str, said: str, videomae: Path) -> None:
    (videomae / "preprocessor_config.json").write_text(content)
    assert said in refusal(videomae)


@pytest.mark.parametrize(
    "changes",
    [
        None,
        {"num_frames": -1},
        {"num_frames": "many"},
        {"num_frames": 10**9},
        {"id2label": {"0": 3}},
        {"id2label": {"a": "b"}},
        {"architectures": [3]},
        {"architectures": 3},
        {"hidden_size": "large"},
        {"num_attention_heads": 0},
        {"patch_size": 0},
        {"model_type": ["videomae"]},
    ],
    ids=str,
)
def test_a_damaged_configuration_is_one_line(changes: dict[str, Any] | None, videomae) -> None:
    path = videomae / "config.json"
    if changes is None:
        path.write_text("[" * 100_000)
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert "cannot be" in refusal(videomae) or "expected" in refusal(videomae)


@pytest.mark.parametrize("opcode", ["REDUCE", "INST", "BUILD"])
def test_weights_that_would_run_code_are_one_line(opcode: str, videomae: Path, tmp_path) -> None:
    marker = tmp_path / "marker"
    (videomae / "model.safetensors").unlink()
    payload = PAYLOADS[opcode](str(marker))
    CONTAINERS["archive"](videomae / "pytorch_model.bin", payload)
    assert "cannot be loaded" in refusal(videomae)
    assert not marker.exists()
    run(payload)
    assert marker.exists()


def test_weights_that_are_damaged_are_one_line(videomae: Path) -> None:
    path = videomae / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert "cannot be loaded" in refusal(videomae)
