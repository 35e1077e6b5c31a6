"""The controls of the form; their choices are the command's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from video_cam import choice_names
from video_cam.app.form import first_values
from video_cam.app.networks import first_choice, network_choices
from video_cam.app.view import line_html
from video_cam.batch.run_config import RunConfig
from video_cam.models.example_clips import EXAMPLES

MAX_TOP_K = 5


@dataclass(frozen=True)
class Controls:
    """The controls that events read or change.

    Attributes:
        clip: the upload.
        examples: what a drawn clip shows -> the button that draws it.
        network: the network's name.
        texts: what the clip is compared with, one text on each line.
        network_facts: a line about the network.
        fields: field of ExplainConfig or RenderConfig -> its control.
    """

    clip: Any
    examples: dict[str, Any]
    network: Any
    texts: Any
    network_facts: Any
    fields: dict[str, Any]

    @property
    def classes(self) -> Any:
        """The classes to explain."""
        return self.fields["class_ids"]

    @property
    def layers(self) -> Any:
        """The layers that get a map."""
        return self.fields["layers"]


def add_controls(base: RunConfig) -> Controls:
    """Add the controls to the column that is being filled.

    Args:
        base: what the app was started with; the controls show its values.
    """
    clip = gr.File(label="Clip: video, GIF, picture, array, DICOM", height=150)
    gr.HTML(line_html("or a clip that is drawn for you:"))
    with gr.Row(elem_classes="vc-examples"):
        examples = {action: gr.Button(action, size="sm", min_width=80) for action in EXAMPLES}
    network = gr.Dropdown(
        network_choices(base.model),
        value=first_choice(base.model),
        label="Network",
        info="also timm:NAME, or owner/name on the hub",
        allow_custom_value=True,
        elem_id="network",
    )
    texts = gr.Textbox(
        "\n".join(() if base.model.text is None else base.model.text.text),
        label="Texts to look for",
        info="with CLIP, SigLIP or X-CLIP; one on each line",
        lines=1,
        max_lines=5,
        visible=base.model.text is not None,
    )
    facts = gr.HTML()
    values = first_values(base)
    fields = _main_fields(values)
    with gr.Accordion("More: layers, detail, time, tests, colours", open=False):
        fields |= _more_fields(values)
    return Controls(clip, examples, network, texts, facts, fields)


def _main_fields(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "class_ids": _several("Classes", [], [], info="the best ones where none is chosen"),
        "top_k": gr.Dropdown(
            _numbers_of_classes(values["top_k"]), value=values["top_k"], label="Best classes"
        ),
        "methods": _several(
            "Methods",
            choice_names.METHOD_NAMES,
            values["methods"],
            info="gradcam, or the network's own, where none is chosen",
        ),
    }


def _more_fields(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "layers": _several(
            "Layers", values["layers"], values["layers"], info="the network's own where none"
        ),
        "detail": _several("Detail", choice_names.DETAIL_NAMES, values["detail"]),
        "align": _one("Positions of cells", choice_names.ALIGNMENT_NAMES, values["align"]),
        "pooling": _one("Gradients pooled over", choice_names.POOLING_NAMES, values["pooling"]),
        "sampling": _one("Sampling", choice_names.SAMPLING_MODES, values["sampling"]),
        # Numbers that are left empty become 0 when the form unfolds them.
        "start": gr.Textbox(values["start"], label="Start in seconds", placeholder="of the clip"),
        "end": gr.Textbox(values["end"], label="End in seconds", placeholder="of the clip"),
        "motion_test": gr.Checkbox(values["motion_test"], label="Motion test"),
        "frame_test": gr.Checkbox(values["frame_test"], label="Frame test"),
        "layout": _one("Video", choice_names.VIDEO_LAYOUTS, values["layout"]),
        "colormap": _one("Colours", choice_names.COLORMAP_NAMES, values["colormap"]),
    }


def _numbers_of_classes(value: int) -> list[tuple[str, int]]:
    """How many of the best classes may be explained; 0 is the command's own choice."""
    numbers = sorted({*range(1, MAX_TOP_K + 1), value} - {0})
    return [("1, or all texts", 0), *((str(number), number) for number in numbers)]


def _one(label: str, choices: Sequence[str], value: str) -> Any:
    return gr.Dropdown(list(choices), value=value, label=label)


def _several(label: str, choices: Sequence[str], value: Sequence[str], **options: Any) -> Any:
    return gr.Dropdown(list(choices), value=list(value), label=label, multiselect=True, **options)
