"""From the form to the settings of a run."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest

from video_cam.app.form import EXPLAIN_FIELDS, RENDER_FIELDS, first_values, run_config_of
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.errors import UsageError
from video_cam.text_config import TextConfig

BASE = RunConfig(
    ModelConfig("r3d_18", weights="none"),
    ExplainConfig(own_methods=True, layers=("layer3",), conv_backcount=(2,), masks=50),
    RenderConfig(alpha=0.4),
    overwrite=True,
)


def config_of(network: str = "motion3d", base: RunConfig = BASE, **changes: Any) -> RunConfig:
    return run_config_of(network, "", first_values(base) | changes, base)


def test_a_form_that_nobody_has_changed_is_what_the_app_was_started_with() -> None:
    assert set(first_values(BASE)) == {*EXPLAIN_FIELDS, *RENDER_FIELDS}
    assert config_of("r3d_18") == BASE
    assert config_of("motion3d", RunConfig()) == RunConfig(ModelConfig("motion3d"))


def test_what_the_form_does_not_show_stays_as_the_app_was_started() -> None:
    config = config_of(methods=["layercam"], class_ids=["3"], layers=[], start=" 0.5 ", end="")
    assert config.explain == ExplainConfig(
        methods=("layercam",), class_ids=("3",), masks=50, start=0.5
    )
    assert config.render == BASE.render and config.overwrite
    assert config.model == ModelConfig("motion3d")


def test_no_method_leaves_the_choice_to_the_network() -> None:
    explain = config_of(methods=[]).explain
    assert explain.methods == ("gradcam",) and explain.own_methods
    assert not config_of(methods=["gradcam"]).explain.own_methods
    assert first_values(BASE)["methods"] == []
    named = replace(BASE, explain=ExplainConfig(methods=("fem",)))
    assert first_values(named)["methods"] == ["fem"]
    assert not config_of(base=named).explain.own_methods


def test_several_details_as_the_command_takes_them() -> None:
    gradio = pytest.importorskip("gradio", reason="gradio is not installed")
    from video_cam.app.controls import add_controls

    base = replace(BASE, explain=ExplainConfig(detail=("none", "layers")))
    with warnings.catch_warnings(), gradio.Blocks():
        warnings.simplefilter("error", UserWarning)  # a value that is none of the choices
        shown = add_controls(base).fields["detail"]
    assert shown.multiselect and shown.value == ["none", "layers"]
    assert config_of(detail=["none", "input"]).explain.detail == ("none", "input")
    assert config_of(detail=[]).explain.detail == ("layers",)


def test_texts_are_lines_and_keep_the_templates_of_the_command_line() -> None:
    own = RunConfig(ModelConfig("a/clip", text=TextConfig(("x",), ("a photo of {}",), ("else",))))

    def text(network: str, texts: str, base: RunConfig = own) -> TextConfig | None:
        return run_config_of(network, texts, first_values(base), base).model.text

    texts = " a red car \n\na dog\n"
    assert text("a/clip", texts) == TextConfig(
        ("a red car", "a dog"), ("a photo of {}",), ("else",)
    )
    assert text("a/clip", "") is None
    assert text("b/clip", texts, BASE) == TextConfig(("a red car", "a dog"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ["nonsense"]}, "unknown method 'nonsense'"),
        ({"detail": "fine"}, "unknown detail 'fine'"),
        ({"start": "soon"}, "start 'soon' must be a number of seconds"),
        ({"start": "2", "end": "1"}, "end 1.0 s must be later than start 2.0 s"),
        ({"colormap": "grey"}, "unknown colormap 'grey'"),
        ({"top_k": -1}, "top_k -1 must be above 0"),
    ],
)
def test_wrong_values_are_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        config_of(**changes)
