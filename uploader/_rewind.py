"""A run that went back to an earlier step: the server has to forget its rows behind it before the new ones come."""

from __future__ import annotations

from wandb_storage import RunStart

from ._errors import Refused
from ._transport import Transport

_REWIND_RUN = """
mutation RewindRun(
  $runName: String!, $entity: String, $project: String, $metricName: String!, $metricValue: Float!
) {
  rewindRun(input: {
    runName: $runName, entityName: $entity, projectName: $project, metricName: $metricName, metricValue: $metricValue
  }) {
    rewoundRun { id name historyLineCount project { id name entity { id name } } }
  }
}
"""


def rewind_at_server(transport: Transport, start: RunStart, run_id: str) -> None:
    """Where the log begins with the rows of this same run up to a step, let the server keep no more than those.

    Repeating it takes away only rows that the log holds, and that are then sent again.
    """
    if start.branch_run != run_id:
        return
    try:
        transport.graphql(
            "RewindRun", _REWIND_RUN,
            {
                "runName": run_id, "entity": start.entity, "project": start.project,
                "metricName": "_step", "metricValue": float(start.branch_step),
            },
        )  # fmt: skip
    except Refused:
        pass  # the server doesn't have the run, or can't rewind: what it holds then decides
