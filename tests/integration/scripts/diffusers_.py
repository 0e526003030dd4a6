"""Diffusers: pictures of a tiny Stable Diffusion, for one prompt and for two."""

import torch
import transformers
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

import wandb
from wandb.integration.diffusers import autolog

autolog({"tags": ["pictures"], "config": {"mine": 1}})

from diffusers import StableDiffusionPipeline  # noqa: E402 - so that it is loaded when calls are logged already

WORDS = ["<|startoftext|>", "<|endoftext|>", "a</w>", "house</w>", "tree</w>"]


def make_pipeline() -> StableDiffusionPipeline:
    torch.manual_seed(0)
    text = transformers.CLIPTextConfig(
        vocab_size=len(WORDS), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        projection_dim=8, bos_token_id=0, eos_token_id=1, pad_token_id=1, max_position_embeddings=77,
    )  # fmt: skip
    blocks = {"layers_per_block": 1, "block_out_channels": (8,), "norm_num_groups": 4}
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(latent_channels=4, **blocks),
        text_encoder=transformers.CLIPTextModel(text),
        tokenizer=transformers.CLIPTokenizer(
            vocab={word: number for number, word in enumerate(WORDS)}, merges=[], model_max_length=77
        ),
        unet=UNet2DConditionModel(
            sample_size=16, down_block_types=("CrossAttnDownBlock2D",), up_block_types=("CrossAttnUpBlock2D",),
            cross_attention_dim=8, attention_head_dim=4, **blocks,
        ),
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


pipeline = make_pipeline()
options = {"height": 32, "width": 32, "num_inference_steps": 2}
pipeline("a house", generator=torch.Generator().manual_seed(1), **options)
pipeline(["a house", "a tree"], negative_prompt=["a tree", "a house"], **options)
wandb.log({"after": 1})
autolog.disable()
assert wandb.run is None
pipeline("a tree", **options)  # which nobody logs any more
