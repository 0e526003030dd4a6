"""What is asked of servers about runs."""

from __future__ import annotations

LIGHT_FIELDS = (
    "id projectId tags name displayName sweepName state group jobType commit readOnly createdAt heartbeatAt description"
    " notes historyLineCount user { name username }"
)
# What takes a server time, or the network: not asked for a list.
HEAVY_FIELDS = ("config", "systemMetrics", "summaryMetrics", "historyKeys")
_FULL_FIELDS = f"{LIGHT_FIELDS} {' '.join(HEAVY_FIELDS)}"


_RUN = """
query Run($project: String!, $entity: String!, $name: String!) {
  project(name: $project, entityName: $entity) { run(name: $name) { FIELDS } }
}
"""

_RUNS = """
query Runs($project: String!, $entity: String!, $cursor: String, $perPage: Int = 50, $order: String,
    $filters: JSONString) {
  project(name: $project, entityName: $entity) {
    internalId readOnly runCount(filters: $filters)
    runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
      edges { node { FIELDS } cursor }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""


def run_document(full: bool) -> str:
    """What asks for a run."""
    return _RUN.replace("FIELDS", _FULL_FIELDS if full else LIGHT_FIELDS)


def runs_document(full: bool) -> str:
    """What asks for a page of runs."""
    return _RUNS.replace("FIELDS", _FULL_FIELDS if full else LIGHT_FIELDS)


RUN_STATE = """
query RunState($project: String!, $entity: String!, $name: String!) {
  project(name: $project, entityName: $entity) { run(name: $name) { state } }
}
"""

HISTORY_KEYS = """
query RunHistoryKeys($project: String!, $entity: String!, $name: String!) {
  project(name: $project, entityName: $entity) { run(name: $name) { historyKeys } }
}
"""

UPDATE_RUN = """
mutation UpsertBucket($id: String!, $description: String, $displayName: String, $notes: String, $tags: [String!],
    $config: JSONString, $groupName: String, $jobType: String, $summaryMetrics: JSONString) {
  upsertBucket(input: {id: $id, description: $description, displayName: $displayName, notes: $notes, tags: $tags,
      config: $config, groupName: $groupName, jobType: $jobType, summaryMetrics: $summaryMetrics}) {
    bucket { id }
  }
}
"""

CREATE_RUN = """
mutation UpsertBucket($project: String, $entity: String, $name: String!, $state: String) {
  upsertBucket(input: {modelName: $project, entityName: $entity, name: $name, state: $state}) {
    bucket { id name project { name entity { name } } }
    inserted
  }
}
"""

UPDATE_RUN_STATE = """
mutation UpdateRunState($input: UpdateRunStateInput!) { updateRunState(input: $input) { success } }
"""

STOP_RUN = "mutation StopRun($id: ID!) { stopRun(input: {id: $id}) { success } }"

DELETE_RUN = "mutation DeleteRun($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }"

DELETE_RUN_AND_ARTIFACTS = """
mutation DeleteRun($id: ID!, $deleteArtifacts: Boolean) {
  deleteRun(input: {id: $id, deleteArtifacts: $deleteArtifacts}) { clientMutationId }
}
"""
