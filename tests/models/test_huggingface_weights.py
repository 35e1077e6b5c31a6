"""Weights of transformers: all of the network's tensors, and nothing on the terminal beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import text_networks as tiny
from video_cam import UsageError, load_model

transformers = pytest.importorskip("transformers")


@pytest.fixture
def without_head(tmp_path: Path) -> Path:
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    network = transformers.ViTForImageClassification(config)
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("classifier")}
    network.save_pretrained(tmp_path, state_dict=state)
    return tmp_path


def test_a_head_that_the_weights_lack_is_refused(without_head: Path) -> None:
    with pytest.raises(UsageError, match=r"2 missing \(classifier\.weight, classifier\.bias\)"):
        load_model(without_head)
    notes = load_model(without_head, allow_partial=True).notes
    [note] = [one for one in notes if "2 missing (classifier.weight" in one.text]
    assert note.kind == "warning"


def test_transformers_writes_nothing_and_is_left_as_it_was(
    without_head: Path, tmp_path: Path, capfd
) -> None:
    logging = transformers.utils.logging
    folder = tmp_path / "texts"
    tiny.save("Siglip", folder)  # its defaults name tokens that a small vocabulary has not
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    capfd.readouterr()
    load_model(folder, text=["cup", "car"])
    load_model(without_head, allow_partial=True)
    written = capfd.readouterr()
    assert written.out == "" and written.err == ""
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
