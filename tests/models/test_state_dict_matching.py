"""The names in a checkpoint against those of the network."""

from __future__ import annotations

import torch

from video_cam.models.state_dict_matching import match_state

NAMES = ("stem.weight", "head.weight", "head.bias")


def tensors(prefix: str, value: float = 0.0, names=NAMES) -> dict[str, torch.Tensor]:
    return {prefix + name: torch.full((1,), value) for name in names}


def values(state: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(tensor) for name, tensor in state.items()}


def test_any_prefix_is_found() -> None:
    for prefix in ("", "module.", "_orig_mod.", "net.encoder.", "a.module.b."):
        match = match_state({"": tensors(prefix, 1)}, NAMES)
        assert values(match.state) == dict.fromkeys(NAMES, 1.0)
        assert match.matched == 3 and match.notes == ()


def test_the_network_may_be_the_one_with_a_prefix() -> None:
    wrapped = [f"net.{name}" for name in NAMES]
    for prefix in ("", "model.", "net."):
        match = match_state({"": tensors(prefix, 1)}, wrapped)
        assert values(match.state) == dict.fromkeys(wrapped, 1.0)


def test_tensors_under_another_prefix_are_left_out_and_named() -> None:
    state = tensors("model.", 1) | {"loss.weight": torch.ones(1)}
    match = match_state({"state_dict": state}, NAMES)
    assert values(match.state) == dict.fromkeys(NAMES, 1.0)
    assert match.notes[0].text == (
        "of the weights in 'state_dict' those whose names begin with 'model.' were loaded; "
        "left out: loss.weight (1 in all)"
    )


def test_of_two_that_fit_the_first_is_taken_and_the_other_named() -> None:
    match = match_state({"": tensors("student.", 1) | tensors("teacher.", 2)}, NAMES)
    assert values(match.state) == dict.fromkeys(NAMES, 1.0)
    assert (
        "begin with 'student.' were loaded (as many begin with 'teacher.')" in match.notes[0].text
    )


def test_the_place_with_most_names_wins_and_of_equal_ones_the_first() -> None:
    places = {"ema": tensors("", 1, NAMES[:1]), "state_dict": tensors("", 2), "net": tensors("", 3)}
    assert values(match_state(places, NAMES).state) == dict.fromkeys(NAMES, 2.0)


def test_of_places_with_as_many_names_the_first_is_taken() -> None:
    places = {"ema": tensors("", 1, NAMES[:1]), "net": tensors("", 2, NAMES[1:2])}
    assert values(match_state(places, NAMES).state) == {NAMES[0]: 1.0}


def test_wrappers_within_names_are_no_part_of_them() -> None:
    state = {name.replace(".", "._orig_mod."): torch.ones(1) for name in NAMES}
    assert values(match_state({"": state}, NAMES).state) == dict.fromkeys(NAMES, 1.0)
    wrapped = [name.replace(".", ".module.") for name in NAMES]
    assert values(match_state({"": state}, wrapped).state) == dict.fromkeys(wrapped, 1.0)


def test_names_that_the_network_does_not_have_stay() -> None:
    match = match_state({"": tensors("model.", 1, (*NAMES, "extra.weight"))}, NAMES)
    assert "extra.weight" in match.state and match.matched == 3


def test_nothing_that_fits() -> None:
    match = match_state({"": tensors("", 1, ("a", "b"))}, NAMES)
    assert match.matched == 0 and match.state.keys() == {"a", "b"}
