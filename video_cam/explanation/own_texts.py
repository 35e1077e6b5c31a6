"""What is explained of a network whose classes are texts, where nobody asks for classes."""

from __future__ import annotations

from dataclasses import replace

from video_cam.config import ExplainConfig
from video_cam.models.classifier import Classifier
from video_cam.utils.notes import Note

MAX_TEXTS = 10  # each text takes a backward pass for each window, and a map in every output


def with_own_texts(
    model: Classifier, config: ExplainConfig
) -> tuple[Classifier, ExplainConfig, str]:
    """A config that explains all texts that somebody looks for, in their order.

    Returns:
        The network, with a note for its results where there are more than MAX_TEXTS; the config;
        and the note, else empty. All as they were for other networks, and where classes, functions,
        a number of the best classes or each window's own are asked for.
    """
    is_asked = config.class_ids or config.targets or config.top_k is not None
    if not model.num_texts or is_asked or config.class_scope == "window":
        return model, config, ""
    if model.num_texts <= MAX_TEXTS:
        return model, replace(config, class_ids=tuple(range(model.num_texts))), ""
    note = (
        f"the {MAX_TEXTS} texts with the best scores of {model.num_texts} are explained: --top-k "
        "and --class-id ask for others"
    )
    model = replace(model, notes=(*model.notes, Note(note)))
    return model, replace(config, top_k=MAX_TEXTS), note
