"""The pipeline as a Dagster project."""

import sys
from pathlib import Path

import dagster

sys.path.append(str(Path(__file__).parent.parent))
import pipeline  # noqa: E402


@dagster.asset
def nothing() -> None:
    """An asset that does nothing."""


@dagster.asset
def latest_bills() -> dagster.MaterializeResult:
    """The latest bills."""
    return dagster.MaterializeResult(metadata={"bills": pipeline.fetch_latest_bills()})


defs = dagster.Definitions(
    assets=[nothing, latest_bills],
    jobs=[
        dagster.define_asset_job("nothing_job", [nothing]),
        dagster.define_asset_job("latest_bills_job", [latest_bills]),
    ],
)
