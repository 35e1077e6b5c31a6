"""Networks whose classes are texts: the vision part of CLIP, SigLIP or X-CLIP, and text encodings.

The scores are those of the whole network of transformers. Texts are encoded once, when the network
is made; the part that encodes them is left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from video_cam.models.text.families import TextFamily
from video_cam.models.text.tokens import Tokens

_BATCH = 32  # texts that are encoded at a time


class ImageTextScores(nn.Module):
    """Scores of frames (N, 3, H, W) for texts: CLIP, SigLIP and SigLIP 2.

    The score is s <v, t> + b: v and t of length 1, s and b learned in training. Of several
    templates, t is the mean of their encodings of length 1, made of length 1 again (the prompt
    ensembling of Radford et al. 2021).
    """

    texts: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, network: Any, tokens: Tokens) -> None:
        """Take the vision part of a CLIPModel, SiglipModel or Siglip2Model, and encode texts."""
        super().__init__()
        self.vision_model = network.vision_model
        self.visual_projection = getattr(network, "visual_projection", nn.Identity())
        encoded = _unit(_encoded(network, tokens)).unflatten(0, (-1, tokens.num_templates))
        self.register_buffer("texts", _unit(encoded.mean(1)))  # (texts, K)
        self.register_buffer("scale", network.logit_scale.detach().exp().clone())
        bias = getattr(network, "logit_bias", torch.zeros(()))
        self.register_buffer("bias", bias.detach().to(self.scale).clone())

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(N, 3, H, W) -> scores (N, texts)."""
        pooled = self.vision_model(**_vision_input(self.vision_model, pixel_values)).pooler_output
        return self.scale * _unit(self.visual_projection(pooled)) @ self.texts.T + self.bias

    def extra_repr(self) -> str:
        """The number of texts: the shape of the output is not that of any weight."""
        return f"texts={len(self.texts)}"


class VideoTextScores(nn.Module):
    """Scores of clips (N, T, 3, H, W) for texts: X-CLIP (Ni et al. 2022).

    Frames exchange message tokens in every block, and their class tokens are read by a transformer
    over time. A text's encoding gets an addition that attends to the patches of the clip, so that
    the scores depend on the clip in two ways, and gradients follow both. Of several templates, the
    encodings are averaged as in ImageTextScores, after that addition.
    """

    texts: Tensor
    scale: Tensor

    def __init__(self, network: Any, tokens: Tokens) -> None:
        """Take all but the text part of an XCLIPModel, and encode texts."""
        super().__init__()
        self.vision_model = network.vision_model
        self.visual_projection = network.visual_projection
        self.mit = network.mit
        self.prompts_visual_layernorm = network.prompts_visual_layernorm
        self.prompts_visual_projection = network.prompts_visual_projection
        self.prompts_generator = network.prompts_generator
        self.num_templates = tokens.num_templates
        self.register_buffer("texts", _encoded(network, tokens))  # (texts x templates, K)
        self.register_buffer("scale", network.logit_scale.detach().exp().clone())

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> scores (N, texts)."""
        samples, frames = pixel_values.shape[:2]
        pixels = pixel_values.flatten(0, 1)
        seen = self.vision_model(**_vision_input(self.vision_model, pixels))
        moments = self.visual_projection(seen.pooler_output).unflatten(0, (samples, frames))
        video = self.mit(moments).pooler_output  # (N, K)
        patches = self.prompts_visual_layernorm(seen.last_hidden_state[:, 1:])
        patches = patches @ self.prompts_visual_projection
        places = patches.unflatten(0, (samples, frames)).mean(1)  # (N, places, K)
        texts = self.texts.expand(samples, -1, -1)
        texts = _unit(texts + self.prompts_generator(texts, places))
        if self.num_templates > 1:
            texts = _unit(texts.unflatten(1, (-1, self.num_templates)).mean(2))
        return torch.einsum("nk,ntk->nt", _unit(video), self.scale * texts)

    def extra_repr(self) -> str:
        """The number of texts: the shape of the output is not that of any weight."""
        return f"texts={len(self.texts) // self.num_templates}"


def with_texts(network: Any, family: TextFamily, tokens: Tokens) -> nn.Module:
    """The network that scores frames, or clips, for texts; shares the vision part's layers."""
    scores = VideoTextScores if family.over_time else ImageTextScores
    return scores(network, tokens).eval()


@torch.no_grad()
def _encoded(network: Any, tokens: Tokens) -> Tensor:
    """(texts x templates, K), as the network projects them, of any length."""
    device = network.logit_scale.device
    project = getattr(network, "text_projection", nn.Identity())
    parts = []
    for inputs in tokens.batches(_BATCH):
        pooled = network.text_model(**{k: v.to(device) for k, v in inputs.items()}).pooler_output
        parts.append(project(pooled))
    return torch.cat(parts)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _vision_input(vision_model: Any, pixels: Tensor) -> dict[str, Any]:
    """What a vision part takes of pictures (N, 3, H, W)."""
    config = vision_model.config
    if config.model_type == "siglip2_vision_model":
        return _patches(pixels, config.patch_size)
    # Positions are interpolated for other sizes than those of training.
    other_size = pixels.shape[2:] != (config.image_size, config.image_size)
    return {"pixel_values": pixels, "interpolate_pos_encoding": other_size}


def _patches(pixels: Tensor, side: int) -> dict[str, Any]:
    """Pictures cut into patches, (N, H' W', side x side x 3), as SigLIP 2's own size takes them."""
    height, width = pixels.shape[2] // side, pixels.shape[3] // side
    cut = pixels.unflatten(3, (width, side)).unflatten(2, (height, side))  # (N, 3, H', s, W', s)
    patches = cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
    shape = torch.tensor([[height, width]], device=pixels.device).expand(len(pixels), 2)
    return {"pixel_values": patches, "pixel_attention_mask": None, "spatial_shapes": shape}
