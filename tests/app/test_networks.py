"""The networks that the form offers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import text_networks
from video_cam.app import networks
from video_cam.batch.run_config import ModelConfig
from video_cam.errors import UsageError
from video_cam.models.registry import BUNDLED, DEFAULT

NONE = ModelConfig()


def test_bundled_networks_come_first_then_those_whose_weights_are_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "s3d-d76dad2f.pth").touch()
    monkeypatch.setattr(networks, "cached_file", lambda entry: tmp_path / Path(entry.url).name)
    shown = [shown for shown, _ in networks.network_choices(NONE)]
    assert shown[:4] == [
        "motion3d (bundled)",
        "texture3d (bundled)",
        "transformer3d (bundled)",
        "s3d (on disk)",
    ]
    names = [name for _, name in networks.network_choices(NONE)]
    assert "r3d_18" in names and "frame_lstm" not in names  # it has no pretrained weights
    assert networks.first_choice(NONE) == BUNDLED
    monkeypatch.setattr(networks, "cached_file", lambda entry: Path(__file__))
    assert networks.first_choice(NONE) == DEFAULT


def test_the_network_of_the_command_line_comes_first_with_its_own_weights(tmp_path: Path) -> None:
    own = ModelConfig(f"{tmp_path}/nets.py:make", weights="w.pth", trust_checkpoint=True)
    assert networks.network_choices(own)[0] == ("nets.py:make", own.name)
    assert networks.first_choice(own) == own.name
    assert networks.model_config(own.name, own) == own
    other = networks.model_config(BUNDLED, replace(own, use_cuda=True))
    assert other == ModelConfig(BUNDLED, use_cuda=True)


@pytest.mark.parametrize(
    "name",
    ["", "nets.py:make", "os:system", "net.pt", "net.onnx", "/etc/passwd", "tests/support", "../x",
     "mmaction:tests/conftest.py", "slowfast:x.yaml", "timm:../../x", "no such network"],
)  # fmt: skip
def test_files_and_factories_cannot_be_chosen_in_the_form(name: str) -> None:
    with pytest.raises(UsageError, match="named with --model where the app is started") as error:
        networks.network_facts(name, NONE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["r3d_18", "resnet", "timm:resnet18.a1_in1k", "owner/name-1.0"])
def test_names_of_libraries_can_be_chosen(name: str) -> None:
    assert networks.model_config(name, NONE) == ModelConfig(name)


def test_the_form_shows_classes_and_layers_of_a_network() -> None:
    facts = networks.network_facts(BUNDLED, NONE)
    assert facts.classes[:2] == ("dash left", "dash right")
    assert {"layer3", "layer4"} <= set(facts.layers)
    assert facts.sentence == "bundled: it knows drawn clips only"


def test_a_network_with_texts_is_no_classifier(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    text_networks.save("CLIP", tmp_path)
    facts = networks.network_facts(
        str(tmp_path), ModelConfig(str(tmp_path), weights="none"), ("cup",)
    )
    assert facts.classes == ("cup",)
    assert facts.sentence == "it compares pictures with texts, and sees one frame at a time"
