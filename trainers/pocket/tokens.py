"""The family's tokenizer and chat template: 768 byte-level pieces, digits one by one, six special tokens."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

VOCABULARY = 768
PAD, BOS, END, SYSTEM, USER, ASSISTANT = SPECIAL = (
    "<|pad|>", "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] in ['system', 'user', 'assistant'] %}{{ '<|' + message['role'] + '|>' }}"
    "{% else %}{{ '<|user|>' }}{% endif %}"
    "{{ message['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str]) -> Any:
    """A `tokenizers.Tokenizer` learnt from the texts; the same texts give the same tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return made


def save_tokenizer(tokenizer: Any, folder: Path, context: int) -> None:
    """Write it as Transformers, vLLM and the pocket server read it."""
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, bos_token=BOS, eos_token=END,
                                   model_max_length=context, clean_up_tokenization_spaces=False)
    made.add_special_tokens({"additional_special_tokens": [SYSTEM, USER, ASSISTANT]})
    made.chat_template = TEMPLATE
    made.save_pretrained(str(folder))


def load_tokenizer(folder: Path) -> Any:
    """The `tokenizers.Tokenizer` of a model's folder."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))
