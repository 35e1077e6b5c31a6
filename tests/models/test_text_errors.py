"""Networks with texts: what cannot be used is one line that says what would work."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.test_huggingface import BERT, write_repository_with_code
from tests.support import text_networks as tiny
from video_cam import UsageError, explain, load_model
from video_cam.models import hub
from video_cam.models.weights import WeightsUnavailable

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("CLIP")
    tiny.save("CLIP", folder)
    return folder


def message(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 400
    return text


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("r3d_18", "'r3d_18' is no network of transformers, which reads no texts: --text needs "),
        ("file.py:net", "'file.py:net' is no network of transformers"),
        (torch.nn.Conv3d(3, 2, 1), "the network is a Conv3d at hand, which reads no texts"),
        ("r3d_81", "unknown model 'r3d_81': did you mean r3d_18"),
    ],
)
def test_a_network_without_a_text_part(network: Any, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_model(network, text="cup")
    assert expected in message(caught)


def test_a_classifier_of_transformers(tmp_path: Path) -> None:
    config = transformers.ViTConfig(architectures=["ViTForImageClassification"])
    config.save_pretrained(tmp_path)
    with pytest.raises(UsageError) as caught:
        load_model(tmp_path, text="cup")
    assert "is a vit ViTForImageClassification, which reads no texts: --text needs " in message(
        caught
    )
    assert "--model openai/clip-vit-base-patch32" in message(caught)


def test_a_network_of_texts_without_a_text(clip_folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_model(clip_folder)
    assert "compares clips with texts: give --text" in message(caught)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"text": "x " * 90}, "has 100 tokens, and the network reads at most 77: shorten it to"),
        ({"text": "cup", "labels": ["cup"]}, "the texts are the names of the classes"),
        ({"text": "cup", "text_template": "cup"}, "must have {} once"),
        ({"text_negative": "cup"}, "text_negative 'cup' needs a text"),
    ],
)
def test_wrong_options(clip_folder: Path, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_model(clip_folder, **options)
    assert expected in message(caught)


def test_a_class_that_is_no_text(clip_folder: Path) -> None:
    model = load_model(clip_folder, text=["a red car", "a dog"])
    with pytest.raises(UsageError) as caught:
        explain("clips/spin.mp4", model, class_ids=["a red cat"])
    assert message(caught) == "unknown class 'a red cat': did you mean a red car?"


@pytest.mark.parametrize("kind", ["CLIP", "Siglip"])
def test_a_folder_without_a_tokenizer(kind: str, tmp_path: Path) -> None:
    tiny.tiny_network(kind).save_pretrained(tmp_path)
    with pytest.raises(UsageError) as caught:
        load_model(tmp_path, text="cup")
    files = {
        "CLIP": "put tokenizer.json or vocab.json with merges.txt of the same network there",
        "Siglip": "put tokenizer.json or spiece.model or tokenizer.model of the same network there",
    }
    assert "has no tokenizer, which makes numbers of the text: " in message(caught)
    assert message(caught).endswith(files[kind])


def test_the_tokenizer_of_another_network(tmp_path: Path) -> None:
    network = tiny.tiny_network("CLIP")
    network.config.text_config.vocab_size = 20
    network.config.save_pretrained(tmp_path)
    tiny.tokenizer("CLIP").save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="and the network has 20 of them: it belongs to another"):
        load_model(tmp_path, text="cup")


def test_a_package_that_the_tokenizer_needs(tmp_path: Path, monkeypatch) -> None:
    tiny.tiny_network("Siglip").save_pretrained(tmp_path)
    (tmp_path / "spiece.model").write_bytes(b"pieces")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "SiglipTokenizer"}')

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise ImportError("SiglipTokenizer requires the SentencePiece library")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(UsageError) as caught:
        load_model(tmp_path, text="cup")
    assert message(caught).endswith(
        "needs the package sentencepiece: pip install 'video-cam[transformers]'"
    )


def test_weights_without_the_text_part(tmp_path: Path) -> None:
    network = tiny.save("CLIP", tmp_path)
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("text_model")}
    network.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(UsageError) as caught:
        load_model(tmp_path, text="cup")
    lacking = r"\d+ missing \(text_model\.\S+, .*\); --allow-partial loads what fits"
    assert re.search(lacking, message(caught))
    [note] = load_model(tmp_path, text="cup", allow_partial=True).notes
    assert " tensors were loaded: 20 missing" in note.text and note.kind == "warning"


def test_without_a_connection_it_says_what_to_download(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "why_no_download", lambda url: "no route to host")
    with pytest.raises(WeightsUnavailable) as caught:
        load_model(text="cup")
    assert message(caught) == (
        "'openai/clip-vit-base-patch32' is neither on disk nor available from the Hugging Face hub "
        "(no route to host): download config.json, preprocessor_config.json, tokenizer.json and "
        "model.safetensors from there to a folder, and give --model FOLDER"
    )


def test_without_transformers(monkeypatch, clip_folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError) as caught:
        load_model(clip_folder, text="cup")
    assert "need the package transformers: pip install" in message(caught)


def test_code_in_the_folder_is_not_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _question="": "y")
    tiny.save("CLIP", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    marker = write_repository_with_code(tmp_path, config)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings["auto_map"] = {"AutoTokenizer": ["own_code.Network", "own_code.Network"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    load_model(tmp_path, text="cup", trust_checkpoint=True)
    assert not marker.exists()
    write_repository_with_code(tmp_path, BERT | {"model_type": "own"})
    with pytest.raises(UsageError):
        load_model(tmp_path, text="cup", trust_checkpoint=True)
    assert not marker.exists()
