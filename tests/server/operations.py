"""Every GraphQL operation, with arguments of a world (`world`), and the least role that may do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

from world import DIGEST

from wandb.server._auth import PRIVATE, PUBLIC, RESTRICTED

# Who asks, from the least rights to the most. A service account is a member. (EXCLUDED, a member whom a restricted
# project doesn't let in, stands beside them.)
ROLES = ("outsider", "viewer", "service", "member", "lead", "root")
EXCLUDED = "excluded"
# The least role that an operation takes. OPEN: everybody, for what is their own.
OPEN, READ, CHANGE, LEAD, ROOT = "outsider", "viewer", "service", "lead", "root"


@dataclass(frozen=True)
class Operation:
    """A field of Query or Mutation, with arguments that make sense, and the least role that may do it."""

    least: str
    call: str  # the field with its arguments and its selection
    variables: str = ""


_PLACE = 'entityName: "crew", projectName: "demo"'
QUERIES: Dict[str, Operation] = {
    "viewer": Operation(OPEN, "viewer { id }"),
    "serverInfo": Operation(OPEN, "serverInfo { features { name } }"),
    "users": Operation(OPEN, "users { edges { node { username } } }"),
    "entity": Operation(READ, 'entity(name: "crew") { id storageBytes members { username } }'),
    "project": Operation(READ, 'project(name: "demo", entityName: "crew") { id runs { edges { node { config } } } }'),
    "model": Operation(READ, 'model(name: "demo", entityName: "crew") { id bucket(name: "r1") { historyTail } }'),
    "models": Operation(READ, 'models(entityName: "crew") { edges { node { name } } }'),
    "artifact": Operation(READ, "artifact(id: $artifactId) { id metadata }", "$artifactId: ID!"),
    "artifactCollection": Operation(READ, "artifactCollection(id: $sequenceId) { id name }", "$sequenceId: ID!"),
    "launchAgent": Operation(READ, "launchAgent(id: $launchAgentId) { id hostname }", "$launchAgentId: ID!"),
    "clientIDMapping": Operation(READ, "clientIDMapping(clientID: $clientID) { serverID }", "$clientID: ID!"),
    "customChart": Operation(READ, 'customChart(entity: "crew", name: "bars") { id spec }'),
    "settingsPolicies": Operation(READ, 'settingsPolicies(entityName: "crew") { name }'),
}
MUTATIONS: Dict[str, Operation] = {
    "upsertModel": Operation(CHANGE, 'upsertModel(input: {name: "other", entityName: "crew"}) { inserted }'),
    "upsertBucket": Operation(
        CHANGE, 'upsertBucket(input: {name: "r9", modelName: "demo", entityName: "crew"}) { inserted }'
    ),
    "rewindRun": Operation(
        CHANGE,
        f'rewindRun(input: {{runName: "r1", {_PLACE}, metricName: "_step", metricValue: 2}}) {{ rewoundRun {{ id }} }}',
    ),
    "stopRun": Operation(CHANGE, "stopRun(input: {id: $runId}) { success }", "$runId: ID!"),
    "deleteRun": Operation(CHANGE, "deleteRun(input: {id: $runId}) { clientMutationId }", "$runId: ID!"),
    "createRunFiles": Operation(
        CHANGE, f'createRunFiles(input: {{runName: "r1", {_PLACE}, files: ["b"]}}) {{ files {{ uploadUrl }} }}'
    ),
    "markRunFilesUploaded": Operation(
        CHANGE, f'markRunFilesUploaded(input: {{runName: "r1", {_PLACE}, files: ["a.txt"]}}) {{ success }}'
    ),
    "notifyScriptableRunAlert": Operation(
        CHANGE, f'notifyScriptableRunAlert(input: {{runName: "r1", {_PLACE}, title: "t", text: "x"}}) {{ success }}'
    ),
    "updateRunState": Operation(
        CHANGE, f'updateRunState(input: {{runName: "r1", {_PLACE}, state: "failed"}}) {{ success }}'
    ),
    "deleteFiles": Operation(CHANGE, "deleteFiles(input: {files: [$fileId]}) { success }", "$fileId: ID!"),
    "deleteModel": Operation(CHANGE, "deleteModel(input: {id: $projectId}) { success }", "$projectId: ID!"),
    "renameProject": Operation(
        CHANGE,
        'renameProject(input: {entityName: "crew", oldProjectName: "demo", newProjectName: "d2"}) { inserted }',
    ),
    "createUser": Operation(ROOT, 'createUser(input: {email: "new@example.org"}) { user { username } }'),
    "generateApiKey": Operation(OPEN, "generateApiKey(input: {}) { apiKey { id } }"),
    "deleteApiKey": Operation(ROOT, "deleteApiKey(input: {id: $rootKey}) { success }", "$rootKey: ID!"),
    "createTeam": Operation(OPEN, 'createTeam(input: {teamName: "another"}) { entity { name } }'),
    "createInvite": Operation(
        LEAD, 'createInvite(input: {entityName: "crew", username: "newcomer"}) { invite { id } }'
    ),
    "deleteInvite": Operation(
        LEAD, 'deleteInvite(input: {entityName: "crew", id: $memberId}) { success }', "$memberId: ID!"
    ),
    "createServiceAccount": Operation(
        LEAD, 'createServiceAccount(input: {entityName: "crew", description: "x"}) { apiKey { id } }'
    ),
    "upsertSweep": Operation(
        CHANGE,
        f'upsertSweep(input: {{id: $sweepId, {_PLACE}, state: "PAUSED"}}) {{ sweep {{ id }} }}',
        "$sweepId: ID!",
    ),
    "createAgent": Operation(
        CHANGE, f'createAgent(input: {{host: "h", {_PLACE}, sweep: $sweep}}) {{ agent {{ id }} }}', "$sweep: String!"
    ),
    "enqueueSweepRun": Operation(
        CHANGE, 'enqueueSweepRun(input: {id: $sweepId, config: "{}"}) { id }', "$sweepId: ID!"
    ),
    "agentHeartbeat": Operation(
        CHANGE, 'agentHeartbeat(input: {id: $agentId, runState: "{}"}) { commands }', "$agentId: ID!"
    ),
    "createDefaultResourceConfig": Operation(
        CHANGE,
        'createDefaultResourceConfig(input: {entityName: "crew", resource: "local", config: "{}"}) { success }',
    ),
    "createRunQueue": Operation(
        CHANGE, f'createRunQueue(input: {{{_PLACE}, queueName: "p", access: PROJECT}}) {{ success }}'
    ),
    "upsertRunQueue": Operation(
        CHANGE,
        f'upsertRunQueue(input: {{{_PLACE}, queueName: "p", resourceType: "local", resourceConfig: "{{}}"}})'
        " { success }",
    ),
    "deleteRunQueues": Operation(CHANGE, "deleteRunQueues(input: {queueIDs: [$queueId]}) { success }", "$queueId: ID!"),
    "pushToRunQueue": Operation(
        CHANGE, 'pushToRunQueue(input: {queueID: $queueId, runSpec: "{}"}) { runQueueItemId }', "$queueId: ID!"
    ),
    "pushToRunQueueByName": Operation(
        CHANGE, f'pushToRunQueueByName(input: {{{_PLACE}, queueName: "q", runSpec: "{{}}"}}) {{ runQueueItemId }}'
    ),
    "popFromRunQueue": Operation(CHANGE, f'popFromRunQueue(input: {{{_PLACE}, queueName: "q"}}) {{ runQueueItemId }}'),
    "ackRunQueueItem": Operation(
        CHANGE, 'ackRunQueueItem(input: {runQueueItemId: $itemId, runName: "r1"}) { success }', "$itemId: ID!"
    ),
    "failRunQueueItem": Operation(
        CHANGE, 'failRunQueueItem(input: {runQueueItemId: $itemId, message: "m"}) { success }', "$itemId: ID!"
    ),
    "keepRunQueueItems": Operation(
        CHANGE,
        "keepRunQueueItems(input: {launchAgentId: $launchAgentId, runQueueItemIds: [$itemId]}) { lost }",
        "$launchAgentId: ID!, $itemId: ID!",
    ),
    "finishRunQueueItem": Operation(
        CHANGE,
        "finishRunQueueItem(input: {launchAgentId: $launchAgentId, runQueueItemId: $itemId, exitCode: 0})"
        " { success runQueueItem { state } }",
        "$launchAgentId: ID!, $itemId: ID!",
    ),
    "returnRunQueueItem": Operation(
        CHANGE,
        "returnRunQueueItem(input: {launchAgentId: $launchAgentId, runQueueItemId: $itemId}) { success }",
        "$launchAgentId: ID!, $itemId: ID!",
    ),
    "updateRunQueueItemWarning": Operation(
        CHANGE, 'updateRunQueueItemWarning(input: {runQueueItemId: $itemId, message: "m"}) { success }', "$itemId: ID!"
    ),
    "deleteFromRunQueue": Operation(
        CHANGE, "deleteFromRunQueue(input: {runQueueItemId: $itemId}) { success }", "$itemId: ID!"
    ),
    "createLaunchAgent": Operation(
        CHANGE,
        f'createLaunchAgent(input: {{{_PLACE}, runQueues: [$queueId], hostname: "h"}}) {{ launchAgentId }}',
        "$queueId: ID!",
    ),
    "updateLaunchAgent": Operation(
        CHANGE,
        'updateLaunchAgent(input: {launchAgentId: $launchAgentId, agentStatus: "KILLED"}) { success }',
        "$launchAgentId: ID!",
    ),
    "createArtifactType": Operation(
        CHANGE, f'createArtifactType(input: {{{_PLACE}, name: "model"}}) {{ artifactType {{ id }} }}'
    ),
    "createArtifact": Operation(
        CHANGE,
        f'createArtifact(input: {{{_PLACE}, artifactTypeName: "dataset", artifactCollectionName: "n",'
        f' digest: "{"0" * 32}"}}) {{ artifact {{ id }} }}',
    ),
    "createArtifactManifest": Operation(
        CHANGE,
        'createArtifactManifest(input: {artifactID: $draftId, name: "wandb_manifest.json", digest: ""})'
        " { artifactManifest { id } }",
        "$draftId: ID!",
    ),
    "updateArtifactManifest": Operation(
        CHANGE,
        f'updateArtifactManifest(input: {{artifactManifestID: $manifestId, digest: "{DIGEST}"}})'
        " { artifactManifest { id } }",
        "$manifestId: ID!",
    ),
    "createArtifactFiles": Operation(
        CHANGE,
        'createArtifactFiles(input: {artifactFiles: [{artifactID: $draftId, name: "g",'
        ' md5: "1B2M2Y8AsgTpgAmY7PhCfg=="}]})'
        " { files { edges { node { uploadUrl } } } }",
        "$draftId: ID!",
    ),
    "completeMultipartUploadArtifact": Operation(
        CHANGE,
        "completeMultipartUploadArtifact(input: {completeMultipartAction: Complete, artifactID: $draftId,"
        " completedParts: [{partNumber: 1, hexMD5: $partTag}], storagePath: $partPath, uploadID: $uploadId})"
        " { digest }",
        "$draftId: ID!, $partTag: String!, $partPath: String!, $uploadId: String!",
    ),
    "commitArtifact": Operation(
        CHANGE, "commitArtifact(input: {artifactID: $draftId}) { artifact { id } }", "$draftId: ID!"
    ),
    "updateArtifact": Operation(
        CHANGE,
        'updateArtifact(input: {artifactID: $artifactId, description: "d"}) { artifact { id } }',
        "$artifactId: ID!",
    ),
    "deleteArtifact": Operation(
        CHANGE,
        "deleteArtifact(input: {artifactID: $artifactId, deleteAliases: true}) { artifact { id } }",
        "$artifactId: ID!",
    ),
    "useArtifact": Operation(
        CHANGE,
        f'useArtifact(input: {{artifactID: $artifactId, {_PLACE}, runName: "r1"}}) {{ artifact {{ id }} }}',
        "$artifactId: ID!",
    ),
    "addAliases": Operation(
        CHANGE,
        f'addAliases(input: {{artifactID: $artifactId, aliases: [{{{_PLACE}, artifactCollectionName: "ds",'
        ' alias: "best"}]}) { success }',
        "$artifactId: ID!",
    ),
    "deleteAliases": Operation(
        CHANGE,
        f'deleteAliases(input: {{artifactID: $artifactId, aliases: [{{{_PLACE}, artifactCollectionName: "ds",'
        ' alias: "latest"}]}) { success }',
        "$artifactId: ID!",
    ),
    "linkArtifact": Operation(
        CHANGE,
        f'linkArtifact(input: {{artifactID: $artifactId, {_PLACE}, artifactPortfolioName: "two"}}) {{ versionIndex }}',
        "$artifactId: ID!",
    ),
    "unlinkArtifact": Operation(
        CHANGE,
        "unlinkArtifact(input: {artifactID: $artifactId, artifactPortfolioID: $portfolioId}) { success }",
        "$artifactId: ID!, $portfolioId: ID!",
    ),
    "updateArtifactSequence": Operation(
        CHANGE,
        'updateArtifactSequence(input: {artifactSequenceID: $sequenceId, description: "d"})'
        " { artifactCollection { id } }",
        "$sequenceId: ID!",
    ),
    "updateArtifactPortfolio": Operation(
        CHANGE,
        'updateArtifactPortfolio(input: {artifactPortfolioID: $portfolioId, description: "d"})'
        " { artifactCollection { id } }",
        "$portfolioId: ID!",
    ),
    "moveArtifactSequence": Operation(
        CHANGE,
        'moveArtifactSequence(input: {artifactSequenceID: $sequenceId, destinationArtifactTypeName: "dataset"})'
        " { artifactCollection { id } }",
        "$sequenceId: ID!",
    ),
    "deleteArtifactSequence": Operation(
        CHANGE,
        "deleteArtifactSequence(input: {artifactSequenceID: $sequenceId}) { artifactCollection { id } }",
        "$sequenceId: ID!",
    ),
    "deleteArtifactPortfolio": Operation(
        CHANGE,
        "deleteArtifactPortfolio(input: {artifactPortfolioID: $portfolioId}) { artifactCollection { id } }",
        "$portfolioId: ID!",
    ),
    "createArtifactCollectionTagAssignments": Operation(
        CHANGE,
        f'createArtifactCollectionTagAssignments(input: {{{_PLACE}, artifactCollectionName: "ds",'
        ' tags: [{tagName: "t"}]}) { tags { name } }',
    ),
    "deleteArtifactCollectionTagAssignments": Operation(
        CHANGE,
        f'deleteArtifactCollectionTagAssignments(input: {{{_PLACE}, artifactCollectionName: "ds",'
        ' tags: [{tagName: "t"}]}) { success }',
    ),
    "createCustomChart": Operation(
        CHANGE,
        'createCustomChart(input: {entity: "crew", name: "c", displayName: "C", type: "vega2", access: "PRIVATE", '
        'spec: "{}"}) { chart { id } }',
    ),
    "setSettingsPolicy": Operation(
        CHANGE, f'setSettingsPolicy(input: {{scope: PROJECT, {_PLACE}, document: "{{}}"}}) {{ policy {{ name }} }}'
    ),
}


# They are about the team, or about nothing, and not about its project.
OF_TEAM = {
    "viewer", "serverInfo", "users", "entity", "models", "customChart", "settingsPolicies", "upsertModel", "createUser",
    "generateApiKey", "deleteApiKey", "createTeam", "createInvite", "deleteInvite", "createServiceAccount",
    "createDefaultResourceConfig", "createCustomChart",
}  # fmt: skip


def roles_to_try(access: str) -> Tuple[str, ...]:
    """Everybody; where the project isn't private, those for whom it makes a difference, and one for whom it doesn't."""
    return (*ROLES, EXCLUDED) if access == PRIVATE else (OPEN, "viewer", "member", EXCLUDED)


def may(role: str, name: str, access: str) -> bool:
    """Whether a role may do an operation, where the project has this access."""
    least = {**QUERIES, **MUTATIONS}[name].least
    if role == EXCLUDED:
        return may("member", name, access) and (access != RESTRICTED or name in OF_TEAM)
    if role == OPEN and least == READ:
        # Nor are the machines of a project for everybody who may read it.
        return access == PUBLIC and name not in OF_TEAM and name != "launchAgent"
    return ROLES.index(role) >= ROLES.index(least)


def document_of(kind: str, operation: Operation) -> str:
    variables = f"({operation.variables})" if operation.variables else ""
    return f"{kind} Try{variables} {{ {operation.call} }}"
