"""What to write instead of other tools' names for our fields."""

HINTS = {
    "num_inference_steps": "`steps`",
    "sample_steps": "`steps`",
    "cfg_scale": "`guidance_scale`",
    "cfg": "`guidance_scale`",
    "guidance": "`guidance_scale`",
    "sampler_name": "`sampler`",
    "sampler_index": "`sampler`",
    "sample_method": "`sampler`",
    "scheduler": "`sampler` for the method, `schedule` for the spacing of its noise levels",
    "n": "`num_images`",
    "batch_size": "`num_images`",
    "batch_count": "`num_images`",
    "n_iter": "`num_images`",
    "num_outputs": "`num_images`",
    "num_images_per_prompt": "`num_images`",
    "size": "`width` and `height`",
    "image_size": "`width` and `height`",
    "model_id": "`model`",
    "sd_model_checkpoint": "`model`",
    "negativePrompt": "`negative_prompt`",
    "output_format": "`output.format`",
    "response_format": "`output.format`",
    "output_quality": "`output.quality`",
    "quality": "`output.quality`",
    "noise_seed": "`seed`",
    "timeout": "`deadline_seconds`",
    "denoising_strength": "`strength`, once this version takes input pictures",
    "prompt_strength": "`strength`, once this version takes input pictures",
    "mask_image": "`mask`, once this version takes input pictures",
    "init_images": "`image`, once this version takes input pictures",
    "init_image": "`image`, once this version takes input pictures",
    "webhook_url": "the events of `links.events`, or `Prefer: wait=60`",
}


def hint(field: str) -> str:
    """What to tell a client who sent the unknown `field`."""
    ours = HINTS.get(field)
    return f"not a known field; use {ours}" if ours else "not a known field"
