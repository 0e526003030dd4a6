"""Teams of a server, and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from ...errors import CommError
from .._errors import RequestError
from .._source import Source
from ..attrs import Attrs

if TYPE_CHECKING:
    from .api import Api

_TEAM = """
query GetTeamEntity($name: String!) {
  entity(name: $name) {
    id name available photoUrl readOnly readOnlyAdmin isTeam entityType privateOnly storageBytes codeSavingEnabled
    defaultAccess isPaid
    members { id admin pending email username name photoUrl accountType apiKey }
  }
}
"""

_CREATE_TEAM = """
mutation CreateTeam($teamName: String!, $teamAdminUserName: String) {
  result: createTeam(input: {teamName: $teamName, teamAdminUserName: $teamAdminUserName}) {
    entity { id name available photoUrl limits }
  }
}
"""

_INVITE = """
mutation CreateInvite($entity: String!, $email: String, $username: String, $admin: Boolean) {
  result: createInvite(input: {entityName: $entity, email: $email, username: $username, admin: $admin}) {
    invite { id name email createdAt toUser { name } }
  }
}
"""

_DELETE_INVITE = """
mutation DeleteInvite($id: String, $entity: String) {
  result: deleteInvite(input: {id: $id, entityName: $entity}) { success }
}
"""

_SERVICE_ACCOUNT = """
mutation CreateServiceAccount($entity: String!, $description: String!) {
  result: createServiceAccount(input: {entityName: $entity, description: $description}) { user { id } }
}
"""


class Member(Attrs):
    """A member of a team: `name`, `username`, `email`, `admin`, `account_type`.

    >>> [member] = wandb.Api().team("a-crew").members
    >>> member.account_type
    'USER'
    """

    def __init__(self, source: Source, team: str, attrs: Mapping[str, Any]) -> None:
        super().__init__(attrs)
        self._source = source
        self.team = team

    def delete(self) -> bool:
        """Remove the member from the team; False where the server refuses."""
        try:
            answer = self._source.execute(_DELETE_INVITE, {"id": self.id, "entity": self.team})
        except CommError:
            return False
        return bool((answer.get("result") or {}).get("success"))

    def __repr__(self) -> str:
        return f"<Member {self.name} ({self.account_type})>"


class Team(Attrs):
    """A team: `name`, `members`, and what the server says of it.

    >>> team = wandb.Api().create_team("a-crew")
    >>> team.invite("nobody-of-that-name")
    False
    """

    def __init__(self, source: Source, name: str, attrs: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(attrs or {})
        self._source = source
        self.name = name
        self.load()

    @classmethod
    def create(cls, api: Api, team: str, admin_username: Optional[str] = None) -> Team:
        """Make a team, whose administrator is by default whoever asks. Raises CommError."""
        api.source.execute(_CREATE_TEAM, {"teamName": team, "teamAdminUserName": admin_username}, repeatable=False)
        return cls(api.source, team)

    def invite(self, username_or_email: str, admin: bool = False) -> bool:
        """Take somebody into the team; False where the server refuses, because they are in it already say."""
        who = "email" if "@" in username_or_email else "username"
        try:
            self._source.execute(_INVITE, {"entity": self.name, "admin": admin, who: username_or_email})
        except CommError:
            return False
        return True

    def create_service_account(self, description: str) -> Optional[Member]:
        """Make an account for programs; None where the server refuses."""
        known = {member.id for member in self.load()["members"]}
        try:
            self._source.execute(_SERVICE_ACCOUNT, {"entity": self.name, "description": description}, repeatable=False)
        except CommError:
            return None
        members: List[Member] = self.load(force=True)["members"]
        return next((member for member in members if member.id not in known), members[-1])

    def load(self, force: bool = False) -> Dict[str, Any]:
        """What the server says of the team. Raises ValueError where there is none of that name."""
        if force or not self._attrs:
            found = self._source.execute(_TEAM, {"name": self.name}).get("entity")
            if not found:
                raise RequestError(f"there is no team {self.name} at {self._source.base_url}")
            members = [Member(self._source, self.name, member) for member in found.get("members") or ()]
            self._attrs = {**found, "members": members}
        return self._attrs

    def __repr__(self) -> str:
        return f"<Team {self.name}>"
