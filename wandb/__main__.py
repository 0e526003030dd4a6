"""`python -m wandb`: the `wandb` command."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="wandb")
