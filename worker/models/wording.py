"""A request's two prompts as contexts, with what the client should know about them."""

from dataclasses import dataclass

from shared.request import GenerationRequest
from worker.engine.sample import LoraSet
from worker.models.context import Context
from worker.models.prompt import LARGEST_WEIGHT, parse_prompt
from worker.models.text import TextEncoder

# A warning for the client: its code and its detail.
Note = tuple[str, str]


@dataclass(frozen=True)
class Wording:
    """What a job's rows attend to; `negative` is None without guidance."""

    context: Context
    negative: Context | None
    notes: tuple[Note, ...]

    @property
    def chunks(self) -> tuple[int, int]:
        """How many chunks the prompt and the negative prompt fill."""
        return self.context.chunks, self.negative.chunks if self.negative else 0


def encode_wording(text: TextEncoder, request: GenerationRequest, loras: LoraSet = ()) -> Wording:
    """Encode what the request says; waits for the text thread."""
    clip_skip = min(request.clip_skip, text.most_skipped)
    notes: list[Note] = []
    if clip_skip < request.clip_skip:
        detail = f"clip_skip is {clip_skip}: the model's text encoder has no more layers to skip"
        notes.append(("clip_skip_limited", detail))

    context, about = _encode(text, "prompt", request.prompt, clip_skip, loras)
    notes += about
    negative = None
    if request.rows == 2:
        words = request.negative_prompt
        negative, about = _encode(text, "negative prompt", words, clip_skip, loras)
        notes += about
        if text.zeros_for_empty and not request.negative_prompt.strip():
            negative = negative.zeros()
    return Wording(context, negative, tuple(notes))


def _encode(
    text: TextEncoder, name: str, words: str, clip_skip: int, loras: LoraSet
) -> tuple[Context, list[Note]]:
    prompt = parse_prompt(words)
    context = text.encode(prompt, clip_skip, loras)
    notes: list[Note] = []
    if prompt.unbalanced:
        detail = f"brackets without a partner in the {name}, which are text: {prompt.unbalanced}"
        notes.append(("unbalanced_parentheses", detail))
    if prompt.limited:
        most = f"{LARGEST_WEIGHT:g}"
        detail = f"weights of the {name} beyond {most}, which count as {most}: {prompt.limited}"
        notes.append(("weight_limited", detail))
    if context.left_out:
        detail = (
            f"the {name} fills {context.chunks + context.left_out} chunks;"
            f" only the first {context.chunks} count"
        )
        notes.append(("prompt_cut", detail))
    elif context.chunks > context.parts:
        detail = (
            f"the {name} has {context.tokens} tokens; it was encoded in {context.chunks} chunks"
            f" of {text.chunk_tokens}"
        )
        notes.append(("prompt_chunked", detail))
    return context, notes
