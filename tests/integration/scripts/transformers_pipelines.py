"""Transformers' pipelines: what one that classifies and one that writes are asked and answer, as tables."""

import os

import tokenizers
import transformers

import wandb
from wandb.integration.huggingface import autolog

WORDS = ["[PAD]", "[UNK]", "how", "nice", "sad", "is", "it", "!"]


def make_tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")


transformers.set_seed(0)
size = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **size)
classify = transformers.pipeline(
    "text-classification", model=transformers.BertForSequenceClassification(config), tokenizer=make_tokenizer()
)
config = transformers.GPT2Config(
    vocab_size=len(WORDS), n_positions=32, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
)
write = transformers.pipeline("text-generation", model=transformers.GPT2LMHeadModel(config), tokenizer=make_tokenizer())

autolog({"tags": ["pipelines"], "config": {"mine": 1}})
classify("how nice!")
classify(["how nice!", "how sad!"], top_k=2)
os.environ["WANDB_AUTOLOG_TABLE_NAME"] = "written"
write("how nice", max_new_tokens=4, do_sample=False)
wandb.log({"after": 1})
assert autolog.get_latest_id()
autolog.disable()
classify("it is sad")  # which nobody logs any more
assert wandb.run is None
