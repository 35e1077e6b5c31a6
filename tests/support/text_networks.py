"""Tiny networks of clips and texts as their folders are published, without published weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tests.support.random_networks import fill

SIDE, PATCH, FRAMES = 32, 8, 4
WIDTH = 16
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,'!"
_SMALL = {"hidden_size": WIDTH, "intermediate_size": 32, "num_attention_heads": 2}
_VISION = _SMALL | {"num_hidden_layers": 2, "image_size": SIDE, "patch_size": PATCH}
_TEXT = _SMALL | {"num_hidden_layers": 1}
KINDS = ("CLIP", "Siglip", "Siglip2", "XCLIP")


def tiny_network(kind: str) -> nn.Module:
    """A network of transformers of a kind in KINDS, with random weights."""
    import transformers

    config = getattr(transformers, f"{kind}Config")(**_values(kind))
    network = fill(getattr(transformers, f"{kind}Model")(config)).eval()
    with torch.no_grad():
        network.logit_scale.fill_(2.0)
        for name, parameter in network.named_parameters():
            if "message" in name:  # frames influence each other so little that cells differ
                parameter *= 0.1
            if "logit_bias" in name:
                parameter.fill_(-1.5)
    return network


def save(kind: str, folder: Path, network: nn.Module | None = None) -> nn.Module:
    """Write a folder as save_pretrained does, with tokenizer; returns the network in it."""
    network = tiny_network(kind) if network is None else network
    network.save_pretrained(folder)
    tokenizer(kind).save_pretrained(folder)
    return network


def tokenizer(kind: str) -> Any:
    """A tokenizer of single letters, of the class that published folders of this kind name."""
    import transformers

    if kind.startswith("Siglip"):
        special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
        vocabulary = {token: i for i, token in enumerate([*special, "▁", *_LETTERS])}
        return transformers.Siglip2Tokenizer(
            vocabulary, [], padding_side="right", model_max_length=64
        )
    letters = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS)]
    tokens = [*letters, "<|startoftext|>", "<|endoftext|>"]  # the end has the highest number
    return transformers.CLIPTokenizer({token: i for i, token in enumerate(tokens)}, [])


def write_processor(folder: Path, **entries: Any) -> None:
    """Write ``preprocessor_config.json``; by default of one for which grey is 0."""
    square = {"height": SIDE, "width": SIDE}
    grey = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}}
    grey |= {"crop_size": square, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(entries or grey))


def scores_of_transformers(
    kind: str, network: nn.Module, sentences: Sequence[str], x: Tensor
) -> Tensor:
    """The whole network's own scores of a clip (N, 3, T, H, W): (N x T, texts), or (N, texts)."""
    made = tokenizer(kind)
    if kind.startswith("Siglip"):
        lower = [sentence.lower() for sentence in sentences]
        inputs = made(lower, padding="max_length", max_length=64, return_tensors="pt")
        inputs = {"input_ids": inputs["input_ids"]}
    else:
        inputs = made(list(sentences), padding=True, return_tensors="pt")
    frames = x.transpose(1, 2)
    with torch.no_grad():
        if kind == "XCLIP":
            return network(pixel_values=frames, **inputs).logits_per_video
        pixels = frames.flatten(0, 1)
        if kind == "Siglip2":
            patches = [_patches_of(one) for one in pixels]
            shapes = torch.tensor([[SIDE // PATCH] * 2] * len(pixels))
            mask = torch.ones(len(pixels), len(patches[0]), dtype=torch.int32)
            pixels = torch.stack(patches)
            inputs |= {"pixel_attention_mask": mask, "spatial_shapes": shapes}
        return network(pixel_values=pixels, **inputs).logits_per_image


def _patches_of(picture: Tensor) -> Tensor:
    """Patches of a picture (3, H, W), row by row, each as its pixels with their three colours."""
    rows = []
    for top in range(0, SIDE, PATCH):
        for left in range(0, SIDE, PATCH):
            part = picture[:, top : top + PATCH, left : left + PATCH]
            rows.append(part.permute(1, 2, 0).reshape(-1))
    return torch.stack(rows)


def _values(kind: str) -> dict[str, Any]:
    count = len(tokenizer(kind))
    text = _TEXT | {"vocab_size": count, "max_position_embeddings": 77}
    vision = dict(_VISION)
    if kind.startswith("Siglip"):
        text |= {"max_position_embeddings": 64, "projection_size": WIDTH}
    if kind == "Siglip2":
        vision["num_patches"] = (SIDE // PATCH) ** 2
        del vision["image_size"]
    own: dict[str, Any] = {"projection_dim": WIDTH} if not kind.startswith("Siglip") else {}
    if kind == "CLIP":
        text |= {"bos_token_id": count - 2, "eos_token_id": count - 1}
    if kind == "XCLIP":
        vision |= {"num_frames": FRAMES, "mit_hidden_size": WIDTH, "mit_intermediate_size": 32}
        vision |= {"mit_num_hidden_layers": 1, "mit_num_attention_heads": 2}
        own |= {"prompt_layers": 1, "prompt_num_attention_heads": 2, "prompt_alpha": 0.1}
    return {"text_config": text, "vision_config": vision, **own}


# Networks set by hand: a text is a direction, and a patch of its colour points there.

RED, BLUE = 0, 2  # channels; each has its negative in the next one, so that the mean is 0
GREY = 4


def hand_set(kind: str, red: str, blue: str) -> nn.Module:
    """A network that finds red patches for one text and blue patches for another one.

    The class token, or SigLIP's pooling, takes the mean over all patches, each normalised; a patch
    that is neither red nor blue is 0. The text part has random weights, and its projection turns
    the two texts to the directions of red and blue.
    """
    import transformers

    values = _values(kind)
    values["vision_config"]["num_hidden_layers"] = 1
    values["prompt_alpha"] = 0.0
    config = getattr(transformers, f"{kind}Config")(**values)
    network = getattr(transformers, f"{kind}Model")(config).eval()
    fill(network.text_model)
    with torch.no_grad():
        _set_vision(network)
        _set_projection(network, kind, [red, blue])
        network.logit_scale.fill_(3.0)
    return network


def blobs(
    red: Sequence[tuple[int, int, int]], blue: Sequence[tuple[int, int, int]], frames: int
) -> Tensor:
    """A grey clip (1, 3, T, H, W) of numbers near 0, with patches (t, row, column) coloured."""
    x = torch.zeros(1, 3, frames, SIDE, SIDE)
    for channel, cells in ((0, red), (2, blue)):
        for t, row, column in cells:
            rows = slice(row * PATCH, (row + 1) * PATCH)
            x[0, channel, t, rows, column * PATCH : (column + 1) * PATCH] = 1.0
    return x


def _set_vision(network: nn.Module) -> None:
    prefixes = ("vision_model", "visual_projection", "mit", "prompts_visual", "prompts_generator")
    for name, parameter in network.named_parameters():
        if name.startswith(prefixes):
            parameter.zero_()
    for name, part in network.named_modules():
        if name.startswith(prefixes) and isinstance(part, nn.LayerNorm):
            part.weight.fill_(1.0)
    vision = network.vision_model
    embedding = vision.embeddings.patch_embedding
    colours = torch.zeros(WIDTH, 3)
    for channel, colour in ((RED, 0), (BLUE, 2)):
        own = torch.full((3,), -0.5).index_fill(0, torch.tensor([colour]), 1.0)
        colours[channel], colours[channel + 1] = own, -own
    if isinstance(embedding, nn.Linear):  # pixel by pixel, each with its colours
        embedding.weight.copy_(colours.repeat(1, PATCH**2) / PATCH**2)
    else:
        embedding.weight.copy_((colours / PATCH**2)[:, :, None, None].expand_as(embedding.weight))
    one = torch.eye(WIDTH)
    grey = torch.zeros(WIDTH)
    grey[GREY], grey[GREY + 1] = 0.1, -0.1  # so that no encoding is 0
    if hasattr(network, "visual_projection"):
        attention = vision.encoder.layers[0].self_attn
        attention.v_proj.weight.copy_(one)
        attention.out_proj.weight.copy_(one)
        vision.post_layernorm.bias.copy_(grey)
        network.visual_projection.weight.copy_(one)
    else:
        block = vision.encoder.layers[0].self_attn
        block.v_proj.weight.copy_(one)
        block.out_proj.weight.copy_(0.01 * one)  # patches hardly see each other
        attention = vision.head.attention
        attention.in_proj_weight[2 * WIDTH :] = one
        attention.out_proj.weight.copy_(one)
        attention.out_proj.bias.copy_(grey)


def _set_projection(network: nn.Module, kind: str, texts: list[str]) -> None:
    made = tokenizer(kind)
    layer = network.text_model.head if kind.startswith("Siglip") else network.text_projection
    layer.weight.copy_(torch.eye(WIDTH))
    if layer.bias is not None:
        layer.bias.zero_()
    if kind.startswith("Siglip"):
        inputs = made(texts, padding="max_length", max_length=64, return_tensors="pt")
        inputs = {"input_ids": inputs["input_ids"]}
    else:
        inputs = made(texts, padding=True, return_tensors="pt")
    encoded = network.text_model(**inputs).pooler_output  # (2, WIDTH)
    wanted = torch.zeros(2, WIDTH)
    for row, channel in enumerate((RED, BLUE)):
        wanted[row, channel], wanted[row, channel + 1] = 1.0, -1.0
    layer.weight.copy_((torch.linalg.pinv(encoded.double()) @ wanted.double()).T)
