"""The prompt's own language: what is a weight, what is a break, what is text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.models.prompt import Prompt, Segment, parse_prompt

PLAIN = st.text(st.characters(exclude_characters="()[]\\:", exclude_categories=["Cs"]), max_size=40)


def parts(text):
    return [[(one.text, one.weight) for one in part] for part in parse_prompt(text).parts]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", []),
        ("a red apple", [("a red apple", 1.0)]),
        ("a (red) apple", [("a ", 1.0), ("red", 1.1), (" apple", 1.0)]),
        ("((red))", [("red", 1.1 * 1.1)]),
        ("(red:1.3)", [("red", 1.3)]),
        ("(red: 1.3 )", [("red", 1.3)]),
        ("(red:-.5)", [("red", -0.5)]),
        ("(red:0)", [("red", 0.0)]),
        ("[red]", [("red", 1 / 1.1)]),
        ("(a [b] c)", [("a ", 1.1), ("b", 1.1 / 1.1), (" c", 1.1)]),
        ("(a (b:2):1.5)", [("a ", 1.5), ("b", 3.0)]),
        ("(a [b) c]", [("a ", 1.1), ("b", 1.1 / 1.1), (" c", 1 / 1.1)]),
        (r"a \(b\) \[c\] \\", [(r"a (b) [c] \ "[:-1], 1.0)]),
        (r"(a \(b\):1.2)", [("a (b)", 1.2)]),
        (r"C:\d", [(r"C:\d", 1.0)]),
        ("ratio 3:4", [("ratio 3:4", 1.0)]),
        ("(at 12:30)", [("at 12", 30.0)]),
        ("(red:1.2.3)", [("red:1.2.3", 1.1)]),
        ("(red:big)", [("red:big", 1.1)]),
        ("(a)(b)", [("ab", 1.1)]),
        ("()", []),
    ],
)
def test_weights(text, segments):
    prompt = parse_prompt(text)

    assert prompt.unbalanced == 0
    (part,) = prompt.parts
    assert [one.text for one in part] == [words for words, _ in segments]
    assert [one.weight for one in part] == pytest.approx([weight for _, weight in segments])


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("(a:31)", 30.0),
        ("(a:-1000)", -30.0),
        ("((a:20):20)", 30.0),
        ("(" * 99 + "a" + ")" * 99, 30.0),
        (f"(a:{'9' * 400})", 30.0),
        (f"((a:0):{'9' * 400})", 0.0),
    ],
)
def test_a_weight_has_a_limit(text, weight):
    prompt = parse_prompt(text)

    assert prompt.limited >= 1
    assert [one.weight for one in prompt.parts[0]] == [weight]


@pytest.mark.parametrize(
    ("text", "count"),
    [(":(", 1), (":)", 1), ("a ] b [", 2), ("red:1.3)", 1), ("((a)", 1), ("(" * 300, 300)],
)
def test_a_bracket_without_its_partner_is_text(text, count):
    prompt = parse_prompt(text)

    assert prompt.unbalanced == count
    kept = "".join(one.text for one in prompt.parts[0])
    assert kept == {"((a)": "(a"}.get(text, text)


def test_break_parts_a_prompt():
    assert parts("a BREAK b") == [[("a", 1.0)], [("b", 1.0)]]
    assert parts("BREAK a") == [[], [("a", 1.0)]]
    assert parts("aBREAK BREAKs break") == [[("aBREAK BREAKs break", 1.0)]]
    assert parts("(a BREAK b:2) c") == [[("a", 2.0)], [("b", 2.0), (" c", 1.0)]]
    assert parts("(a)BREAK(b)") == [[("a", 1.1)], [("b", 1.1)]]


@given(PLAIN)
def test_a_text_without_marks_is_kept_as_it_is(text):
    if "BREAK" not in text:
        assert parse_prompt(text) == Prompt(((Segment(text, 1.0),) if text else (),), 0)


@given(st.text(st.sampled_from("ab ()[]\\:1.-BREAK"), max_size=60) | st.text(max_size=60))
def test_every_text_is_legal_and_nothing_but_marks_is_lost(text):
    prompt = parse_prompt(text)

    kept = "".join(one.text for part in prompt.parts for one in part)
    rest = iter(text)
    assert all(letter in rest for letter in kept)  # in order
    letters = [letter for letter in text if letter not in "()[]\\:1.-+BREAK0123456789 "]
    assert [letter for letter in kept if letter in letters] == [
        letter for letter in text if letter in letters
    ]


@given(st.lists(st.tuples(PLAIN.filter(str.strip), st.integers(0, 200)), min_size=1, max_size=5))
def test_what_is_written_is_read(segments):
    text = "".join(f"({words}:{weight / 100})" for words, weight in segments)
    if "BREAK" in text:
        return

    (part,) = parse_prompt(text).parts

    weights = [weight / 100 for words, weight in segments for _ in words]
    assert [one.weight for one in part for _ in one.text] == pytest.approx(weights)
    assert "".join(one.text for one in part) == "".join(words for words, _ in segments)
