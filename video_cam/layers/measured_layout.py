"""Measured layouts: which way to fold a layer's output puts every cell where it looks.

Shapes do not tell tokens of the order (T', H', W') from those of (H', W', T'), nor tokens from
channels. So the input is disturbed (see ``disturbance``): in the right fold the places of the cells
along each axis of the input rise with their indices along that axis. A fold that no cell confirms
is not used.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from video_cam.errors import UsageError
from video_cam.layers.cache import Fact, learned
from video_cam.layers.disturbance import CellAnswers, add_answers
from video_cam.layers.layout import Fold, Layout
from video_cam.layers.measured_alignment import drawn_input
from video_cam.layers.resized_input import axes_agree
from video_cam.layers.trace import example, input_dtype
from video_cam.utils.nested import tensors_in
from video_cam.utils.strict_json import checked

FLAT = 0.02  # of the places' standard deviation: below, all cells look at the same
ROUNDS = 4  # of noise, where one is not clear
MAX_ALIKE = 6  # layers with as many tokens that are measured for one that looks everywhere
# Of the correlation between the places of cells and their indices along an axis: what a fold needs
# that shapes alone do not make certain, and how far another axis must be ahead for a refusal.
MIN_CORRELATION, CLEARLY_MORE = 0.25, 0.3
# Cells that all look at the same have places by chance, with a correlation of this share of
# 1 / sqrt(cells - 1) once in a few hundred times; of a small grid no more than the second number
# is asked.
CHANCE, MAX_CHANCE = 2.5, 0.8
# Of the share of the places that a fold explains: the lead that a less likely fold needs, and one
# that leaves out tokens needs for each of them; and the lead with which no further round is needed.
MARGIN, CLEAR = 0.02, 0.1


def settled_folds(
    model: nn.Module,
    layouts: Mapping[str, Layout],
    wanted: Sequence[str],
    size: Sequence[int],
    x: Any = None,
    identity: str = "",
) -> dict[str, Fold]:
    """The fold of each layer by measurement; layers whose folds are all wrong are left out.

    For convolutions the shapes of outputs for other input sizes are enough, mostly. For others the
    network runs seven times on one clip, more often where the answers are not clear. Tokens that
    look everywhere, as behind attention, are in the order of others of as many tokens. The result
    is cached by network, layers and input size.

    Args:
        layouts: layer -> what the shapes say of it, for all layers of the network.
        wanted: names of layers.
        size: (T, H, W) of the input.
        x: the network's own input, in any container, which is disturbed; None for a drawn clip
            (1, 3, T, H, W).
        identity: of the network, for the cache on disk (see ``cache.learned``).
    """
    if not wanted:
        return {}
    shapes = [str(tuple(tensor.shape)) for tensor in tensors_in(x)]
    key: list[Hashable] = [*map(str, size), *shapes]
    key += [f"{name} {layouts[name]}" for name in wanted]
    fact = Fact(
        "layouts",
        # In a training loop the weights change at every step, and the order of tokens does not.
        uses_weights=bool(identity),
        to_json=partial(_to_json, layouts),
        from_json=partial(_from_json, layouts),
    )
    find = partial(_settle, model, layouts, wanted, size, x)
    return learned(fact, model, key, find, identity)


def refusal(name: str, shape: Sequence[int], layout: Layout) -> UsageError:
    """The error for a layer that ``settled_folds`` has left out."""
    return UsageError(
        f"layer {name!r} has no grid of places: its output is {tuple(shape)}, and read as "
        f"{layout.folds[0]} other cells answer to a disturbed input than those at its place and "
        "time; choose another layer, or in Python give unpack="
    )


def _settle(
    model: nn.Module,
    layouts: Mapping[str, Layout],
    wanted: Sequence[str],
    size: Sequence[int],
    x: Any,
) -> dict[str, Fold]:
    certain = {name: layouts[name].folds[0] for name in wanted if layouts[name].certain}
    found, wrong = axes_agree(model, example(model, size) if x is None else x, certain)
    # Where the shapes allow another fold than the one that they refute, that one is measured.
    others = {name: Layout(layouts[name].folds[1:], False) for name in wrong}
    layouts = {**layouts, **{name: other for name, other in others.items() if other.folds}}
    doubtful = [
        name for name in wanted if name not in found and (name not in wrong or others[name].folds)
    ]
    if doubtful:
        x = drawn_input(0, size).to(*_place(model)) if x is None else x
        axes = [axis for axis, length in enumerate(size) if length > 1]
        found |= _measure(model, layouts, doubtful, axes, x)
    return {name: found[name] for name in wanted if name in found}


def _place(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """The device and the dtype of the network's input."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return device, input_dtype(model)


def _measure(
    model: nn.Module,
    layouts: Mapping[str, Layout],
    wanted: Sequence[str],
    axes: Sequence[int],
    x: Any,
) -> dict[str, Fold]:
    answers = _answers(model, layouts, wanted, axes, x)
    found = _confirmed(layouts, answers, axes)
    open_ = [name for name in wanted if name not in found and not layouts[name].certain]
    alike = [name for name in layouts if any(_are_alike(layouts, name, one) for one in open_)]
    more = [name for name in alike if name not in wanted][:MAX_ALIKE]
    if more:
        found |= _confirmed(layouts, _answers(model, layouts, more, axes, x), axes)
    for name in open_:
        folds = {
            found[other] for other in alike if other in found and _are_alike(layouts, name, other)
        }
        fold = folds.pop() if len(folds) == 1 else None
        if fold is not None and _is_possible(answers[name], layouts[name], fold, axes):
            found[name] = fold
    return found


def _answers(
    model: nn.Module,
    layouts: Mapping[str, Layout],
    wanted: Sequence[str],
    axes: Sequence[int],
    x: Any,
) -> dict[str, CellAnswers]:
    """The answers of layers, to as many rounds of noise as are needed."""
    answers = {name: CellAnswers(layouts[name].folds) for name in wanted}
    generator = torch.Generator().manual_seed(0)
    for _ in range(ROUNDS):
        add_answers(model, x, axes, answers, generator)
        if all(_is_clear(answers[name], layouts[name], axes) for name in wanted):
            break
    return answers


def _confirmed(
    layouts: Mapping[str, Layout], answers: Mapping[str, CellAnswers], axes: Sequence[int]
) -> dict[str, Fold]:
    found = {name: _best(one, layouts[name], axes) for name, one in answers.items()}
    return {name: fold for name, fold in found.items() if fold is not None}


def _are_alike(layouts: Mapping[str, Layout], name: str, other: str) -> bool:
    """Whether two layers put out as many tokens."""
    return name != other and layouts[name].folds == layouts[other].folds


def _is_possible(answers: CellAnswers, layout: Layout, fold: Fold, axes: Sequence[int]) -> bool:
    """Whether nothing speaks against a fold that the layer itself does not confirm."""
    explained = dict(_ranked(answers, layout, axes))
    most = max(explained.values())
    return explained[fold] >= most - CLEAR and _is_confirmed(answers, fold, axes, certain=True)


def _best(answers: CellAnswers, layout: Layout, axes: Sequence[int]) -> Fold | None:
    """The fold that explains the places of the cells best; None where it is not confirmed."""
    fold, _ = _ranked(answers, layout, axes)[0]
    return fold if _is_confirmed(answers, fold, axes, _is_certain(layout, fold)) else None


def _is_clear(answers: CellAnswers, layout: Layout, axes: Sequence[int]) -> bool:
    (fold, first), *others = _ranked(answers, layout, axes)
    leads = all(first - other >= CLEAR for _, other in others)
    return leads and _is_confirmed(answers, fold, axes, _is_certain(layout, fold))


def _is_certain(layout: Layout, fold: Fold) -> bool:
    """Whether a fold needs no confirmation: the most likely one of a certain layout."""
    return layout.certain and fold == layout.folds[0]


def _ranked(answers: CellAnswers, layout: Layout, axes: Sequence[int]) -> list[tuple[Fold, float]]:
    """The folds with the share of the places that each explains, the best first."""
    scored = [
        (fold, _explained(answers, fold, axes) - MARGIN * (bool(number) + _left_out(fold)))
        for number, fold in enumerate(layout.folds)
    ]
    return sorted(scored, key=lambda pair: -pair[1])  # stable


def _left_out(fold: Fold) -> int:
    """The number of tokens that are no cells: without most of them little is left to explain."""
    return fold.extra + fold.extra_behind


def _explained(answers: CellAnswers, fold: Fold, axes: Sequence[int]) -> float:
    """The share of the variance of the cells' places that their own indices explain."""
    total = left = 0.0
    for axis in axes:
        places, index = _alive(answers.places(fold, axis), fold, axis)
        if len(places) < 2 or places.std() < FLAT:
            continue
        variance = float(places.var())
        correlation = max(_correlation(places, index), 0.0)
        total += variance
        left += variance * (1 - correlation**2)
    return 1 - left / total if total > 0 else 0.0


def _is_confirmed(answers: CellAnswers, fold: Fold, axes: Sequence[int], certain: bool) -> bool:
    """Whether along each axis of the grid the places along the same axis of the input rise most."""
    for axis in axes:
        if fold.grid[axis] == 1:
            continue
        measured = [
            _alive(answers.places(fold, other), fold, axis)
            for other in (axis, *(one for one in axes if one != axis))
        ]
        own, *others = (_correlation(*one) for one in measured)
        least = -CLEARLY_MORE if certain else _least_correlation(len(measured[0][0]))
        if own < least or any(abs(other) > own + CLEARLY_MORE for other in others):
            return False
    return True


def _least_correlation(cells: int) -> float:
    """Of places and indices, what so many cells that look everywhere do not have by chance."""
    return max(MIN_CORRELATION, min(CHANCE / max(cells - 1, 1) ** 0.5, MAX_CHANCE))


def _alive(places: np.ndarray, fold: Fold, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The places of the cells that answer, and their indices along an axis of the grid."""
    index = np.indices(fold.grid)[axis]
    alive = np.isfinite(places)
    return places[alive], index[alive].astype(np.float64)


def _correlation(places: np.ndarray, index: np.ndarray) -> float:
    if len(places) < 2 or places.std() < FLAT or index.std() == 0:
        return 0.0
    return float(np.corrcoef(places, index)[0, 1])


def _to_json(layouts: Mapping[str, Layout], found: Mapping[str, Fold]) -> Any:
    return {name: layouts[name].folds.index(fold) for name, fold in found.items()}


def _from_json(layouts: Mapping[str, Layout], _model: nn.Module, content: Any) -> dict[str, Fold]:
    """The inverse of ``_to_json``. Raises ValueError for what is not of these layouts."""
    numbers = checked(content, dict[str, int])
    if any(
        name not in layouts or not 0 <= number < len(layouts[name].folds)
        for name, number in numbers.items()
    ):
        raise ValueError("it is of other layouts")
    return {name: layouts[name].folds[number] for name, number in numbers.items()}
