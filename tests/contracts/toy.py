"""A toy model and its tokenizer, made here: whole words, a chat template, random weights; nothing is downloaded."""

from typing import Any

TEMPLATE = (
    "{% if tools %}{{ '<tools> ' + tools[0]['function']['name'] + ' ' }}{% endif %}"
    "{% for message in messages %}{{ '<' + message['role'] + '> ' + message['content'] + ' </s> ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant> ' }}{% endif %}"
)
MARKS = ["<pad>", "<unk>", "</s>", "<system>", "<user>", "<assistant>", "<tools>"]


def tokenizer(texts: list[str]) -> Any:
    """A tokenizer whose tokens are the words of the texts, so that decoding shows which words a trainer kept."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # type: ignore[import-not-found]
    from transformers import PreTrainedTokenizerFast  # type: ignore[import-not-found]

    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=MARKS))
    made = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="</s>")
    made.chat_template = TEMPLATE
    return made


def model(words: Any, *, reward: bool = False) -> Any:
    """Two Llama layers of width 32 with random weights: a language model, or one number a text."""
    import torch  # type: ignore[import-not-found]
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=256, pad_token_id=words.pad_token_id,
        bos_token_id=words.eos_token_id, eos_token_id=words.eos_token_id, num_labels=1)
    return LlamaForSequenceClassification(config) if reward else LlamaForCausalLM(config)
