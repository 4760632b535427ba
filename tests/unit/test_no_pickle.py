"""Nothing of ours unpickles: reading a pickle runs whatever its writer wished."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("api", "bench", "deploy", "keeper", "shared", "tessera", "training", "worker")
READERS = re.compile(
    r"\b(?:c?pickle|cloudpickle|dill|joblib|marshal|shelve|_pickle)\.(?:loads?|open|Unpickler)\b"
    r"|\bfrom (?:pickle|cloudpickle|dill|joblib|marshal|shelve) import"
    r"|\bread_pickle\(|allow_pickle=True|\byaml\.(?:unsafe_)?load\("
    r"|PickleSerializer|DefaultSerializer"
)
TORCH_LOAD = re.compile(r"\btorch\.load\((?:[^()]|\([^()]*\))*\)")


def sources() -> list[Path]:
    return [file for folder in OURS for file in sorted((ROOT / folder).rglob("*.py"))]


def faults(text: str) -> list[str]:
    """The calls in a source that could run what they read."""
    loads = [call for call in TORCH_LOAD.findall(text) if "weights_only=True" not in call]
    return READERS.findall(text) + loads


def test_no_source_reads_pickles():
    assert len(sources()) > 100
    assert {file.name: found for file in sources() if (found := faults(file.read_text()))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "pickle.loads(data)",
        "from dill import load",
        'torch.load(path, map_location=torch.device("cpu"))',
        "np.load(file, allow_pickle=True)",
        "yaml.load(text)",
    ],
)
def test_the_search_finds_what_it_looks_for(text: str):
    assert faults(text)


def test_weights_alone_are_no_fault():
    assert faults('torch.load(path, map_location="cpu", weights_only=True)') == []


def test_every_queue_of_rq_is_told_to_speak_json():
    """RQ's own default is pickle."""
    queues = re.compile(r"\bQueue\((?:[^()]|\([^()]*\))*\)")
    users = [
        file for file in sources() if re.search(r"^from rq\b.*\bQueue\b", file.read_text(), re.M)
    ]
    assert users
    for file in users:
        for call in queues.findall(file.read_text()):
            assert "JSONSerializer" in call, file
