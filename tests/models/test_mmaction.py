"""mmaction2's recognisers: their configuration, and where the packages are, their own scores."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from video_cam import UsageError, load_model
from video_cam.models.mmaction import register_networks, settings_of, without_log

PREPROCESSOR = {"mean": [51, 102, 153], "std": [25.5, 51, 255], "format_shape": "NCTHW"}


def config_of(kind: str = "Recognizer3D", **changes: Any) -> dict[str, Any]:
    return {
        "model": {
            "type": kind,
            "cls_head": {"num_classes": 7},
            "data_preprocessor": PREPROCESSOR | changes.pop("preprocessor", {}),
        },
        "test_pipeline": changes.pop(
            "steps",
            [
                {"type": "SampleFrames", "clip_len": 32, "frame_interval": 2, "num_clips": 10},
                {"type": "Resize", "scale": (-1, 256)},
                {"type": "ThreeCrop", "crop_size": 224},
            ],
        ),
    }


def test_the_settings_of_a_3d_recogniser() -> None:
    found = settings_of(config_of(), "x")
    assert (found.classes, found.num_frames, found.frame_rate) == (7, 32, 15)
    assert (found.preprocess.resize, found.preprocess.crop) == (256, (224, 224))
    assert found.preprocess.mean == pytest.approx((0.2, 0.4, 0.6))
    assert found.preprocess.std == pytest.approx((0.1, 0.2, 1.0)) and found.channels == "rgb"


def test_the_settings_of_a_2d_recogniser() -> None:
    steps = [
        {"type": "SampleFrames", "clip_len": 1, "frame_interval": 1, "num_clips": 25},
        {"type": "Resize", "scale": (320, 240), "keep_ratio": False},
        {"type": "CenterCrop", "crop_size": (200, 220)},
    ]
    found = settings_of(config_of("Recognizer2D", steps=steps, preprocessor={"to_rgb": True}), "x")
    assert (found.num_frames, found.frame_rate) == (25, Fraction(5, 2))
    assert (found.preprocess.resize, found.preprocess.crop) == ((240, 320), (220, 200))
    # The numbers are those of the turned channels.
    assert found.channels == "bgr" and found.preprocess.mean == pytest.approx((0.6, 0.4, 0.2))


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        ("Recognizer3D", {"type": "UniformSample", "clip_len": 16, "num_clips": 4}, (16, 8 / 5)),
        ("Recognizer3D", {"type": "DenseSampleFrames", "clip_len": 32, "frame_interval": 2},
         (32, 15)),
        ("Recognizer2D",
         {"type": "SampleFrames", "clip_len": 8, "frame_interval": 8, "num_clips": 10},
         (8, 15 / 4)),
        ("Recognizer2D", {"type": "DenseSampleFrames", "clip_len": 1, "num_clips": 8}, (8, 15 / 4)),
        ("Recognizer2D", {"type": "mmaction.SampleFrames", "clip_len": 1, "num_clips": 8},
         (8, 4 / 5)),
    ],
)  # fmt: skip
def test_frames_and_their_rate(kind: str, step: dict[str, Any], expected: tuple) -> None:
    found = settings_of(config_of(kind, steps=[step]), "x")
    assert (found.num_frames, float(found.frame_rate)) == pytest.approx(expected)


def test_a_configuration_without_a_test_pipeline_is_refused() -> None:
    """As of UniFormerV2's pretraining: it would be shown two frames of a thirtieth of a second."""
    with pytest.raises(UsageError, match="does not say which frames its network takes"):
        settings_of(config_of(steps=[]), "x")


PACKAGE = {
    "__init__.py": "",
    "models/__init__.py": "from .recognizers import *\nfrom .multimodal import *\n",
    "models/recognizers.py": "RUNS = 1\n",
    "models/multimodal/__init__.py": "from transformers.modeling_utils import not_there_any_more\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """A package of mmaction's form, of which one part needs another version of transformers."""
    for name, text in PACKAGE.items():
        path = tmp_path / "mmaction" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mmaction"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "mmaction"
    for name in [name for name in sys.modules if name.partition(".")[0] == "mmaction"]:
        del sys.modules[name]


def test_networks_of_text_and_video_may_fail_to_import(package: Path) -> None:
    register_networks()
    assert sys.modules["mmaction.models"].RUNS == 1
    assert "mmaction.models.multimodal" not in sys.modules


def test_recognisers_may_not(package: Path) -> None:
    (package / "models/recognizers.py").write_text("import not_there_either\n")
    with pytest.raises(ImportError, match="not_there_either"):
        register_networks()


def test_what_networks_log_while_they_are_built_is_left_out(caplog) -> None:
    with caplog.at_level(logging.INFO), without_log():
        logging.getLogger("mmengine").info("layer1.0.conv1.weight: KaimingInit")
        logging.getLogger("mmengine").warning("unknown option")
    logging.getLogger("mmengine").warning("later")
    assert [record.message for record in caplog.records] == ["unknown option", "later"]


@pytest.mark.parametrize(
    "config",
    [
        {},
        config_of("RecognizerGCN"),
        config_of(preprocessor={"mean": [128, 128], "std": [128, 128]}),
        {"model": {"type": "Recognizer3D"}},
    ],
)
def test_other_networks_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"expected a Recognizer2D or Recognizer3D"):
        settings_of(config, "x")


def test_without_the_packages_it_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mmengine", None)
    (tmp_path / "config.py").write_text("model = {}\n")
    with pytest.raises(UsageError, match=r"pip install mmaction2 mmengine mmcv$"):
        load_model(f"mmaction:{tmp_path / 'config.py'}", "none")
    with pytest.raises(UsageError, match=r"no such file: 'nowhere.py'"):
        load_model("mmaction:nowhere.py", "none")


CONFIG_2D = """
model = dict(
    type='Recognizer2D',
    backbone=dict(type='ResNet', depth=18, pretrained='https://example.org/w.pth'),
    cls_head=dict(type='TSNHead', num_classes=5, in_channels=512,
                  consensus=dict(type='AvgConsensus', dim=1), average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53],
                           std=[58.395, 57.12, 57.375], format_shape='NCHW'))
test_pipeline = [dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=3),
                 dict(type='Resize', scale=(-1, 64)), dict(type='CenterCrop', crop_size=64)]
"""


def test_its_scores_are_those_of_mmaction(tmp_path: Path) -> None:
    """From a checkpoint as mmengine writes it; the number of classes is the checkpoint's."""
    pytest.importorskip("mmaction.models", exc_type=Exception)
    from mmaction.structures import ActionDataSample
    from mmengine.config import Config
    from mmengine.logging import MessageHub
    from mmengine.registry import MODELS, DefaultScope

    path = tmp_path / "config.py"
    path.write_text(CONFIG_2D)
    settings = Config.fromfile(path).model.to_dict()
    settings["backbone"]["pretrained"], settings["cls_head"]["num_classes"] = None, 4
    with DefaultScope.overwrite_default_scope("mmaction"):
        own = MODELS.build(settings).eval()
    hub = MessageHub.get_instance("test")
    hub.update_scalar("train/loss", 0.5)
    content = {"state_dict": own.state_dict(), "message_hub": hub.state_dict()}
    torch.save(content, tmp_path / "epoch_1.pth")
    model = load_model(f"mmaction:{path}", tmp_path / "epoch_1.pth")
    frames = np.random.default_rng(0).integers(0, 255, (1, 3, 64, 64, 3), np.uint8)
    images = torch.tensor(frames[0]).permute(0, 3, 1, 2)
    with torch.no_grad():
        data = {"inputs": [images], "data_samples": [ActionDataSample()]}
        [sample] = own(**own.data_preprocessor(data, False), mode="predict")
        scores = model.module(model.preprocess.tensor(frames)).softmax(1)[0]
    assert torch.allclose(scores, sample.pred_scores.item, atol=1e-5)
    assert len(model.labels) == 4 and model.code and model.num_frames == 3
