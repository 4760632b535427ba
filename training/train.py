"""The whole training in one command: autoencoder, text encoder, denoiser, export."""

import argparse
from pathlib import Path

from training import decoder, denoiser, export, text, vae
from training.command import add_common, run
from training.config import Config
from training.progress import Stop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    add_common(parser)
    parser.add_argument("--to", type=Path, default=Path("out/emoji"), help="the model folder")
    parser.add_argument("--minutes", type=float, help="stop then, to be resumed later")
    arguments = parser.parse_args()

    def work(config: Config, state: Path) -> None:
        stop = Stop.after(arguments.minutes)
        stages = (vae.train, text.train, denoiser.train, decoder.train)
        if all(train(config, state, stop) for train in stages):
            export.write(export.pipeline(export.trained(config, state)), arguments.to)
            print(f"wrote {arguments.to}")
        else:
            print("stopped by the clock; the same command goes on")

    run(work, arguments)


if __name__ == "__main__":
    main()
