"""`python -m tests.sampler_report`: how far each sampler is from diffusers, as docs/ shows it."""

import sys

from tests.trajectories import STARTS, largest_difference, model_config
from worker.samplers.catalog import SAMPLERS


def main() -> None:
    """Print a line a sampler: the largest over schedules, predictions and starts."""
    sys.stdout.write("| sampler | schedules | largest difference |\n|---|---|---|\n")
    for name, sampler in SAMPLERS.items():
        kinds = ("flow",) if sampler.prediction == "flow" else ("epsilon", "v_prediction")
        largest = max(
            largest_difference(model_config(name, kind), name, schedule, start)
            for schedule in sampler.schedules
            for kind in kinds
            for start in STARTS
        )
        schedules = ", ".join(sampler.schedules)
        sys.stdout.write(f"| `{name}` ({sampler.label}) | {schedules} | {largest:.1e} |\n")


if __name__ == "__main__":
    main()
