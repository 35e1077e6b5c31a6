"""Classifiers of the transformers package from a local folder, at a tiny size."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.random_networks import fill, most_changed_cells, patch_of_cell
from video_cam import Classifier, UsageError, compute_cams, load_model
from video_cam.layers.reachability import layers_affecting_scores
from video_cam.models import hub
from video_cam.models.huggingface import huggingface_spec, is_repository
from video_cam.models.huggingface_video import VIDEO_FAMILIES
from video_cam.models.weights import WeightsUnavailable

transformers = pytest.importorskip("transformers")

SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "num_labels": 3,
}
JEPA = SMALL | {
    "mlp_ratio": 2,
    "num_pooler_layers": 1,
    "pred_hidden_size": 24,
    "pred_num_attention_heads": 2,
    "pred_num_hidden_layers": 1,
}
# name -> (kind, configuration, size, default layer, its grid)
NETWORKS: dict[str, tuple[str, dict[str, Any], str, tuple[int, int, int]]] = {
    "videomae": (
        "VideoMAE",
        SMALL | {"image_size": 32, "patch_size": 8, "num_frames": 6, "tubelet_size": 2},
        "videomae.encoder.layer.1",
        (3, 4, 4),
    ),
    "timesformer": (
        "Timesformer",
        SMALL | {"image_size": 32, "patch_size": 8, "num_frames": 3},
        "timesformer.encoder.layer.1.layernorm_before",
        (3, 4, 4),
    ),
    "vivit": (
        "Vivit",
        SMALL | {"image_size": 32, "num_frames": 6, "tubelet_size": [2, 8, 8]},
        "vivit.layers.1.layernorm_before",
        (3, 4, 4),
    ),
    "vjepa2": (
        "VJEPA2",
        JEPA | {"crop_size": 32, "patch_size": 8, "frames_per_clip": 6, "tubelet_size": 2},
        "vjepa2.encoder.layernorm",
        (3, 4, 4),
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def saved(request, tmp_path_factory) -> tuple[Path, str]:
    """A folder as save_pretrained writes it, with the processor's file beside."""
    kind, values, _, _ = NETWORKS[request.param]
    config = getattr(transformers, f"{kind}Config")(**values)
    network = getattr(transformers, f"{kind}ForVideoClassification")(config)
    folder = tmp_path_factory.mktemp(request.param)
    fill(network)
    for name, parameter in network.named_parameters():
        if "temporal_dense" in name:  # frames influence each other so little that cells differ
            parameter.data *= 0.1
    network.save_pretrained(folder)
    processor = {
        "rescale_factor": 1 / 255,
        "offset": False,
        "size": {"shortest_edge": 36},
        "crop_size": {"height": 32, "width": 32},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.2, 0.2],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder, request.param


def test_a_folder_as_save_pretrained_writes_it(saved) -> None:
    folder, name = saved
    model = load_model(str(folder))
    _, values, layer, grid = NETWORKS[name]
    assert model.layer == layer
    assert model.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert model.preprocess.resize == 36 and model.preprocess.crop == (32, 32)
    assert model.preprocess.mean == pytest.approx((0.5, 0.4, 0.3))
    size = (model.num_frames, 32, 32)
    assert size[0] == (values.get("num_frames") or values["frames_per_clip"])
    fold = model.layers(size).folds[layer]
    assert fold.grid == grid and "tokens folded as 3x4x4" in str(fold) and "guess" not in str(fold)
    assert layers_affecting_scores(model.module, size, [layer], {layer: fold}) == [layer]
    _assert_patches_show_in_their_cells(model, layer, grid, size)


def _assert_patches_show_in_their_cells(
    model: Classifier, layer: str, grid: Any, size: Any
) -> None:
    """A bright patch of the input changes its own cell most; no two axes may be exchanged."""
    cells = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 3, 1]]
    patches = [patch_of_cell(cell, size, grid) for cell in cells]
    assert most_changed_cells(model, layer, patches) == cells


def test_timesformers_tokens_run_through_time_fastest(tmp_path: Path) -> None:
    config = transformers.TimesformerConfig(**NETWORKS["timesformer"][1])
    fill(transformers.TimesformerForVideoClassification(config)).save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    layer = "timesformer.encoder.layer.0"  # puts out (N, 1 + H' W' T', K)
    _assert_patches_show_in_their_cells(model, layer, (3, 4, 4), (3, 32, 32))


def test_the_networks_own_outputs_give_the_same_map(saved) -> None:
    folder, name = saved
    model = load_model(str(folder))
    layer = NETWORKS[name][2]
    size = (model.num_frames, 32, 32)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    [cam] = compute_cams(
        model.module, x, layers=[layer], targets=[2], unpack=model.layers(size).folds
    )
    assert cam.values.shape == (2, *NETWORKS[name][3]) and (cam.values != 0).any()
    # The package's own network, which puts out an object with logits.
    network = type(model.module).__mro__[1].from_pretrained(folder)
    key = "pixel_values_videos" if name == "vjepa2" else "pixel_values"
    inputs = {key: x.transpose(1, 2)}
    [raw] = compute_cams(
        network, inputs, layers=[layer], targets=[2], unpack=model.layers(size).folds
    )
    torch.testing.assert_close(raw.values, cam.values, atol=1e-5, rtol=1e-4)
    [ablated] = compute_cams(
        model.module,
        x[:1],
        layers=[layer],
        methods=["ablationcam"],
        targets=[2],
        unpack=model.layers(size).folds,
    )
    assert ablated.values.isfinite().all()


def test_an_image_network_is_applied_frame_by_frame(tmp_path: Path) -> None:
    config = transformers.ViTConfig(**SMALL, image_size=32, patch_size=8)
    fill(transformers.ViTForImageClassification(config)).save_pretrained(tmp_path)
    model = load_model(str(tmp_path), num_frames=2)
    assert model.framewise and model.preprocess.crop == (32, 32)
    # The head reads only the class token of the last block, so an earlier layer is chosen.
    assert not model.layer.startswith("vit.encoder.layer.1.output")
    assert model.layers((2, 32, 32)).folds[model.layer].grid == (2, 4, 4)


def test_a_network_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(hidden_size=8, num_attention_heads=1, num_hidden_layers=1)
    config.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="expected a classifier of images or of the kinds"):
        load_model(str(tmp_path))


def test_a_folder_without_weights(tmp_path: Path) -> None:
    transformers.VivitConfig(**NETWORKS["vivit"][1]).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_model(str(tmp_path))
    assert not load_model(str(tmp_path), "none").trained


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{folder}", True),
        ("{empty}", False),
        ("owner/name", True),
        ("a/b/c", False),
        ("r3d", False),
    ],
)
def test_what_is_written_like_a_repository(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "config.json").write_text("{}")
    name = text.format(folder=tmp_path, empty=tmp_path / "empty")
    assert is_repository(name) is expected


def test_a_name_that_is_neither_on_disk_nor_on_the_hub(monkeypatch) -> None:
    monkeypatch.setattr(hub, "why_no_download", lambda url: "no route to host")
    with pytest.raises(WeightsUnavailable) as caught:
        load_model("nobody/nothing-like-it")
    assert str(caught.value) == (
        "'nobody/nothing-like-it' is neither on disk nor available from the Hugging Face hub "
        "(no route to host)"
    )


@pytest.mark.parametrize(
    ("processor", "resize", "crop"),
    [
        ({"size": {"shortest_edge": 36}, "crop_size": {"height": 30, "width": 32}}, 36, (30, 32)),
        ({"size": {"height": 36, "width": 40}, "do_center_crop": False}, (36, 40), (36, 40)),
        ({"size": 36, "crop_size": 32}, 36, (32, 32)),
        ({"crop_size": 32, "do_resize": False}, 32, (32, 32)),
        ({}, (32, 32), (32, 32)),
    ],
)
def test_sizes_as_preprocessing_files_write_them(tmp_path: Path, processor, resize, crop) -> None:
    transformers.VivitConfig(**NETWORKS["vivit"][1]).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["architectures"] = ["VivitForVideoClassification"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    preprocess = huggingface_spec(str(tmp_path)).preprocess
    assert (preprocess.resize, preprocess.crop) == (resize, crop)


VIVIT = (
    SMALL
    | {"model_type": "vivit", "image_size": 32, "num_frames": 6}
    | {
        "tubelet_size": [2, 8, 8],
        "architectures": ["VivitForVideoClassification"],
    }
)
SSV2 = ("Pushing something off something", "Pretending to throw something")


@pytest.mark.parametrize(
    ("kind", "num_frames", "labels", "rate"),
    [
        ("videomae", 16, ("archery",), "15/2"),
        ("videomae", 16, SSV2, "4"),
        ("timesformer", 8, ("archery",), "15/16"),
        ("timesformer", 16, ("archery",), "15/8"),
        ("timesformer", 96, ("archery",), "15/2"),
        ("timesformer", 8, SSV2, "2"),
        ("vivit", 32, ("archery",), "15"),
        ("vjepa2", 16, SSV2, "3"),
        ("vjepa2", 64, SSV2, "6"),
        ("vjepa2", 32, ("Forward dive",), "15"),
    ],
)
def test_the_frame_rate_is_that_of_training(kind, num_frames, labels, rate) -> None:
    assert VIDEO_FAMILIES[kind].frame_rate(num_frames, labels) == Fraction(rate)


@pytest.mark.parametrize(
    ("file", "nested"),
    [
        ("video_preprocessor_config.json", None),
        ("processor_config.json", "video_processor"),
        ("preprocessor_config.json", None),
    ],
)
def test_the_file_of_a_processor_of_videos(tmp_path: Path, file: str, nested: str | None) -> None:
    transformers.VivitConfig(**VIVIT).save_pretrained(tmp_path)
    settings = {"size": {"shortest_edge": 40}, "crop_size": 32, "do_normalize": False}
    image = settings | {"size": {"shortest_edge": 50}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(image))
    (tmp_path / file).write_text(json.dumps({nested: settings} if nested else settings))
    spec = huggingface_spec(str(tmp_path))
    assert spec.preprocess.resize == 40 and spec.notes == ()


def test_a_network_without_a_processor_says_what_is_assumed(tmp_path: Path) -> None:
    transformers.VivitConfig(**VIVIT).save_pretrained(tmp_path)
    model = load_model(str(tmp_path), "none")
    assert "no preprocessor_config.json" in str(model.notes) and model.preprocess.crop == (32, 32)


# Code in a repository


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked on stdin; every question is answered with yes."""
    asked: list[str] = []

    def say_yes(question: str = "") -> str:
        asked.append(question)
        return "y"

    monkeypatch.setattr("builtins.input", say_yes)
    return asked


def write_repository_with_code(folder: Path, config: dict[str, Any]) -> Path:
    """A folder whose configuration names Python code in it; returns the file that it would make."""
    marker = folder / "code was run"
    (folder / "own_code.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n"
        "from transformers import BertConfig as Config, BertForSequenceClassification as Network\n"
    )
    classes = ("AutoModelForImageClassification", "AutoModelForVideoClassification")
    references = {"AutoConfig": "own_code.Config", **dict.fromkeys(classes, "own_code.Network")}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": references}))
    return marker


BERT = {"hidden_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1}


@pytest.mark.parametrize("weights", [None, "none"])
@pytest.mark.parametrize(
    "config",
    [
        # transformers would read the configuration with the repository's code,
        {"model_type": "own", "architectures": ["OwnForVideoClassification"]},
        # and here build the network with it.
        BERT | {"model_type": "bert", "architectures": ["BertForImageClassification"]},
    ],
    ids=["configuration", "network"],
)
def test_code_in_a_repository_is_refused_without_a_question(
    config, weights, tmp_path: Path, questions: list[str]
) -> None:
    marker = write_repository_with_code(tmp_path, config)
    with pytest.raises(UsageError, match="contains custom code"):
        load_model(str(tmp_path), weights, trust_checkpoint=True)
    assert questions == [] and not marker.exists()


def test_a_known_network_is_built_without_the_code_beside_it(
    tmp_path: Path, questions: list[str]
) -> None:
    marker = write_repository_with_code(tmp_path, VIVIT)
    model = load_model(str(tmp_path), "none", trust_checkpoint=True)
    assert type(model.module).__mro__[1] is transformers.VivitForVideoClassification
    assert questions == [] and not marker.exists()
