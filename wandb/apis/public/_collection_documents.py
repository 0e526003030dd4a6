"""What types and collections of artifacts send, in GraphQL."""

from __future__ import annotations

TYPE_FIELDS = "id name description createdAt"

TYPES = """
query ProjectArtifactTypes($entity: String!, $project: String!, $cursor: String, $perPage: Int) {
  project(name: $project, entityName: $entity) {
    artifactTypes(after: $cursor, first: $perPage) {
      edges { node { FIELDS } }
      pageInfo { endCursor hasNextPage }
    }
  }
}
""".replace("FIELDS", TYPE_FIELDS)

TYPE = """
query ProjectArtifactType($entity: String!, $project: String!, $type: String!) {
  project(entityName: $entity, name: $project) { artifactType(name: $type) { FIELDS } }
}
""".replace("FIELDS", TYPE_FIELDS)

FIELDS = (
    "__typename id name description createdAt updatedAt project { id internalId name entity { name } }"
    " type: defaultArtifactType { name } tags { edges { node { id name } } }"
)

COLLECTION = """
query ProjectArtifactCollection($entity: String!, $project: String!, $type: String!, $name: String!) {
  project(entityName: $entity, name: $project) {
    artifactType(name: $type) { artifactCollection(name: $name) { FIELDS } }
  }
}
""".replace("FIELDS", FIELDS)

OF_TYPE = """
query ArtifactTypeArtifactCollections($entity: String!, $project: String!, $type: String!, $cursor: String,
    $perPage: Int) {
  project(entityName: $entity, name: $project) {
    artifactType(name: $type) {
      artifactCollections(after: $cursor, first: $perPage) {
        totalCount edges { node { FIELDS } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
}
""".replace("FIELDS", FIELDS)

OF_PROJECT = """
query ProjectArtifactCollections($entity: String!, $project: String!, $cursor: String, $perPage: Int) {
  project(entityName: $entity, name: $project) {
    artifactCollections(after: $cursor, first: $perPage) {
      totalCount edges { node { FIELDS } }
      pageInfo { endCursor hasNextPage }
    }
  }
}
""".replace("FIELDS", FIELDS)

ALIASES = """
query ArtifactCollectionAliases($id: ID!, $cursor: String, $perPage: Int = 1000) {
  artifactCollection(id: $id) {
    __typename
    aliases(after: $cursor, first: $perPage) { edges { node { id alias } } pageInfo { endCursor hasNextPage } }
  }
}
"""

UPDATE_SEQUENCE = """
mutation UpdateArtifactSequence($input: UpdateArtifactSequenceInput!) {
  result: updateArtifactSequence(input: $input) { artifactCollection { FIELDS } }
}
""".replace("FIELDS", FIELDS)

UPDATE_PORTFOLIO = """
mutation UpdateArtifactPortfolio($input: UpdateArtifactPortfolioInput!) {
  result: updateArtifactPortfolio(input: $input) { artifactCollection { FIELDS } }
}
""".replace("FIELDS", FIELDS)

MOVE = """
mutation UpdateArtifactSequenceType($input: MoveArtifactSequenceInput!) {
  result: moveArtifactSequence(input: $input) { artifactCollection { FIELDS } }
}
""".replace("FIELDS", FIELDS)

ADD_TAGS = """
mutation AddArtifactCollectionTags($input: CreateArtifactCollectionTagAssignmentsInput!) {
  result: createArtifactCollectionTagAssignments(input: $input) { tags { id name } }
}
"""

DELETE_TAGS = """
mutation DeleteArtifactCollectionTags($input: DeleteArtifactCollectionTagAssignmentsInput!) {
  result: deleteArtifactCollectionTagAssignments(input: $input) { success }
}
"""

DELETE_SEQUENCE = """
mutation DeleteArtifactSequence($id: ID!) {
  result: deleteArtifactSequence(input: {artifactSequenceID: $id}) { artifactCollection { __typename state } }
}
"""

DELETE_PORTFOLIO = """
mutation DeleteArtifactPortfolio($id: ID!) {
  result: deleteArtifactPortfolio(input: {artifactPortfolioID: $id}) { artifactCollection { __typename state } }
}
"""
