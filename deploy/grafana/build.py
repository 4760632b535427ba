"""`python -m deploy.grafana.build [--check]`: writes every dashboard's JSON."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.generated import ROOT, main
from deploy.grafana import debug, delivery, engine, gpu, http, latency, overview, queue

FOLDERS = (  # a chart can show nothing that lies outside of it
    ROOT / "deploy" / "grafana" / "dashboards",
    ROOT / "deploy" / "helm" / "tessera" / "files" / "dashboards",
)
PAGES = (overview, queue, latency, engine, gpu, delivery, http, debug)


def files() -> dict[Path, str]:
    """Each dashboard's paths and text."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    boards = [page.build() for page in PAGES]
    return {
        folder / f"{board.uid}.json": encoder.encode(board) + "\n"
        for folder in FOLDERS
        for board in boards
    }


if __name__ == "__main__":
    sys.exit(main(files(), sys.argv[1:]))
