"""The spec of a network of clips and texts, with texts as its classes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from typing import Any

from torch import nn

from video_cam.errors import UsageError
from video_cam.models.hub import (
    built,
    damaged,
    from_disk_or_hub,
    import_transformers,
    reading_files,
)
from video_cam.models.huggingface import is_possible, processor_of
from video_cam.models.input_layout import InputLayout
from video_cam.models.spec import NUM_FRAMES, ModelSpec
from video_cam.models.text.families import FAMILIES, KNOWN, TextFamily
from video_cam.models.text.networks import with_texts
from video_cam.models.text.tokens import tokenize
from video_cam.models.weights import WeightsUnavailable
from video_cam.text_config import DEFAULT_NETWORK, TextConfig

_FILES = "config.json, preprocessor_config.json, tokenizer.json and model.safetensors"


def text_spec(name: str, texts: TextConfig) -> ModelSpec:
    """The spec of a CLIP, SigLIP, SigLIP 2 or X-CLIP whose classes are texts.

    Args:
        name: a folder as ``save_pretrained`` writes it, or owner/name on the hub.
        texts: the classes.

    Raises:
        UsageError: for another kind of network, for files that are damaged or missing, for texts
            that are too long, and where transformers is not installed.
        WeightsUnavailable: for a name that is neither on disk nor can be downloaded.
    """
    try:
        with reading_files(name):
            spec = _spec(name, texts)
    except WeightsUnavailable as error:
        raise WeightsUnavailable(
            f"{error}: download {_FILES} from there to a folder, and give --model FOLDER"
        ) from error
    if not is_possible(spec):
        raise damaged(name, ValueError("its input is impossible"))
    return spec


def no_text_part(name: str, kind: str) -> UsageError:
    """The error for a network that reads no texts."""
    return UsageError(
        f"{name} is {kind}, which reads no texts: --text needs {KNOWN}, such as --model "
        f"{DEFAULT_NETWORK}; the classes of a classifier are named by --class-id"
    )


def _spec(name: str, texts: TextConfig) -> ModelSpec:
    """``text_spec``, which may raise anything for damaged files."""
    transformers = import_transformers()
    load_config = partial(transformers.AutoConfig.from_pretrained, name, trust_remote_code=False)
    config = from_disk_or_hub(name, load_config)
    family = _family(name, config)
    vision = config.vision_config
    side = family.side(vision)
    processor = processor_of(
        name, config.model_type, side, assumed=family.processor | family.sizes(side)
    )
    num_frames = vision.num_frames if family.over_time else NUM_FRAMES
    tokens = tokenize(name, family, config.text_config, texts.sentences(family.templates))
    layer = family.layer.format(last=vision.num_hidden_layers - 1)
    code = [config.to_json_string(), asdict(texts), family.templates]
    return ModelSpec(
        build=partial(_build, name, config),
        pretrained={"PRETRAINED": partial(_pretrained, name)},
        labels=texts.labels,
        num_frames=num_frames,
        frame_rate=family.frame_rate(num_frames),
        preprocess=processor.preprocess,
        where_layer=layer,
        when_layer=layer,
        input_layout=InputLayout("NTCHW" if family.over_time else "frames"),
        code=hashlib.sha256(json.dumps(code).encode()).hexdigest(),
        finish=partial(with_texts, family=family, tokens=tokens),
        score=family.score if len(texts.labels) == 1 else family.score_of_several,
        num_texts=len(texts.text),
        method=family.method,
        notes=processor.notes,
    )


def _family(name: str, config: Any) -> TextFamily:
    architecture = (config.architectures or [""])[0]
    if config.model_type not in FAMILIES or architecture.endswith("ForImageClassification"):
        raise no_text_part(repr(name), f"a {config.model_type} {architecture}".strip())
    return FAMILIES[config.model_type]


def _build(name: str, config: Any, classes: int) -> nn.Module:
    """The whole network with random weights; ``classes`` are texts, which change none of them."""
    return built(name, import_transformers().AutoModel, config).float()


def _pretrained(name: str) -> dict[str, Any]:
    """The state dict of the whole network, without what the weights lack of it."""
    load = partial(
        import_transformers().AutoModel.from_pretrained,
        name,
        trust_remote_code=False,
        output_loading_info=True,
    )
    network, info = from_disk_or_hub(name, load)
    # transformers leaves these random.
    return {
        key: value for key, value in network.state_dict().items() if key not in info["missing_keys"]
    }
