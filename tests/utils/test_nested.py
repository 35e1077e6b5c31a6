"""Tensors in containers are found and replaced; containers keep their types."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from video_cam.utils.nested import is_plain, map_tensors, sample_rows, strided_like, tensors_in

Pair = namedtuple("Pair", "left right")


@dataclass(frozen=True)
class Output:
    logits: Tensor
    name: str


class Attributed(OrderedDict):
    """A mapping with an attribute, as model outputs of transformers are."""


def nested() -> dict:
    one = torch.ones
    attributed = Attributed(inner=one(4))
    attributed.loss = "kept"
    return {
        "list": [one(1), "text"],
        "pair": Pair(one(2), None),
        "output": Output(one(3), "name"),
        "mapping": attributed,
    }


def test_every_tensor_is_replaced_and_every_type_kept() -> None:
    value = nested()
    doubled = map_tensors(lambda t: t * 2, value)
    assert [len(t) for t in tensors_in(doubled)] == [1, 2, 3, 4]
    assert all(bool((t == 2).all()) for t in tensors_in(doubled))
    assert all(bool((t == 1).all()) for t in tensors_in(value))  # the argument is unchanged
    assert doubled["list"][1] == "text"
    assert isinstance(doubled["pair"], Pair) and doubled["pair"].right is None
    assert isinstance(doubled["output"], Output) and doubled["output"].name == "name"
    assert isinstance(doubled["mapping"], Attributed) and doubled["mapping"].loss == "kept"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([torch.ones(1), (1, None, {"a": "text"})], True),
        ({"a": object()}, False),
        ((torch.ones(2).to_sparse(),), False),
        (Output(torch.ones(1), "name"), False),
    ],
)
def test_plain_values(value, expected) -> None:
    assert is_plain(value) is expected


def test_rows_of_a_sample_are_repeated() -> None:
    batch = torch.arange(6).reshape(6, 1)
    assert sample_rows(batch, 3, 1, 1).flatten().tolist() == [2, 3]
    assert sample_rows(batch, 3, 1, 2).flatten().tolist() == [2, 3, 2, 3]
    copies = sample_rows(batch, 6, 4, 3)
    assert copies.flatten().tolist() == [4, 4, 4] and copies.stride(0) == 0  # one memory


@pytest.mark.parametrize("tensor", [torch.tensor(1.0), torch.ones(5)])
def test_a_tensor_without_rows_per_sample_is_unchanged(tensor) -> None:
    assert sample_rows(tensor, 2, 0, 3) is tensor


def test_axes_in_the_order_in_memory_of_another_tensor() -> None:
    other = torch.randn(2, 3, 4).permute(2, 0, 1)
    tensor = torch.randn(8, 2, 3)
    found = strided_like(tensor, other)
    assert torch.equal(found, tensor)
    assert found.stride() == (1, 24, 8) and other.stride() == (1, 12, 4)
