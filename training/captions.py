"""Captions: the many ways in which one picture is asked for, in English and Chinese."""

import random
from dataclasses import dataclass

COLOURS = {  # English word: (Chinese, hue in degrees)
    "red": ("红", 0.0),
    "orange": ("橙", 27.0),
    "yellow": ("黄", 50.0),
    "green": ("绿", 130.0),
    "blue": ("蓝", 212.0),
    "purple": ("紫", 275.0),
    "pink": ("粉", 325.0),
}
STYLE_WORDS = {"flat": "扁平", "noto": "渐变", "twemoji": "简单"}
STYLE_CAPTIONS = {"flat": "flat", "noto": "shaded", "twemoji": "simple"}


@dataclass(frozen=True)
class Subject:
    """What is on a picture: names from emojibase, and a colour if this is a shifted copy."""

    label: str
    tags: tuple[str, ...]
    label_zh: str
    tags_zh: tuple[str, ...]
    style: str
    colour: str | None = None


def article(noun: str) -> str:
    return "an" if noun[0].lower() in "aeiou" else "a"


def names(subject: Subject) -> tuple[str, str]:
    """The plain name in English and in Chinese, colour included."""
    if subject.colour is None:
        return subject.label, subject.label_zh
    return (
        f"{subject.colour} {subject.label}",
        f"{COLOURS[subject.colour][0]}色的{subject.label_zh}",
    )


def prompt(subject: Subject) -> str:
    """The one canonical English prompt, as the evaluation asks it."""
    name = names(subject)[0]
    return f"{article(name)} {name}"


def caption(subject: Subject, chance: random.Random) -> str:
    """One caption; drawn anew each time the picture is seen."""
    name, name_zh = names(subject)
    if chance.random() < 0.3:
        return chinese(subject, name_zh, chance)
    style = STYLE_CAPTIONS[subject.style]
    lead = chance.choice(
        ["", f"{article(name)} ", f"{article(name)} ", "the ", "1 ", "one ", "a picture of a "]
    )
    text = f"{lead}{name}"
    draw = chance.random()
    if draw < 0.15:
        return f"{text}, {style}"
    if draw < 0.25:
        return f"{style} {name}"
    if draw < 0.45 and subject.tags:
        tags = chance.sample(subject.tags, min(len(subject.tags), chance.randint(1, 2)))
        return f"{text}, {', '.join(tags)}"
    if draw < 0.5:
        return f"{name} emoji"
    return text


def chinese(subject: Subject, name: str, chance: random.Random) -> str:
    draw = chance.random()
    if subject.colour is not None and draw < 0.3:
        name = name.replace("色的", "色" if chance.random() < 0.5 else "", 1)
    draw = chance.random()
    if draw < 0.35:
        return f"一个{name}"
    if draw < 0.45:
        return f"{name}，{STYLE_WORDS[subject.style]}"
    if draw < 0.6 and subject.tags_zh:
        return f"{name}，{chance.choice(subject.tags_zh)}"
    return name
