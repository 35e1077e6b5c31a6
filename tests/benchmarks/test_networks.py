"""Networks through the tool: right, at the wrong place, refused, and faults."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.networks import __main__ as command
from benchmarks.networks import catalogue, measuring
from benchmarks.networks.measuring import measure_network
from benchmarks.networks.network import Network
from benchmarks.networks.places import Answers, answers_in_space, answers_in_time
from benchmarks.networks.random_weights import fill_zero_weights, refresh_batch_norms
from benchmarks.networks.reference import relative_difference
from benchmarks.networks.results import Result, markdown
from video_cam.layers.alignment import CellCentres, half_pixel


class Patches(nn.Module):
    """Cells of 2 frames and 8x8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv3d(3, 6, (2, 8, 8), (2, 8, 8))
        self.norm = nn.BatchNorm3d(6)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.patches(x)).relu().square().mean((2, 3, 4)))


class Mirrored(Patches):
    """Sees every frame mirrored, so that no cell is where it seems to be."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flip(3, 4))


class Mixing(Patches):
    """Gives every clip the scores of the batch's mean."""

    def forward(self, x: Tensor) -> Tensor:
        scores = super().forward(x)
        return scores + scores.mean(0, keepdim=True)


class MixingInTheFirst(Patches):
    """Adds the first clip's scores to those of the others."""

    def forward(self, x: Tensor) -> Tensor:
        scores = super().forward(x)
        return torch.cat([scores[:1], scores[1:] + scores[:1].square()])


class Features(nn.Module):
    """Takes features and a mask."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x * mask


def raises() -> nn.Module:
    """A factory whose network is not installed."""
    raise ModuleNotFoundError("No module named 'absent'")


SIZE = {"num_frames": 8, "size": (48, 48)}


def measured(model: type[nn.Module]) -> Result:
    return measure_network(Network(model.__name__, "", model, **SIZE))


def test_a_network_that_is_explained_right() -> None:
    result = measured(Patches)
    assert (result.outcome, result.shape) == ("mapped", (4, 6, 6))
    assert result.difference is not None and result.difference < 1e-5
    assert result.dtype == "float64"
    assert result.in_space.startswith("9 of 9") and result.in_time.startswith("4 of 4")


def test_a_network_whose_cells_are_at_the_wrong_place() -> None:
    result = measured(Mirrored)
    assert result.outcome == "mapped" and result.difference is not None
    assert result.difference < 1e-5, "the map itself is that of autograd"
    assert result.in_space.startswith("1 of 9"), "only the middle stays in its place"


def test_scores_other_than_those_by_hand() -> None:
    network = Network("other", "", Patches, **SIZE, scores=lambda outputs: -outputs)
    difference = measure_network(network).difference
    assert difference is not None and difference > 0.1


@pytest.mark.parametrize("network", [Mixing, MixingInTheFirst])
def test_a_network_that_mixes_the_clips_of_a_batch_is_compared_on_one_clip(
    network: type[nn.Module],
) -> None:
    result = measured(network)
    assert (result.outcome, result.message) == ("mapped", measuring.MIXES_CLIPS)
    assert result.difference is not None and result.difference < 1e-5


def test_a_network_that_is_refused_with_the_tools_message() -> None:
    result = measured(Features)
    assert result.outcome == "refused" and "mask" in result.message


def test_a_network_that_cannot_be_made_is_not_run() -> None:
    result = measure_network(Network("absent", "", raises))
    assert result.outcome == "not run" and "absent" in result.message


def test_an_unexpected_exception_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(measuring, "explain", broken)
    result = measured(Patches)
    assert (result.outcome, result.message) == ("fault", "IndexError: list index out of range")


def test_maps_that_differ_in_one_cell_or_in_shape() -> None:
    expected = torch.tensor([[1.0, -4.0]])
    assert relative_difference(expected, expected) == 0
    assert relative_difference(expected + torch.tensor([0.0, 1.0]), expected) == 0.25
    assert relative_difference(expected[0], expected) == float("inf")
    assert relative_difference(expected, 0 * expected) == float("inf")


CENTRES = CellCentres(half_pixel(2, 8), half_pixel(4, 28), half_pixel(4, 28))


def test_places_allow_the_width_of_a_cell_where_there_are_four() -> None:
    x = torch.zeros(1, 3, 8, 28, 28)

    def cells(shift_in_time: int, shift_in_space: int) -> CellCentres:
        t, y = CENTRES.t + 4 * shift_in_time, CENTRES.y + 7 * shift_in_space
        return CellCentres(t, y, CENTRES.x)

    def pooled(changed: Tensor) -> Tensor:
        return nn.functional.avg_pool3d(changed.square(), (4, 7, 7))

    def right(shift: int) -> tuple[int, int]:
        space = answers_in_space(pooled, x, cells(0, shift))
        time = answers_in_time(pooled, x, cells(shift, 0))
        assert space is not None and time is not None
        return space.right, time.right

    assert right(0) == (9, 4)
    assert right(1)[1] < 4 and right(2)[0] < 9


def test_a_single_cell_is_not_asked_for_its_place() -> None:
    one = CellCentres(np.zeros(1), np.zeros(1), np.zeros(1))
    x = torch.zeros(1, 3, 8, 28, 28)
    assert answers_in_space(lambda changed: changed, x, one) is None
    assert answers_in_time(lambda changed: changed, x, one) is None


def test_no_answer_is_not_right() -> None:
    x = torch.zeros(1, 3, 8, 28, 28)
    found = answers_in_time(lambda changed: torch.zeros(1, 1, 2, 4, 4), x, CENTRES)
    assert found == Answers(0, 4, 2.0)


def test_random_weights_have_an_effect() -> None:
    torch.manual_seed(0)
    network = Patches()
    nn.init.zeros_(network.fc.weight)
    x = 3 + 2 * torch.randn(4, 3, 8, 48, 48)
    fill_zero_weights(network)
    refresh_batch_norms(network, x)
    assert network.fc.weight.count_nonzero() == 24 and not network.norm.training
    normed = network.norm(network.patches(x)).detach()
    assert float(normed.mean()) == pytest.approx(0, abs=1e-3)
    assert float(normed.std()) == pytest.approx(1, abs=1e-2)
    assert network.norm.momentum == 0.1


def test_the_command_runs_each_network_in_its_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = Network("missing", "nowhere", raises)
    monkeypatch.setattr(command, "NETWORKS", (missing,))
    file = tmp_path / "results.json"
    assert command.main(["--checkouts", str(tmp_path), "--json", str(file)]) == 0
    [row] = json.loads(file.read_text())
    assert Result.of(row).outcome == "not run"
    assert "no folder nowhere" in capsys.readouterr().out


def test_a_process_that_dies_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    result = command.measure_in_child(Network("dies", "", raises), tmp_path, 10)
    assert result.outcome == "fault" and "status 1" in result.message


def test_an_unknown_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--checkouts", str(tmp_path), "--only", "I3"]) == 2
    assert "unknown network 'I3'" in capsys.readouterr().err


def test_names_are_unique_and_references_lead_to_their_factories() -> None:
    names = [network.name for network in catalogue.NETWORKS]
    assert len(set(names)) == len(names)
    for network in catalogue.NETWORKS:
        assert catalogue.find_network(network.name) is network
        if not isinstance(network.model, str):
            module, _, name = network.reference.partition(":")
            assert getattr(sys.modules[module], name) is network.model


def test_a_row_has_a_cell_for_every_heading() -> None:
    mapped = Result("a", "b", "c", "mapped", "layer4", (2, 7, 7), layer_in_time="layer2",
                    shape_in_time=(4, 14, 14), difference=3e-8, dtype="float32")  # fmt: skip
    refused = Result("d", "e", "f", "refused", message="one | line")
    head, _, *rows = markdown([mapped, refused]).splitlines()
    assert [row.count("|") for row in rows] == [head.count("|")] * 2
    assert "`layer4` 2x7x7; when: `layer2` 4x14x14 | 3e-08 (float32)" in rows[0]
    assert "refused: one / line" in rows[1]
