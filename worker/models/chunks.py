"""Cuts a prompt's tokens into the chunks that a CLIP text model takes at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.models.prompt import Prompt, Segment

# 2,400 tokens. A prompt of 4,000 characters may break into 570 chunks, each a pass of the encoder
# while others' prompts wait.
MOST_CHUNKS = 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """One pass through the text model.

    Attributes:
        ids: the start mark, the tokens, the end mark, filling.
        weights: one for each of `ids`; marks and filling have 1.
        end: the end mark's place.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    end: int


@dataclass(frozen=True, slots=True)
class Chunks:
    """A whole prompt.

    Attributes:
        chunks: at least one.
        tokens: in these chunks.
        parts: how many chunks the prompt's own breaks would need.
        left_out: how many chunks were beyond the most that are encoded.
    """

    chunks: tuple[Chunk, ...]
    tokens: int
    parts: int
    left_out: int


# Tokens of one word's weight that must stay in one chunk.
Unit = tuple[Sequence[int], float]


class Chunker:
    """A CLIP tokenizer, and names that stand for tokens of their own."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._named: dict[str, range] = {}
        self._names: re.Pattern[str] | None = None

    @property
    def size(self) -> int:
        """Tokens of a prompt that fit one chunk, between its start and end marks."""
        return int(self._tokenizer.model_max_length) - 2

    def name(self, named: Mapping[str, range]) -> None:
        """Let each name, alone or as `<name>`, stand for its tokens."""
        self._named = {name.lower(): ids for name, ids in named.items()}
        # The longest first: a name may begin with another one.
        names = "|".join(re.escape(name) for name in sorted(named, key=len, reverse=True))
        self._names = re.compile(rf"<({names})>|(?<!\w)({names})(?!\w)", re.IGNORECASE)

    def cut(self, prompt: Prompt) -> Chunks:
        """The prompt's chunks: a new one where one is full and at every break."""
        pieces: list[list[Unit]] = []
        parts = 0
        for part in prompt.parts:
            filled = self._fill(part)
            pieces += filled
            parts += bool(filled)
        chunks = tuple(self._chunk(piece) for piece in pieces[:MOST_CHUNKS] or [[]])
        tokens = sum(chunk.end - 1 for chunk in chunks)
        return Chunks(chunks, tokens, max(parts, 1), max(len(pieces) - MOST_CHUNKS, 0))

    def _fill(self, part: Sequence[Segment]) -> list[list[Unit]]:
        pieces: list[list[Unit]] = []
        room = 0
        for segment in part:
            for ids in self._units(segment.text):
                if len(ids) > room:
                    pieces.append([])
                    room = self.size
                pieces[-1].append((ids, segment.weight))
                room -= len(ids)
        return pieces

    def _units(self, text: str) -> Iterator[Sequence[int]]:
        begin = 0
        for found in self._names.finditer(text) if self._names else ():
            yield from self._tokens(text[begin : found.start()])
            yield self._named[(found[1] or found[2]).lower()]
            begin = found.end()
        yield from self._tokens(text[begin:])

    def _tokens(self, text: str) -> Iterator[Sequence[int]]:
        ids = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return ([token] for token in ids)

    def _chunk(self, piece: Sequence[Unit]) -> Chunk:
        tokenizer = self._tokenizer
        ids = [token for tokens, _ in piece for token in tokens]
        weights = [weight for tokens, weight in piece for _ in tokens]
        filling = self.size - len(ids)
        return Chunk(
            (
                tokenizer.bos_token_id,
                *ids,
                tokenizer.eos_token_id,
                *[tokenizer.pad_token_id] * filling,
            ),
            (1.0, *weights, *[1.0] * (filling + 1)),
            end=len(ids) + 1,
        )
