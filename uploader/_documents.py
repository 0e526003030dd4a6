"""The GraphQL operations that an upload needs."""

from __future__ import annotations

VIEWER = """query Viewer { viewer { id entity username email flags teams { edges { node { name } } } } }"""

UPSERT_BUCKET = """
mutation UpsertBucket(
  $id: String, $name: String, $project: String, $entity: String, $groupName: String, $description: String,
  $displayName: String, $notes: String, $commit: String, $config: JSONString, $host: String, $debug: Boolean,
  $program: String, $repo: String, $jobType: String, $state: String, $sweep: String, $tags: [String!],
  $summaryMetrics: JSONString
) {
  upsertBucket(input: {
    id: $id, name: $name, groupName: $groupName, modelName: $project, entityName: $entity,
    description: $description, displayName: $displayName, notes: $notes, config: $config, commit: $commit,
    host: $host, debug: $debug, jobProgram: $program, jobRepo: $repo, jobType: $jobType, state: $state,
    sweep: $sweep, tags: $tags, summaryMetrics: $summaryMetrics
  }) {
    bucket { id name displayName sweepName project { id name entity { id name } } historyLineCount }
    inserted
  }
}
"""

RUN_RESUME_STATUS = """
query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    id
    name
    entity { id name }
    bucket(name: $name, missingOk: true) {
      id name displayName summaryMetrics logLineCount historyLineCount eventsLineCount historyTail eventsTail config
      tags notes wandbConfig(keys: ["t"])
    }
  }
}
"""

CREATE_RUN_FILES = """
mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    runID
    uploadHeaders
    files { name uploadUrl }
  }
}
"""

RUN_FILES = """
query RunFiles($entity: String!, $project: String!, $name: String!, $fileNames: [String] = [], $fileLimit: Int = 50) {
  project(name: $project, entityName: $entity) {
    run(name: $name) { files(names: $fileNames, first: $fileLimit) { edges { node { name sizeBytes md5 } } } }
  }
}
"""

# Servers of this project know it; others refuse it, which is the answer.
SETTINGS_POLICIES = """
query SettingsPolicies($entity: String, $project: String) {
  settingsPolicies(entityName: $entity, projectName: $project) { scope name document }
}
"""

SERVER_FEATURES = """query ServerFeaturesQuery { serverInfo { features { name isEnabled } } }"""

NOTIFY_ALERT = """
mutation NotifyScriptableRunAlert(
  $entityName: String!, $projectName: String!, $runName: String!, $title: String!, $text: String!,
  $severity: AlertSeverity, $waitDuration: Duration
) {
  notifyScriptableRunAlert(input: {
    entityName: $entityName, projectName: $projectName, runName: $runName, title: $title, text: $text,
    severity: $severity, waitDuration: $waitDuration
  }) { success }
}
"""

CONSOLE_TAIL = """
query RunConsoleLogTail($entity: String!, $project: String!, $run: String!, $last: Int!) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { logLines(last: $last) { edges { node { number timestamp level line } } } }
  }
}
"""

HISTORY_PAGE = """
query HistoryPage(
  $entity: String!, $project: String!, $run: String!, $minStep: Int64!, $maxStep: Int64!, $pageSize: Int!
) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize) }
  }
}
"""

SAMPLED_HISTORY = """
query RunSampledHistory($entity: String!, $project: String!, $run: String!, $specs: [JSONString!]!) {
  project(name: $project, entityName: $entity) { run(name: $run) { sampledHistory(specs: $specs) } }
}
"""
