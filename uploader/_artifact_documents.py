"""The GraphQL operations that bring an artifact to a server."""

from __future__ import annotations

CREATE_ARTIFACT = """
mutation CreateArtifact($input: CreateArtifactInput!) {
  createArtifact(input: $input) { artifact { id state artifactSequence { latestArtifact { id } } } }
}
"""

CREATE_MANIFEST = """
mutation CreateArtifactManifest(
  $artifactID: ID!, $baseArtifactID: ID, $name: String!, $digest: String!, $entityName: String!,
  $projectName: String!, $runName: String!, $manifestType: ArtifactManifestType!, $includeUpload: Boolean!
) {
  createArtifactManifest(input: {
    artifactID: $artifactID, baseArtifactID: $baseArtifactID, name: $name, digest: $digest, entityName: $entityName,
    projectName: $projectName, runName: $runName, type: $manifestType
  }) {
    artifactManifest {
      id
      file { id uploadUrl @include(if: $includeUpload) uploadHeaders @include(if: $includeUpload) }
    }
  }
}
"""

UPDATE_MANIFEST = """
mutation UpdateArtifactManifest(
  $artifactManifestID: ID!, $digest: String, $baseArtifactID: ID, $includeUpload: Boolean!
) {
  updateArtifactManifest(input: {
    artifactManifestID: $artifactManifestID, digest: $digest, baseArtifactID: $baseArtifactID
  }) {
    artifactManifest {
      id
      file { id uploadUrl @include(if: $includeUpload) uploadHeaders @include(if: $includeUpload) }
    }
  }
}
"""

CREATE_FILES = """
mutation CreateArtifactFiles($input: CreateArtifactFilesInput!) {
  createArtifactFiles(input: $input) {
    files {
      edges {
        node {
          storagePath uploadUrl uploadHeaders
          uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } }
          artifact { id }
        }
      }
    }
  }
}
"""

COMPLETE_UPLOAD = """
mutation CompleteMultipartUploadArtifact($input: CompleteMultipartUploadArtifactInput!) {
  completeMultipartUploadArtifact(input: $input) { digest }
}
"""

COMMIT_ARTIFACT = """
mutation CommitArtifact($artifactID: ID!) {
  commitArtifact(input: {artifactID: $artifactID}) { artifact { id digest } }
}
"""

CLIENT_ID_MAPPING = """
query ClientIDMapping($clientID: ID!) { clientIDMapping(clientID: $clientID) { serverID } }
"""

USE_ARTIFACT = """
mutation UseArtifact($entityName: String!, $projectName: String!, $runName: String!, $artifactID: ID!) {
  useArtifact(input: {
    entityName: $entityName, projectName: $projectName, runName: $runName, artifactID: $artifactID
  }) { artifact { id } }
}
"""

LINK_ARTIFACT = """
mutation LinkArtifact($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }
"""

XXHASH_ENABLED = """
query XXHashDigestsEnabled($entityName: String!) { entity(name: $entityName) { xxhashDigestsEnabled } }
"""
