"""CLIP's tokenizer, from the merges that are shipped or from a model's own folder."""

import gzip
import json
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

MERGES = Path(__file__).parent / "architectures" / "clip" / "merges.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """The tokenizer of a folder that holds its vocabulary, or only `tokenizer_config.json`.

    Every Stable Diffusion has OpenAI's vocabulary; models differ in what fills a chunk up.
    Raises OSError, ValueError.
    """
    if any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        own: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        return own
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    merges = _merges()
    letters = list(bytes_to_unicode().values())  # type: ignore[no-untyped-call]
    tokens = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *("".join(pair) for pair in merges),
        START,
        END,
    ]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=merges,  # type: ignore[arg-type]  # the library's own files give it pairs, too
        model_max_length=config["model_max_length"],
        pad_token=config["pad_token"],
    )


def _merges() -> list[tuple[str, str]]:
    lines = gzip.decompress(MERGES.read_bytes()).decode().splitlines()
    return [(first, second) for first, second in (line.split(" ") for line in lines)]
