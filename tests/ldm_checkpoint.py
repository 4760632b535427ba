"""Writes a model as one file under the original trainers' names: the inverse of loading one."""

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

RESNET = {
    "norm1.": "in_layers.0.",
    "conv1.": "in_layers.2.",
    "time_emb_proj.": "emb_layers.1.",
    "norm2.": "out_layers.0.",
    "conv2.": "out_layers.3.",
    "conv_shortcut.": "skip_connection.",
}
UNET_ENDS = {
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.",
    "conv_in.": "input_blocks.0.0.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
}
MIDDLE = {"resnets.0.": "0.", "attentions.0.": "1.", "resnets.1.": "2."}
VAE_ATTENTION = {
    "group_norm.": "norm.",
    "to_q.": "q.",
    "to_k.": "k.",
    "to_v.": "v.",
    "to_out.0.": "proj_out.",
}
OPEN_CLIP = {
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.final_layer_norm.": "ln_final.",
    "text_model.encoder.layers.": "transformer.resblocks.",
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".fc1.": ".c_fc.",
    ".fc2.": ".c_proj.",
    ".self_attn.": ".attn.",
}


def write_checkpoint(file: Path, pipeline: Any) -> Path:
    """Write a pipeline's parts into `file`: SD 1.x with CLIP, 2.x with OpenCLIP, or XL."""
    weights = {
        **_prefixed("model.diffusion_model.", unet_weights(pipeline.unet)),
        **_prefixed("first_stage_model.", vae_weights(pipeline.vae)),
    }
    clip = _wrapped(pipeline.text_encoder.state_dict())
    if pipeline.text_encoder.config.hidden_act == "gelu":
        weights |= _prefixed("cond_stage_model.model.", open_clip_weights(clip))
    elif getattr(pipeline, "text_encoder_2", None) is None:
        weights |= _prefixed("cond_stage_model.transformer.", clip)
    else:
        weights |= _prefixed("conditioner.embedders.0.transformer.", clip)
        second = open_clip_weights(pipeline.text_encoder_2.state_dict())
        weights |= _prefixed("conditioner.embedders.1.model.", second)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, file)
    return file


def unet_weights(unet: Any) -> dict[str, Tensor]:
    """The UNet's weights under their old names."""
    layers = unet.config.layers_per_block
    attends = ["CrossAttn" in kind for kind in unet.config.up_block_types]

    def renamed(name: str) -> str:
        for new, old in UNET_ENDS.items():
            if name.startswith(new):
                return old + name.removeprefix(new)
        if name.startswith("mid_block."):
            return "middle_block." + _replace_first(name.removeprefix("mid_block."), MIDDLE)
        match = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name)
        assert match is not None, name
        way, block, kind, place, rest = match.groups()
        i, j = int(block), int(place)
        if kind == "downsamplers":
            return f"input_blocks.{(layers + 1) * (i + 1)}.0.op.{rest.removeprefix('conv.')}"
        if kind == "upsamplers":
            return f"output_blocks.{(layers + 1) * i + layers}.{1 + attends[i]}.{rest}"
        number = (layers + 1) * i + j
        side = f"input_blocks.{number + 1}" if way == "down" else f"output_blocks.{number}"
        return f"{side}.{int(kind == 'attentions')}.{rest}"

    return {
        _replaced(renamed(name), RESNET) if "resnets" in name else renamed(name): tensor
        for name, tensor in unet.state_dict().items()
    }


def vae_weights(vae: Any) -> dict[str, Tensor]:
    """The VAE's weights under their old names; its attention was made of convolutions."""
    last = len(vae.config.block_out_channels) - 1

    def renamed(name: str) -> str:
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if "mid_block.attentions.0." in name:
            name = _replaced(name.replace("mid_block.attentions.0.", "mid.attn_1."), VAE_ATTENTION)
        name = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", name)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0\.", r"down.\1.downsample.", name)
        name = re.sub(
            r"up_blocks\.(\d)\.resnets\.", lambda m: f"up.{last - int(m[1])}.block.", name
        )
        return re.sub(
            r"up_blocks\.(\d)\.upsamplers\.0\.", lambda m: f"up.{last - int(m[1])}.upsample.", name
        )

    def reshaped(name: str, tensor: Tensor) -> Tensor:
        convolved = "mid_block.attentions" in name and tensor.ndim == 2
        return tensor[:, :, None, None] if convolved else tensor

    return {renamed(name): reshaped(name, tensor) for name, tensor in vae.state_dict().items()}


def open_clip_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A text encoder's weights under OpenCLIP's names; it keeps three projections in one."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        old = _replaced(name, OPEN_CLIP)
        if name == "text_projection.weight":
            renamed["text_projection"] = tensor.T
        elif ".q_proj." in name:
            projections = [weights[name.replace("q_proj", f"{which}_proj")] for which in "qkv"]
            renamed[old.replace("q_proj.", "in_proj_")] = torch.cat(projections)
        elif ".k_proj." not in name and ".v_proj." not in name:
            renamed[old] = tensor
    return renamed


def _wrapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """transformers 5 has taken this layer of names out."""
    return {f"text_model.{name.removeprefix('text_model.')}": t for name, t in weights.items()}


def _prefixed(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in weights.items()}


def _replaced(name: str, names: dict[str, str]) -> str:
    for new, old in names.items():
        name = name.replace(new, old)
    return name


def _replace_first(name: str, names: dict[str, str]) -> str:
    for new, old in names.items():
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name
