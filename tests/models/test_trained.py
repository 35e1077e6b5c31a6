"""Checkpoints and the known networks: heads for other classes, and which network they are of."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from video_cam import UsageError
from video_cam.models.registry import _hint, known_models
from video_cam.models.trained import build_trained, networks_that_fit
from video_cam.utils.notes import WARNING


@pytest.mark.parametrize("name", ["motion3d", "regnet_x_400mf"])
def test_a_head_for_other_classes(name: str) -> None:
    spec = known_models()[name]
    state = spec.build(7).state_dict()
    module, notes = build_trained(spec, {"": state}, "w.pth")
    assert notes == ()
    assert all(torch.equal(module.state_dict()[key], value) for key, value in state.items())


def test_a_network_is_built_without_random_numbers() -> None:
    spec = known_models()["r3d_18"]
    state = {key: torch.ones_like(value) for key, value in spec.build(2).state_dict().items()}
    generator = torch.random.get_rng_state()
    module, _ = build_trained(spec, {"": state}, "w.pth")
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_what_may_be_missing_is_random() -> None:
    spec = known_models()["motion3d"]
    state = {k: v for k, v in spec.build(7).state_dict().items() if not k.startswith("layer4")}
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        module, _ = build_trained(spec, {"": state}, "w.pth", allow_partial=True)
        drawn.append(torch.cat([p.flatten() for p in module.layer4.parameters() if p.ndim == 5]))
    assert torch.equal(drawn[0], drawn[1]) and (drawn[1] != drawn[2]).float().mean() > 0.9


def test_part_of_the_weights_only_where_it_is_allowed() -> None:
    spec = known_models()["motion3d"]
    state = {k: v for k, v in spec.build(7).state_dict().items() if not k.startswith("layer4")}
    with pytest.raises(UsageError, match="missing"):
        build_trained(spec, {"": state}, "w.pth")
    module, [note] = build_trained(spec, {"": state}, "w.pth", allow_partial=True)
    loaded = f"only {len(state)} of the network's {len(module.state_dict())} tensors"
    assert note.text.startswith(loaded) and note.kind == WARNING


def test_the_network_that_weights_belong_to_is_named() -> None:
    names = ("r3d_18", "mc3_18", "r2plus1d_18", "resnet18")
    specs = {name: known_models()[name] for name in names}
    with torch.device("meta"):
        state = dict(get_model("mc3_18", num_classes=5).state_dict())
    wrapped = {"state_dict": {f"model.{key}": value for key, value in state.items()}}
    # r3d_18 has the same names, and kernels of other shapes.
    assert networks_that_fit(wrapped, specs) == ["mc3_18"]
    assert networks_that_fit({"": dict(nn.Linear(2, 3).state_dict())}, specs) == []


def test_networks_of_quite_another_size_are_not_built() -> None:
    def build(classes: int) -> nn.Module:
        raise AssertionError("built")

    spec = replace(known_models()["resnet18"], build=build)
    assert networks_that_fit({"": {"a": torch.ones(1000)}}, {"resnet18": spec}) == []
    with pytest.raises(AssertionError, match="built"):
        networks_that_fit({"": {"a": torch.ones(11_700_000)}}, {"resnet18": spec})


def test_the_hint_is_part_of_the_message(monkeypatch) -> None:
    specs = {name: known_models()[name] for name in ("mc3_18", "resnet18")}
    monkeypatch.setattr("video_cam.models.registry.known_models", lambda: specs)
    state = {"": specs["resnet18"].build(3).state_dict()}
    assert _hint(state) == ". They are weights of --model resnet18"
    assert _hint({"": {"a": torch.ones(1)}}) == ""
