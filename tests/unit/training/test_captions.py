"""Captions name the subject, its colour and its style, in two languages."""

import random

from training.captions import Subject, caption, prompt

CAT = Subject("cat", ("pet",), "猫", ("宠物",), "flat")
APPLE = Subject("apple", (), "苹果", (), "noto", "orange")


def drawn(subject: Subject) -> set[str]:
    chance = random.Random(0)
    return {caption(subject, chance) for _ in range(500)}


def test_every_caption_names_the_subject():
    assert all("cat" in text or "猫" in text for text in drawn(CAT))
    assert all("orange apple" in text or "橙" in text for text in drawn(APPLE))


def test_articles_numbers_tags_styles_and_chinese_all_occur():
    seen = drawn(CAT)
    assert {"a cat", "1 cat", "cat, pet", "a cat, flat", "一个猫", "猫，扁平"} <= seen
    assert {"an orange apple", "shaded orange apple", "橙色的苹果", "橙苹果"} <= drawn(APPLE)


def test_the_same_seed_gives_the_same_captions():
    assert [caption(CAT, random.Random(3)) for _ in range(5)] == [
        caption(CAT, random.Random(3)) for _ in range(5)
    ]


def test_the_prompt_has_its_article():
    assert (prompt(CAT), prompt(APPLE)) == ("a cat", "an orange apple")
