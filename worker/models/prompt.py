"""Reads the weights and breaks that are written into a prompt, by AUTOMATIC1111's rules."""

import re
from dataclasses import dataclass

ROUND_FACTOR = 1.1
SQUARE_FACTOR = 1 / 1.1
# Thirty times a CLIP state is far from where half precision ends, and far from any use.
LARGEST_WEIGHT = 30.0

MARK = re.compile(
    r"""
    \\[()\[\]\\]                                                # an escaped mark
    | :\s*(?P<factor>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*\)    # the end of (words:1.3)
    | [()\[\]]
    | [^\\()\[\]:]+
    | [\\:]
    """,
    re.VERBOSE,
)
BREAK = re.compile(r"\s*\bBREAK\b\s*")


@dataclass(frozen=True, slots=True)
class Segment:
    """Words of one weight."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as it is meant. Equal prompts have equal encodings.

    Attributes:
        parts: what stands between the words BREAK; at least one part, perhaps without segments.
        unbalanced: brackets that open or close nothing, and so are text.
        limited: brackets whose weight would have been larger than any that counts.
    """

    parts: tuple[tuple[Segment, ...], ...]
    unbalanced: int
    limited: int = 0


def parse_prompt(text: str) -> Prompt:
    """Read `(words)`, `(words:1.3)`, `[words]`, escapes and BREAK. Every text is legal.

    One difference: for AUTOMATIC1111 a bracket that is never closed weighs all that follows;
    here it is text.
    """
    reader = _Reader()
    for found in MARK.finditer(text):
        reader.take(found.group(), found["factor"])
    return reader.prompt()


class _Reader:
    """Pieces of text with their weights; the place of every bracket that is still open."""

    def __init__(self) -> None:
        self._parts: list[int] = [0]  # where each part begins
        self._texts: list[str] = []
        self._weights: list[float] = []
        self._open: dict[str, list[int]] = {"(": [], "[": []}
        self._stray = 0
        self._limited = 0

    def take(self, mark: str, factor: str | None) -> None:
        if mark in ("(", "["):
            self._open[mark].append(len(self._texts))
            self._add(mark)
        elif factor is not None and self._open["("]:
            self._close("(", float(factor))
        elif mark == ")" and self._open["("]:
            self._close("(", ROUND_FACTOR)
        elif mark == "]" and self._open["["]:
            self._close("[", SQUARE_FACTOR)
        elif mark[0] == "\\" and len(mark) == 2:
            self._add(mark[1])
        else:
            self._stray += mark == "]" or mark.endswith(")")
            self._add_words(mark)

    def prompt(self) -> Prompt:
        unbalanced = self._stray + sum(map(len, self._open.values()))
        ends = [*self._parts[1:], len(self._texts)]
        parts = (self._segments(*span) for span in zip(self._parts, ends, strict=True))
        return Prompt(tuple(parts), unbalanced, self._limited)

    def _add(self, text: str) -> None:
        self._texts.append(text)
        self._weights.append(1.0)

    def _add_words(self, text: str) -> None:
        first, *rest = BREAK.split(text)
        self._add(first)
        for words in rest:
            self._parts.append(len(self._texts))
            self._add(words)

    def _close(self, bracket: str, factor: float) -> None:
        begin = self._open[bracket].pop()
        self._texts[begin] = ""  # it was no text
        # The factor alone may be infinite, which times 0 is no number.
        wanted = [weight * _limited(factor) for weight in self._weights[begin:]]
        self._weights[begin:] = map(_limited, wanted)
        self._limited += max(abs(factor), *map(abs, wanted)) > LARGEST_WEIGHT

    def _segments(self, begin: int, end: int) -> tuple[Segment, ...]:
        """Neighbours of the same weight become one, so that no word is torn by an escape."""
        segments: list[Segment] = []
        for text, weight in zip(self._texts[begin:end], self._weights[begin:end], strict=True):
            if text and segments and segments[-1].weight == weight:
                segments[-1] = Segment(segments[-1].text + text, weight)
            elif text:
                segments.append(Segment(text, weight))
        return tuple(segments)


def _limited(weight: float) -> float:
    return min(max(weight, -LARGEST_WEIGHT), LARGEST_WEIGHT)
