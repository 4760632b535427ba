"""The byte-level BPE tokenizer, of CLIP's class, trained on the captions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, trainers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from training.errors import TrainingError

LENGTH = 77  # tokens, as in Stable Diffusion
VOCABULARY = 4096
START, END = "<|startoftext|>", "<|endoftext|>"


def train(captions: Iterator[str], folder: Path) -> None:
    """Learn merges with CLIP's own normalisation and splitting, and save under `folder`."""
    clip = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(BPE(end_of_word_suffix="</w>", unk_token=END))
    learner.normalizer, learner.pre_tokenizer = clip.normalizer, clip.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[START, END],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(captions, trainer)
    vocabulary, merges = Path(folder / "vocab.json"), folder / "merges.txt"
    folder.mkdir(parents=True, exist_ok=True)
    learner.model.save(str(folder))
    CLIPTokenizer(str(vocabulary), str(merges), model_max_length=LENGTH).save_pretrained(folder)


def load(folder: Path) -> Any:
    """A CLIPTokenizer that pads and cuts to 77 tokens."""
    if not (folder / "tokenizer_config.json").exists():
        raise TrainingError(f"no tokenizer under {folder}: run python -m training.data first")
    return CLIPTokenizer.from_pretrained(folder)
