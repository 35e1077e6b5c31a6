"""The bundled network: its layers, its preprocessing, and what its trained weights achieve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors import safe_open

from models3d import (
    CLASSES,
    NOTHING,
    Motion3D,
    draw_batch,
    draw_clip,
    load_trained,
    motion3d,
    residual3d,
)
from models3d.evaluation import evaluate, predict
from models3d.recipe import Recipe


@pytest.fixture(scope="module")
def trained() -> Motion3D:
    return load_trained().to(memory_format=torch.channels_last_3d)


@pytest.fixture(scope="module")
def metadata() -> dict[str, str]:
    """Recipe and accuracy as written in the weights' file."""
    with safe_open(motion3d.WEIGHTS_FILE, "pt") as file:
        return file.metadata()


def test_layers_have_the_documented_shapes() -> None:
    net = motion3d.motion3d().eval()
    shapes = {}
    for name in ("stem", "layer1", "layer2", "layer3", "layer4"):
        module = net.get_submodule(name)
        module.register_forward_hook(
            lambda _m, _i, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    assert net(torch.zeros(2, 3, 16, 64, 64)).shape == (2, 9)
    assert shapes == {
        "stem": (16, 16, 32, 32),
        "layer1": (32, 16, 16, 16),
        "layer2": (64, 16, 16, 16),
        "layer3": (128, 8, 8, 8),
        "layer4": (128, 4, 4, 4),
    }
    assert 1.0e6 < sum(p.numel() for p in net.parameters()) < 2.5e6


def test_untrained_stem_has_filters_that_respond_only_to_motion() -> None:
    torch.manual_seed(0)
    still = torch.rand(1, 3, 1, 64, 64).expand(-1, -1, 16, -1, -1)
    # Without the first and last frames, where the zero padding is a change.
    response = motion3d.motion3d().stem[0](still)[:, :, 1:-1]
    assert response[:, :12].abs().max() < 1e-5 < response[:, 12:].abs().max()


def test_preprocessing_normalises_and_moves_channels() -> None:
    frames = torch.zeros(2, 4, 5, 6, 3, dtype=torch.uint8)
    frames[1, 2, 3, 4] = torch.tensor([255, 51, 0])
    x = residual3d.preprocess(frames)
    assert x.shape == (2, 3, 4, 5, 6) and x.dtype == torch.float32
    assert x[1, :, 2, 3, 4].tolist() == pytest.approx([2.0, -1.2, -2.0])
    assert x[0].unique().tolist() == [-2.0]


def test_weights_file_is_small_and_has_its_recipe(metadata: dict[str, str]) -> None:
    assert motion3d.WEIGHTS_FILE.stat().st_size < 8e6
    assert int(metadata["seed"]) == Recipe.seed and int(metadata["held-out clips"]) >= 800


def test_accuracy_is_as_stated(trained: Motion3D, metadata: dict[str, str]) -> None:
    accuracy = evaluate(trained, num_clips=64)
    # With 64 clips two standard errors of 0.97 are 0.04; about 8 clips of each class.
    assert accuracy["all"] == pytest.approx(float(metadata["accuracy all"]), abs=0.04)
    for name in CLASSES:
        assert accuracy[name] == pytest.approx(float(metadata[f"accuracy {name}"]), abs=0.25)


def test_the_network_uses_motion(trained: Motion3D) -> None:
    opposites = (1, 0, 3, 2, 5, 4)  # left and right, up and down, grow and shrink
    forwards = np.stack(
        [draw_clip(400 + 6 * i + c, class_id=c).frames for i in range(5) for c in range(6)]
    )
    backwards = predict(trained, forwards[:, ::-1].copy())
    assert (backwards.reshape(5, 6) == opposites).mean() > 0.85
    still = predict(trained, np.repeat(forwards[:, 8:9], 16, axis=1))
    assert (still.reshape(5, 6) == range(6)).mean() < 0.35


def test_the_network_needs_the_event_and_nothing_else(trained: Motion3D) -> None:
    seeds = range(500, 530)
    without, class_ids, _ = draw_batch(seeds, version="without event")
    assert (class_ids == NOTHING).all()
    assert (predict(trained, without) == NOTHING).mean() > 0.85
    alone, class_ids, _ = draw_batch(seeds, version="event alone")
    assert (predict(trained, alone) == class_ids).mean() > 0.85
