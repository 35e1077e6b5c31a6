"""Classifiers of the transformers package from a local folder, at a tiny size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.random_networks import fill, hottest_cell
from video_cam import Classifier, UsageError, compute_cams, load_model
from video_cam.layers.reachability import layers_affecting_scores

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
        if "temporal_dense" in name:  # frames mix so little that each can be told apart
            parameter.data *= 0.1
    network.save_pretrained(folder)
    processor = {
        "size": {"shortest_edge": 36},
        "crop_size": {"height": 32, "width": 32},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.2, 0.2],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder, request.param


def test_from_a_folder(saved) -> None:
    folder, name = saved
    model = load_model(str(folder))
    _, values, layer, grid = NETWORKS[name]
    assert model.layer == layer
    assert model.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert model.preprocess.resize == 36 and model.preprocess.crop == (32, 32)
    assert model.preprocess.mean == (0.5, 0.4, 0.3)
    size = (model.num_frames, 32, 32)
    assert size[0] == (values.get("num_frames") or values["frames_per_clip"])
    fold = model.layers(size).folds[layer]
    assert fold.grid == grid and "tokens folded as 3x4x4" in str(fold) and "guess" not in str(fold)
    assert layers_affecting_scores(model.module, size, [layer], {layer: fold}) == [layer]
    _assert_places(model, layer, grid, size)


def _assert_places(model: Classifier, layer: str, grid: Any, size: Any) -> None:
    """Every place by itself, so that no two axes can be exchanged."""
    for cell in ([0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 3, 1]):
        place = tuple(
            slice(i * length // cells, (i + 1) * length // cells)
            for i, length, cells in zip(cell, size, grid, strict=True)
        )
        assert hottest_cell(model, layer, place) == cell


def test_timesformers_tokens_run_through_time_fastest(tmp_path: Path) -> None:
    config = transformers.TimesformerConfig(**NETWORKS["timesformer"][1])
    fill(transformers.TimesformerForVideoClassification(config)).save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    layer = "timesformer.encoder.layer.0"  # puts out (N, 1 + H' W' T', K)
    _assert_places(model, layer, (3, 4, 4), (3, 32, 32))


def test_the_map_of_raw_outputs_is_that_of_the_row(saved) -> None:
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
    given = {key: x.transpose(1, 2)}
    [raw] = compute_cams(
        network, given, layers=[layer], targets=[2], unpack=model.layers(size).folds
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
    # The last block puts out tokens that nobody reads; the layer is one whose grid counts.
    assert model.layers((2, 32, 32)).folds[model.layer].grid == (2, 4, 4)


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(hidden_size=8, num_attention_heads=1, num_hidden_layers=1)
    config.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="expected a classifier of images or of the kinds"):
        load_model(str(tmp_path))


def test_a_folder_without_weights(tmp_path: Path) -> None:
    transformers.VivitConfig(**NETWORKS["vivit"][1]).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_model(str(tmp_path))
    assert not load_model(str(tmp_path), "none").trained
