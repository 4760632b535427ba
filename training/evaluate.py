"""The evaluation: does the model listen? Prints a table, writes scores and contact sheets."""

import argparse
import json
from pathlib import Path

from training import adapter_scores
from training.command import add_common, run
from training.config import Config
from training.evaluation import Evaluation


def show(scores: dict[str, dict[str, float]]) -> None:
    for name, values in scores.items():
        print(f"{name:34}" + "  ".join(f"{key} {value:g}" for key, value in values.items()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    add_common(parser)
    parser.add_argument("--model", type=Path, default=Path("models/emoji"))
    parser.add_argument(
        "--control", type=Path, help="a Canny ControlNet's folder, to be judged too"
    )
    parser.add_argument("--lora", type=Path, help="a LoRA's safetensors file, to be judged too")
    parser.add_argument("--out", type=Path, default=Path("out/evaluation"))
    arguments = parser.parse_args()

    def work(config: Config, state: Path) -> None:
        evaluation = Evaluation(arguments.model, config, state, arguments.out)
        scores = evaluation.scores()
        if arguments.control is not None:
            scores |= adapter_scores.controlnet(evaluation, arguments.control)
        if arguments.lora is not None:
            scores |= adapter_scores.lora(evaluation, arguments.lora)
        show(scores)
        (arguments.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")

    run(work, arguments)


if __name__ == "__main__":
    main()
