"""What artifacts raise.

    wandb.Error
    ├── ArtifactError             (UsageError, ValueError) what the call asks for can't be
    ├── ArtifactStatusError       (AttributeError) not at this stage of an artifact's life
    │   ├── ArtifactNotLoggedError    only after it was logged
    │   └── ArtifactFinalizedError    only before
    └── WaitTimeoutError          `wait` has waited long enough

The other bases are those that callers of other clients catch.
"""

from __future__ import annotations

from ...errors import Error, UsageError


class ArtifactError(UsageError, ValueError):
    """What the call asks for can't be; the message says what can."""


class ArtifactStatusError(Error, AttributeError):
    """The artifact is at another stage of its life."""


class ArtifactNotLoggedError(ArtifactStatusError):
    """What is asked for is known when the artifact was logged, and `wait` has returned."""


class ArtifactFinalizedError(ArtifactStatusError):
    """A version doesn't change; `new_draft` begins the next one."""


class WaitTimeoutError(Error):
    """The version is not at the server yet; the upload goes on."""
