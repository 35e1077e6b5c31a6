"""The texts that a clip is compared with, as ``--text`` and ``load_model(text=...)`` take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from video_cam.errors import UsageError
from video_cam.utils.field_types import check_types, shown_value

DEFAULT_NETWORK = "openai/clip-vit-base-patch32"  # where there is a text and no network
PLACE = "{}"  # of the text in a template
MAX_LETTERS = 2000  # of a text; published networks read at most 77 tokens


@dataclass(frozen=True)
class TextConfig:
    """Texts that take the place of a classifier's classes; the names are the command's options.

    White space around and between words is made single spaces.

    Attributes:
        text: what is looked for; these texts are the first classes, in this order.
        text_template: sentences with ``{}`` in place of a text, whose encodings are averaged;
            empty for the network's own.
        text_negative: further texts that the others are compared with.
    """

    text: tuple[str, ...]
    text_template: tuple[str, ...] = ()
    text_negative: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_types(self)
        if not self.text:
            raise UsageError("text names nothing: give at least one text, as --text 'a red car'")
        for name in ("text", "text_negative"):
            object.__setattr__(self, name, _tidied(name, getattr(self, name)))
        _refuse_twice(self.labels)
        for template in self.text_template:
            if template.count(PLACE) != 1:
                raise UsageError(
                    f"text_template {shown_value(template)} must have {PLACE} once, where the text "
                    "goes: as 'a photo of {}'"
                )

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes: the texts, then those that they are compared with."""
        return (*self.text, *self.text_negative)

    def sentences(self, own_templates: Sequence[str]) -> list[list[str]]:
        """For each class, the text in each template.

        Args:
            own_templates: the network's, which are used where the config has none.
        """
        templates = self.text_template or own_templates
        return [[one.replace(PLACE, label) for one in templates] for label in self.labels]


def make_text_config(text: Any, text_template: Any, text_negative: Any) -> TextConfig | None:
    """A TextConfig from keyword arguments as people write them; None where there is no text.

    Raises:
        UsageError: for a template or a negative text without a text, and for wrong values.
    """
    if text is not None:
        return TextConfig(text, text_template or (), text_negative or ())
    for name, value in (("text_template", text_template), ("text_negative", text_negative)):
        if value:
            raise UsageError(
                f"{name} {shown_value(value)} needs a text: give --text with what to look for"
            )
    return None


def _tidied(name: str, texts: Sequence[str]) -> tuple[str, ...]:
    tidy = tuple(" ".join(text.split()) for text in texts)
    for text, given in zip(tidy, texts, strict=True):
        if not text:
            raise UsageError(f"{name} {given!r} has no words: leave it out, or give some")
        if len(text) > MAX_LETTERS:
            raise UsageError(
                f"{name} {shown_value(text)} has {len(text)} letters, expected at most "
                f"{MAX_LETTERS}: networks read about 60 words"
            )
    return tidy


def _refuse_twice(texts: Sequence[str]) -> None:
    seen: set[str] = set()
    for text in texts:
        if text.casefold() in seen:
            raise UsageError(
                f"text {shown_value(text)} is given twice: give each one once (upper and lower "
                "case are the same to these networks)"
            )
        seen.add(text.casefold())
