"""What prefetch says of models that are here, and of one that is not."""

from shared.settings import ModelSettings
from worker.models import prefetch


def test_the_bundled_model_is_here(capsys):
    assert ModelSettings().models_file.exists()
    assert prefetch.main() == 0
    assert "emoji is here" in capsys.readouterr().out


def test_a_model_that_is_nowhere_is_named(tmp_path, monkeypatch, capsys):
    file = tmp_path / "models.toml"
    file.write_text(
        'default = "ghost"\n[[models]]\nid = "ghost"\nfamily = "sd"\npath = "nowhere"\n'
    )
    monkeypatch.setenv("TESSERA_MODELS_FILE", str(file))
    assert prefetch.main() == 2
    assert "model ghost" in capsys.readouterr().err
