"""`python -m deploy.check`: lint what is deployed, and see that generated files are current."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent

CHECKS = (
    ("hadolint", "Dockerfile"),
    ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"),
    ("python", "-m", "deploy.dependencies"),
    ("python", "-m", "deploy.metrics_page", "--check"),
    ("python", "-m", "deploy.grafana.build", "--check"),
    ("python", "-m", "deploy.prometheus.build", "--check"),
    ("python", "-m", "worker.samplers.capabilities", "--check"),
)


def main() -> int:
    """Run every check; the number of those that failed."""
    failed = 0
    for tool, *arguments in CHECKS:
        program = shutil.which(tool, path=str(TOOLS))
        if program is None:
            sys.stderr.write(f"{tool} is not installed; run `make install`\n")
            failed += 1
            continue
        sys.stdout.write(f"{tool} {' '.join(arguments)}\n")
        sys.stdout.flush()
        ended = subprocess.run([program, *arguments], cwd=ROOT, check=False)  # noqa: S603
        failed += ended.returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
