"""OpenAI: fine-tuning jobs as runs, `wandb.integration.openai.fine_tuning.WandbLogger`."""
