"""File names of saved pictures."""

from pathlib import Path

import pytest
import typer

from tessera.commands.saving import format_for, picture_path


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red apple", "a-red-apple-7.png"),
        ("红苹果", "红苹果-7.png"),
        ("../../etc/passwd", "etc-passwd-7.png"),
        ("???", "picture-7.png"),
        ("a " * 100, "a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-7.png"),
    ],
)
def test_in_a_folder_the_name_tells_prompt_and_seed(prompt: str, name: str):
    path = picture_path(Path("out"), prompt, seed=7, suffix="png", number=None)
    assert path == Path("out") / name


def test_a_files_name_is_taken_as_it_is():
    path = picture_path(Path("apple.png"), "a red apple", seed=7, suffix="png", number=None)
    assert path == Path("apple.png")


def test_several_pictures_under_one_name_are_numbered():
    path = picture_path(Path("apple.png"), "a red apple", seed=7, suffix="png", number=2)
    assert path == Path("apple-2.png")


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("out", None),
        ("a.png", "png"),
        ("a.JPG", "jpeg"),
        ("a.jpeg", "jpeg"),
        ("a.webp", "webp"),
        ("a.avif", "avif"),
    ],
)
def test_the_suffix_chooses_the_format(target: str, asked: str | None):
    assert format_for(Path(target)) == asked


def test_an_unknown_suffix_is_refused():
    with pytest.raises(typer.BadParameter, match=r"\.gif is none of \.png"):
        format_for(Path("a.gif"))
