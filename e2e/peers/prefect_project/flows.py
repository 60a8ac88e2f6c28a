"""The pipeline as a Prefect project: serves one deployment of each flow."""

import sys
from pathlib import Path

import prefect

sys.path.append(str(Path(__file__).parent.parent))
import pipeline  # noqa: E402


@prefect.flow
def nothing() -> None:
    """A flow that does nothing."""


@prefect.flow
def latest_bills() -> int:
    """Fetches the latest bills."""
    return pipeline.fetch_latest_bills()


if __name__ == "__main__":
    prefect.serve(nothing.to_deployment("nothing"), latest_bills.to_deployment("latest_bills"))
