"""Users of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Mapping, Optional

from ...errors import CommError
from .._errors import RequestError
from .._source import Source
from ..attrs import Attrs

if TYPE_CHECKING:
    from .api import Api

USER_FIELDS = (
    "id name username email admin flags entity deletedAt apiKeys { edges { node { id name description } } }"
    " teams { edges { node { name } } }"
)

VIEWER = f"query GetViewer {{ viewer {{ {USER_FIELDS} }} }}"

SEARCH_USERS = """
query SearchUsers($query: String) { users(query: $query) { edges { node { FIELDS } } } }
""".replace("FIELDS", USER_FIELDS)

_CREATE_USER = """
mutation CreateUserFromAdmin($email: String!, $admin: Boolean) {
  result: createUser(input: {email: $email, admin: $admin}) { user { id name username email admin } }
}
"""

_GENERATE_KEY = """
mutation GenerateApiKey($description: String) {
  result: generateApiKey(input: {description: $description}) { apiKey { id name } }
}
"""

_DELETE_KEY = "mutation DeleteApiKey($id: String!) { result: deleteApiKey(input: {id: $id}) { success } }"


class User(Attrs):
    """A user: `name`, `username`, `email`, `admin`, and what is below.

    >>> viewer = wandb.Api().viewer
    >>> viewer.username in viewer.teams
    True
    """

    def __init__(self, source: Source, attrs: Mapping[str, Any], api: Optional[Api] = None) -> None:
        super().__init__(attrs)
        self._source = source
        self._api = api

    @property
    def user_api(self) -> Optional[Api]:
        """An Api with the user's own credentials; None where they aren't known."""
        return self._api

    @classmethod
    def create(cls, api: Api, email: str, admin: Optional[bool] = False) -> User:
        """Make a user, as an administrator of the server may. Raises CommError."""
        made = api.source.execute(_CREATE_USER, {"email": email, "admin": admin}, repeatable=False)
        user = (made.get("result") or {}).get("user")
        if not user:
            raise RequestError(f"{api.source.base_url} made no user {email}")
        return cls(api.source, user, api)

    @property
    def api_keys(self) -> List[str]:
        """The names of the user's API keys, which aren't the keys; empty where they aren't known."""
        return [edge["node"]["name"] for edge in (self._attrs.get("apiKeys") or {}).get("edges", ())]

    @property
    def teams(self) -> List[str]:
        """The names of the user's teams; empty where they aren't known."""
        return [edge["node"]["name"] for edge in (self._attrs.get("teams") or {}).get("edges", ())]

    def generate_api_key(self, description: Optional[str] = None) -> Optional[str]:
        """A new API key of whoever asks, shown this once; None where the server gives none."""
        try:
            made = self._source.execute(_GENERATE_KEY, {"description": description}, repeatable=False)
        except CommError:
            return None
        key = (made.get("result") or {}).get("apiKey")
        if not key:
            return None
        edges = (self._attrs.get("apiKeys") or {"edges": []})["edges"]
        self._attrs["apiKeys"] = {"edges": [*edges, {"node": key}]}
        return str(key["name"])

    def delete_api_key(self, api_key: str) -> bool:
        """Remove the key of this name (see `api_keys`); False where the server refuses. Raises ValueError for a name
        that none has."""
        edges = (self._attrs.get("apiKeys") or {}).get("edges", [])
        number = self.api_keys.index(api_key)
        try:
            self._source.execute(_DELETE_KEY, {"id": edges[number]["node"]["id"]})
        except CommError:
            return False
        self._attrs["apiKeys"] = {"edges": [edge for edge in edges if edge is not edges[number]]}
        return True

    def __repr__(self) -> str:
        known = (self._attrs.get(name) for name in ("email", "username", "id", "name"))
        return f"<User {next((one for one in known if one), '???')}>"
