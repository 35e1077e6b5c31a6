"""The networks that the form offers, and what it shows of the one that is chosen.

Nobody who opens the page can make a file of this machine run or be read as a network: these are
named on the command line, with which the app is started.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from video_cam.batch.run_config import ModelConfig
from video_cam.config import InputConfig
from video_cam.errors import UsageError
from video_cam.models.bundled import SPECS as BUNDLED_SPECS
from video_cam.models.grid_shapes import grid_shapes
from video_cam.models.registry import ALIASES, BUNDLED, DEFAULT, known_models, load_model
from video_cam.models.spec import ModelSpec
from video_cam.models.timm import PREFIX as TIMM_PREFIX
from video_cam.models.weights import cached_file
from video_cam.text_config import DEFAULT_NETWORK, TextConfig
from video_cam.utils.names import nearest

_TIMM_NAME = re.compile(re.escape(TIMM_PREFIX) + r"[\w.-]+")
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


@dataclass(frozen=True)
class NetworkFacts:
    """What the form shows of a network.

    Attributes:
        classes: names of its classes, in the order of its outputs.
        layers: the layers that can be explained, in the order in which they run.
        sentence: the network in one line.
    """

    classes: tuple[str, ...]
    layers: tuple[str, ...]
    sentence: str


def network_choices(own: ModelConfig) -> list[tuple[str, str]]:
    """The networks to choose from: (what is shown, name).

    Args:
        own: the network that the app was started with, which comes first.
    """
    known = known_models()
    names = [*BUNDLED_SPECS, *sorted(known, key=lambda name: not _is_on_disk(known[name]))]
    choices = {} if own.name is None else {own.name: Path(own.name).name}
    for name in names:
        if known[name].pretrained:
            choices.setdefault(name, f"{name}{_origin(name, known[name])}")
    return [(shown, name) for name, shown in choices.items()]


def first_choice(own: ModelConfig) -> str:
    """The network that is chosen when the page opens."""
    if own.name is not None:
        return own.name
    if own.text is not None:
        return DEFAULT_NETWORK
    return DEFAULT if _is_on_disk(known_models()[DEFAULT]) else BUNDLED


def model_config(name: str, own: ModelConfig, texts: Sequence[str] = ()) -> ModelConfig:
    """How the network of this name is loaded.

    Args:
        own: the network that the app was started with; its weights, labels and input are not those
            of another one.
        texts: what the clip is compared with; empty for the network's own classes.

    Raises:
        UsageError: for a name that is not offered to people who open the page, and wrong texts.
    """
    text = None
    if texts:
        text = (
            TextConfig(tuple(texts)) if own.text is None else replace(own.text, text=tuple(texts))
        )
    if name == own.name:
        return replace(own, text=text)
    if not _may_be_chosen(name):
        raise UsageError(
            f"unknown network {name!r}: {nearest(name, list(known_models()))} Files and factories "
            "are named with --model where the app is started"
        )
    return replace(
        own,
        name=name,
        weights=None,
        labels=None,
        trust_checkpoint=False,
        allow_partial=False,
        input=InputConfig(),
        text=text,
    )


def network_facts(name: str, own: ModelConfig, texts: Sequence[str] = ()) -> NetworkFacts:
    """What the form shows of a network; its weights are not needed for that.

    Args:
        own: the network that the app was started with.
        texts: what the clip is compared with; empty for the network's own classes.

    Raises:
        UsageError: for a name that is not offered, and a network that cannot be built.
        WeightsUnavailable: for a hub name that is neither on disk nor can be downloaded.
    """
    config = model_config(name, own, texts)
    model = load_model(
        name,
        config.weights if name == own.name else "none",
        labels=config.labels,
        trust_checkpoint=config.trust_checkpoint,
        allow_partial=config.allow_partial,
        **vars(config.input),
        **config.text_options,
    )
    size = (model.num_frames, *model.preprocess.crop)
    layers = tuple(model.settled(list(grid_shapes(model, size)), size)) if model.layer else ()
    return NetworkFacts(model.labels, layers, "; ".join(_sentences(config, model.framewise)))


def may_read_texts(name: str) -> bool:
    """Whether a name is one of a hub, where networks are that compare clips with texts."""
    return _HUB_NAME.fullmatch(name) is not None


def _sentences(config: ModelConfig, framewise: bool) -> Iterator[str]:
    spec = known_models().get(config.name or DEFAULT)
    if config.weights is None and config.name in BUNDLED_SPECS:
        yield "bundled: it knows drawn clips only"
    elif config.weights is None and spec is not None and not _is_on_disk(spec):
        yield "its weights are downloaded when it is first used"
    if framewise:
        kind = "an image classifier" if config.text is None else "it compares pictures with texts"
        yield f"{kind}, and sees one frame at a time"


def _origin(name: str, spec: ModelSpec) -> str:
    if name in BUNDLED_SPECS:
        return " (bundled)"
    return " (on disk)" if _is_on_disk(spec) else ""


def _is_on_disk(spec: ModelSpec) -> bool:
    """Whether its pretrained weights can be loaded without a download."""
    source = next(iter(spec.pretrained.values()), None)
    if source is None or callable(source):
        return False
    return (source if isinstance(source, Path) else cached_file(source)).is_file()


def _may_be_chosen(name: str) -> bool:
    """Whether a name means a network that is known, of timm or of a hub, and no file or folder."""
    if name in known_models() or name in ALIASES or _TIMM_NAME.fullmatch(name):
        return True
    return _HUB_NAME.fullmatch(name) is not None and not Path(name).exists()
