"""The GraphQL operations about artifacts: what reads them, and what changes them after they were logged."""

from __future__ import annotations

_PROJECT = """
fragment ProjectParts on Project { id name entity { name } }
"""

_ARTIFACT = """
fragment ArtifactParts on Artifact {
  id state digest digestAlgorithm commitHash description metadata size fileCount versionIndex createdAt updatedAt
  historyStep ttlDurationSeconds ttlIsInherited
  artifactType { name }
  artifactSequence { name project { ...ProjectParts } }
  tags { id name }
}
"""

_ALIASES = """
fragment AliasParts on Artifact {
  aliases { alias artifactCollection { __typename name project { ...ProjectParts } } }
}
"""

_RUN = """
fragment RunParts on Run { name project { ...ProjectParts } }
"""

BY_ID = (
    "query ArtifactByID($id: ID!) { artifact(id: $id) { ...ArtifactParts ...AliasParts } }"
    + _ARTIFACT + _ALIASES + _PROJECT
)  # fmt: skip

BY_NAME = """
query ArtifactMembershipByName($entity: String!, $project: String!, $name: String!) {
  project(name: $project, entityName: $entity) {
    artifactCollectionMembership(name: $name) {
      id versionIndex createdAt
      aliases { alias }
      artifactCollection { __typename name project { ...ProjectParts } }
      artifact { ...ArtifactParts }
    }
  }
}
""" + _ARTIFACT + _PROJECT  # fmt: skip

BY_CLIENT_ID = "query ClientIDMapping($clientID: ID!) { clientIDMapping(clientID: $clientID) { serverID } }"

TYPE_BY_NAME = """
query ArtifactTypeByName($entity: String!, $project: String!, $name: String!) {
  project(name: $project, entityName: $entity) { artifact(name: $name) { artifactType { name } } }
}
"""

MANIFEST = "query FetchArtifactManifest($id: ID!) { artifact(id: $id) { currentManifest { file { directUrl } } } }"

FILE_URLS = """
query GetArtifactMembershipFileUrls(
  $entity: String!, $project: String!, $collection: String!, $alias: String!, $cursor: String, $perPage: Int
) {
  project(name: $project, entityName: $entity) {
    artifactCollection(name: $collection) {
      __typename
      artifactMembership(aliasName: $alias) {
        files(after: $cursor, first: $perPage) {
          pageInfo { endCursor hasNextPage }
          edges { node { name directUrl } }
        }
      }
    }
  }
}
"""

FILE_URLS_BY_NAME = """
query ArtifactMembershipFiles(
  $entity: String!, $project: String!, $collection: String!, $alias: String!, $names: [String!], $perPage: Int
) {
  project(name: $project, entityName: $entity) {
    artifactCollection(name: $collection) {
      __typename
      artifactMembership(aliasName: $alias) {
        files(names: $names, first: $perPage) { edges { node { name directUrl } } }
      }
    }
  }
}
"""

LOGGED_BY = (
    "query ArtifactCreatedBy($id: ID!) { artifact(id: $id) { createdBy { __typename ... on Run { ...RunParts } } } }"
    + _RUN + _PROJECT
)  # fmt: skip

USED_BY = (
    "query ArtifactUsedBy($id: ID!) { artifact(id: $id) { usedBy { edges { node { ...RunParts } } } } }"
    + _RUN + _PROJECT
)  # fmt: skip

LINKS = (
    """
query FetchLinkedArtifacts($artifactID: ID!) {
  artifact(id: $artifactID) {
    artifactMemberships {
      edges {
        node {
          versionIndex createdAt
          aliases { alias }
          artifactCollection { __typename id name project { ...ProjectParts } }
        }
      }
    }
  }
}
"""
    + _PROJECT
)

UPDATE = (
    "mutation UpdateArtifact($input: UpdateArtifactInput!) { updateArtifact(input: $input) { "
    "artifact { ...ArtifactParts ...AliasParts } } }" + _ARTIFACT + _ALIASES + _PROJECT
)

ADD_ALIASES = "mutation AddAliases($input: AddAliasesInput!) { addAliases(input: $input) { success } }"
DELETE_ALIASES = "mutation DeleteAliases($input: DeleteAliasesInput!) { deleteAliases(input: $input) { success } }"
LINK = "mutation LinkArtifact($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }"
UNLINK = "mutation UnlinkArtifact($input: UnlinkArtifactInput!) { unlinkArtifact(input: $input) { success } }"
DELETE = "mutation DeleteArtifact($input: DeleteArtifactInput!) { deleteArtifact(input: $input) { artifact { id } } }"

# The entity of an organization, which holds its registries.
ORGANIZATION = """
query FetchOrgInfoFromEntity($entity: String!) {
  entity(name: $entity) {
    organization { name orgEntity { name } }
    user { organizations { name orgEntity { name } } }
  }
}
"""

# What other documents say of a version: the fragments ArtifactParts and AliasParts.
VERSION_PARTS = _ARTIFACT + _ALIASES + _PROJECT
