"""Which entry, axes and numbers of a network's output are its class scores."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.output_networks import FORWARDS, Returning, TwoHeads
from video_cam import UsageError
from video_cam.layers.output_reading import OutputReading
from video_cam.layers.output_search import find_reading

SIZE = (4, 16, 12)

# Kind of output -> (entry, axes, values, from_input); None where class_scores reads it as it is.
READINGS = {
    "classes before time": ((), "NKT", "scores"),
    "classes before half the time": ((), "NKT", "scores"),
    "half the time before classes": None,
    "one time for each clip": None,
    "classes before one time": ((), "NKT", "scores"),
    "rows of frames": ((), "FK", "scores"),
    "no axis for one clip": ((), "NK", "scores"),
    "features before scores": ((1,), "NK", "scores"),
    "scores before features": ((0,), "NK", "scores"),
    "scores and None": None,
    "two equal heads": ((0,), "NK", "scores"),
    "dict with cls_score": (("cls_score",), "NK", "scores"),
    "dict with other names": (("actions",), "NK", "scores"),
    "dict with the box of a class": (("cls",), "NK", "scores"),
    "dict in a tuple": None,
    "dataclass": (("class_scores",), "NK", "scores"),
    "object": (("zeta",), "NK", "scores"),
    "softmax": ((), "NK", "softmax", True),
    "softmax of frames, classes first": ((), "NKT", "softmax", True),
    "softmax of one cell": ((), "NK", "softmax", True),
    "log softmax": ((), "NK", "log softmax", True),
    "softmax written out": ((), "NK", "softmax"),
    "mean of the softmax of frames": ((), "NK", "softmax"),
    "sigmoid": ((), "NK", "sigmoid", True),
    "places": ((), "NKTHW", "scores"),
    "places as large as the input": ((), "NKTHW", "scores"),
    "places of the whole clip": ((), "NKHW", "scores"),
    "places, time before classes": ((), "NTKHW", "scores"),
    "softmax of places": (("out",), "NKTHW", "softmax", True),
    "one cell and parts": ((), "NKT11", "scores"),
    "one cell between": ((), "NT1K", "scores"),
    "token scores": ((), "NHK", "scores"),
}


def reading_of(network: nn.Module, size: tuple[int, ...] = SIZE, **options) -> OutputReading | None:
    return find_reading(network, torch.empty(1, 3, *size), test_values=True, **options)


def test_every_kind_of_output_has_a_reading() -> None:
    assert set(READINGS) == set(FORWARDS)


@pytest.mark.parametrize("kind", READINGS)
def test_the_reading_of(kind: str) -> None:
    expected = READINGS[kind]
    network = Returning(kind)
    before = state_of(network)
    found = reading_of(network)
    assert found == (None if expected is None else OutputReading(*expected))
    assert_same_state(before, network)


@pytest.mark.parametrize("frames", [3, 4, 6])
@pytest.mark.parametrize(("kind", "axes"), [("classes before time", "NKT"), ("places", "NKTHW")])
def test_as_many_classes_as_frames(kind: str, axes: str, frames: int) -> None:
    found = reading_of(Returning(kind, classes=frames), (frames, 16, 12))
    assert found is not None and found.axes == axes


class _Fixed(Returning):
    """Takes four frames and no other number, as networks with position embeddings do."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != SIZE:
            raise ValueError("another size")
        return super().forward(x)


class _Mixed(_Fixed):
    """Every score depends on every frame."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean()


def test_a_network_for_one_number_of_frames() -> None:
    """Class names, the last head, then a disturbed frame decide."""
    assert reading_of(_Fixed("classes before time"), classes=3).axes == "NKT"
    assert reading_of(_Fixed("classes before time")).axes == "NKT"
    assert reading_of(_Fixed("classes before time", classes=4)).axes == "NKT"
    with pytest.raises(UsageError, match=r"is \(1, 4, 4\), and which axis is time cannot be told"):
        reading_of(_Mixed("classes before time", classes=4))
    found = reading_of(_Mixed("classes before time", classes=4), layout="NKT")
    assert found is not None and found.axes == "NKT"


class _Refining(Returning):
    """Scores of frames, which further stages refine; as a list, or by names without a meaning."""

    def __init__(self, named: bool = False, masked: bool = False) -> None:
        super().__init__("places")
        self.named, self.masked = named, masked
        self.stages = nn.ModuleList(nn.Conv1d(3, 3, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> object:
        found = [self.of_frames(x).mT]
        for stage in self.stages:
            refined = stage(found[-1].softmax(1))
            found.append(refined * torch.ones_like(refined[:, :1]) if self.masked else refined)
        return {f"stage{i}": one for i, one in enumerate(found)} if self.named else found


@pytest.mark.parametrize("masked", [False, True])
def test_of_refined_stages_the_last_one_counts(masked: bool) -> None:
    assert reading_of(_Refining(masked=masked)) == OutputReading((3,), "NKT")
    assert reading_of(_Refining(named=True, masked=masked)) == OutputReading(("stage3",), "NKT")


class _WithAuxiliary(Returning):
    """The scores, and those of heads on earlier features; or their probabilities beside them."""

    def __init__(self, probabilities: bool) -> None:
        super().__init__("places")
        self.probabilities, self.auxiliary = probabilities, nn.Linear(6, 3)

    def forward(self, x: Tensor) -> list[Tensor]:
        scores, features = self.of_clips(x), self.grid(x).mean((2, 3, 4))
        return [scores, scores.softmax(1) if self.probabilities else self.auxiliary(features)]


@pytest.mark.parametrize("probabilities", [False, True])
def test_scores_beside_auxiliary_ones_or_their_own_probabilities(probabilities: bool) -> None:
    assert reading_of(_WithAuxiliary(probabilities)) == OutputReading((0,), "NK")


class _Stages(Returning):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.of_frames(x).mT] * 4)


def test_several_stages_in_one_tensor() -> None:
    with pytest.raises(UsageError, match=r"is \(4, 1, 3, 4\) for an input of 1: return scores"):
        reading_of(_Stages("softmax"))


def test_several_heads_are_refused_by_name_until_one_is_chosen() -> None:
    with pytest.raises(UsageError, match=r"verb \(1, 3\), noun \(1, 5\); say which") as error:
        reading_of(TwoHeads())
    assert "--output-layout verb:NK" in str(error.value)
    assert reading_of(TwoHeads(), classes=5) == OutputReading(("noun",))
    assert reading_of(TwoHeads(), layout="noun:NK") == OutputReading(("noun",))
    with pytest.raises(UsageError, match=r"no 'adverb': there is verb \(1, 3\)"):
        reading_of(TwoHeads(), layout="adverb:NK")
    with pytest.raises(UsageError, match="NKT has 3 axes, and the scores are"):
        reading_of(TwoHeads(), layout="noun:NKT")


class _Comparison(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(6, 3))

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.prototypes


class _Prototypes(_Fixed):
    """Compares features with one vector for each class; it has no linear layer."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.head = _Comparison()


@pytest.mark.parametrize("kind", ["one time for each clip", "classes before one time"])
def test_an_axis_of_one_number_is_time(kind: str) -> None:
    assert reading_of(_Prototypes(kind)) == reading_of(Returning(kind))


def test_features_are_what_scores_are_computed_from() -> None:
    assert reading_of(_Prototypes("features before scores")) == OutputReading((1,))


class _Normalised(Returning):
    """Between 0 and 1, and no probabilities: they sum to 1 for a few inputs at most."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.of_clips(x)
        return (y - y.amin()) / (y.amax() - y.amin())


def test_numbers_between_0_and_1_are_scores() -> None:
    assert reading_of(_Normalised("softmax")) is None


class _SumsToOne(Returning):
    """Scores that sum to 1, some of them negative."""

    def forward(self, x: Tensor) -> Tensor:
        y = 9 * self.of_clips(x)
        return y - (y.sum(1, keepdim=True) - 1) / 3


def test_negative_numbers_are_scores() -> None:
    assert reading_of(_SumsToOne("softmax")) is None


class _SoftmaxOverTime(Returning):
    def forward(self, x: Tensor) -> Tensor:
        y = self.of_frames(x)
        return y.softmax(1) if self.kind == "softmax" else y.mT.softmax(2).mT


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_a_softmax_over_time_is_none_over_classes(kind: str) -> None:
    assert reading_of(_SoftmaxOverTime(kind)) is None
