"""`models.toml`: what is read, and what is refused with its reason."""

from pathlib import Path

import pytest

from shared.catalog import load_catalog
from shared.errors import ConfigurationError

GOOD = """
default = "emoji"

[[models]]
id = "emoji"
family = "sd"
path = "emoji"
"""


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(GOOD)
    catalog = load_catalog(file)
    assert catalog.ids == ("emoji",)
    entry = catalog.get("emoji")
    assert entry is not None
    assert entry.path == tmp_path / "emoji"
    assert catalog.get("other") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("default = ", "Invalid value"),
        ('default = "emoji"', "models"),
        (GOOD.replace('default = "emoji"', 'default = "x"'), "not among the models"),
        (GOOD + GOOD.partition("\n\n")[2], "share an id"),
        (GOOD.replace('path = "emoji"', ""), "either `path` or `repository`"),
        (GOOD.replace('path = "emoji"', 'repository = "a/b"'), "needs `revision`"),
        (
            GOOD.replace('path = "emoji"', 'path = "emoji"\ntrust = true'),
            "models.0.trust: there is no",
        ),
        (GOOD.replace('id = "emoji"', 'id = "a:b"'), "pattern"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=reason) as told:
        load_catalog(file)
    assert len(str(told.value).splitlines()) == 1


def test_a_file_that_is_not_text_is_told_as_such(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_bytes(b'default = "\xff"')
    with pytest.raises(ConfigurationError, match="utf-8"):
        load_catalog(file)


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_catalog(tmp_path / "none.toml")


def test_which_models_a_worker_holds_and_in_which_order(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    others = "".join(
        f'[[models]]\nid = "{name}"\nfamily = "sdxl"\npath = "{name}"\n' for name in ("xl", "one")
    )
    file.write_text(GOOD.replace("\n\n", f"\n\n{others}"))
    catalog = load_catalog(file)

    assert catalog.ids == ("xl", "one", "emoji")
    assert [entry.id for entry in catalog.preferred(())] == ["emoji", "xl", "one"]
    assert [entry.id for entry in catalog.preferred(("one", "emoji"))] == ["one", "emoji"]
    with pytest.raises(ConfigurationError, match="no model 'two' is configured"):
        catalog.preferred(("one", "two"))


def test_a_file_belongs_to_a_repository(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(GOOD.replace('path = "emoji"', 'path = "emoji"\nfile = "x.safetensors"'))

    with pytest.raises(ConfigurationError, match="`file` is a file of a `repository`"):
        load_catalog(file)
