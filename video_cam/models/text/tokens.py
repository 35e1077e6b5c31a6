"""Texts to the numbers that a network's text part reads, by the tokenizer beside its weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from video_cam.errors import UsageError, first_line
from video_cam.models.hub import from_disk_or_hub, import_transformers
from video_cam.models.text.families import TextFamily
from video_cam.utils.field_types import shown_value


@dataclass(frozen=True)
class Tokens:
    """Sentences as numbers.

    Attributes:
        inputs: of the text part: name -> int64 (sentences, length).
        num_templates: sentences of one text, which lie together.
    """

    inputs: dict[str, Tensor]
    num_templates: int

    def batches(self, size: int) -> Iterator[dict[str, Tensor]]:
        """The inputs in parts of ``size`` sentences."""
        for start in range(0, len(self.inputs["input_ids"]), size):
            yield {name: values[start : start + size] for name, values in self.inputs.items()}


def tokenize(
    name: str, family: TextFamily, text_config: Any, sentences: Sequence[Sequence[str]]
) -> Tokens:
    """The sentences as numbers, by the tokenizer beside the weights.

    Args:
        name: a folder, or owner/name on the hub.
        family: of the network.
        text_config: of its text part.
        sentences: for each text, the text in each template.

    Raises:
        UsageError: for a sentence that is longer than the network reads, and where there is no
            tokenizer that fits it.
        WeightsUnavailable: for a name that is neither on disk nor can be downloaded.
    """
    tokenizer = _tokenizer(name, family)
    limit = int(text_config.max_position_embeddings)
    flat = [sentence for several in sentences for sentence in several]
    written = [sentence.lower() for sentence in flat] if family.lower else flat
    counted = tokenizer(written, padding=False, truncation=False, verbose=False)["input_ids"]
    for sentence, ids in zip(flat, counted, strict=True):
        if len(ids) > limit:
            words = max(len(sentence.split()) * limit // len(ids), 1)
            raise UsageError(
                f"text {shown_value(sentence)} has {len(ids)} tokens, and the network reads at "
                f"most {limit}: shorten it to about {words} words"
            )
    largest = max(max(ids) for ids in counted)
    if largest >= text_config.vocab_size:
        raise UsageError(
            f"the tokenizer of {name!r} gives token {largest}, and the network has "
            f"{text_config.vocab_size} of them: it belongs to another network"
        )
    padding: dict[str, Any] = {"padding": True}
    if family.pads:
        padding = {"padding": "max_length", "max_length": limit}
    inputs = tokenizer(written, return_tensors="pt", **padding)
    names = ("input_ids",) if family.pads else ("input_ids", "attention_mask")
    return Tokens({key: inputs[key] for key in names}, len(sentences[0]))


def _tokenizer(name: str, family: TextFamily) -> Any:
    if Path(name).is_dir() and not _has_files(Path(name), family):
        raise _missing(name, family)
    load = import_transformers().AutoTokenizer.from_pretrained
    try:
        tokenizer = from_disk_or_hub(
            name, partial(load, name, trust_remote_code=False), "tokenizer_config.json"
        )
    except (UsageError, ImportError) as error:
        missing = _missing_package(error)
        if missing is None:
            raise
        raise UsageError(
            f"the tokenizer of {name!r} needs the package {missing}: "
            "pip install 'video-cam[transformers]'"
        ) from error
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise _missing(name, family)  # transformers makes an empty one where files are missing
    return tokenizer


def _has_files(folder: Path, family: TextFamily) -> bool:
    return any(all((folder / one).is_file() for one in files) for files in family.tokenizer_files)


def _missing(name: str, family: TextFamily) -> UsageError:
    files = " or ".join(" with ".join(several) for several in family.tokenizer_files)
    return UsageError(
        f"{name!r} has no tokenizer, which makes numbers of the text: put {files} of the same "
        "network there"
    )


def _missing_package(error: Exception) -> str | None:
    """The package that transformers missed when it read the tokenizer, if it did."""
    cause = first_line(error.__cause__ or error)
    return next((name for name in ("sentencepiece", "protobuf") if name in cause.lower()), None)
