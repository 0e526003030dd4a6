"""What a job is: the JSON object that stands in a queue, in the form that the official client gives it, and more.

| key | |
|---|---|
| `entity`, `project`, `name` | where its run goes, and what it is called |
| `overrides.entry_point`, `.args` | the command, and words behind it: lists of texts. Macros as in sweeps: `${args}` |
| `overrides.run_config` | values for the run's config, which the program's own can't override |
| `overrides.working_dir` | where in the code the command runs |
| `git` | `repo`, `version` (a commit), `patch` |
| `directory` | a folder of the agent's machine, in the place of a repository |
| `job` | an artifact of W&B Launch with code and command: `entity/project/name:alias` |
| `requirements` | the text of a requirements.txt |
| `environment` | variables |
| `gpus`, `retries` | how many it needs; how often it is tried again when it fails |
| `limits` | `memory` in bytes, `seconds` |
| `image` | what it runs in, for agents of Kubernetes |
| `run_id`, `sweep_id`, `author` | |

An error names its place: `job, limits.memory: must be a number of bytes, not '4 cows'`.
"""

from __future__ import annotations

import re
import shlex
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..errors import Error
from ..sdk._environment import redacted

# What one word of an environment or of a command line may have, on Linux.
WORD_BYTES_MAX = 100_000
REQUIREMENTS_CHARACTERS_MAX = 1_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


class JobError(Error):
    """A job that can't be run; the message says why."""


class GitSource(NamedTuple):
    """A commit of a repository, and what was changed since."""

    repo: str
    version: Optional[str]
    patch: str = ""


class Job(NamedTuple):
    """A job, checked. See the module for what its parts mean."""

    entity: str = ""
    project: str = ""
    name: str = ""
    command: Tuple[str, ...] = ()
    arguments: Tuple[str, ...] = ()
    config: Mapping[str, Any] = {}
    folder: str = ""
    git: Optional[GitSource] = None
    directory: str = ""
    artifact: str = ""
    requirements: str = ""
    environment: Mapping[str, str] = {}
    gpus: Optional[int] = None
    memory_bytes_max: Optional[int] = None
    seconds_max: Optional[float] = None
    image: str = ""
    run_id: str = ""
    sweep_id: str = ""
    author: str = ""
    api_key: str = ""

    @property
    def title(self) -> str:
        """What people call it."""
        return (
            self.name or shlex.join(redacted([*self.command, *self.arguments])) or self.artifact or self.image or "job"
        )


def parse_job(spec: Any) -> Job:
    """A job of what stands in a queue. Raises JobError.

    >>> job = parse_job({"overrides": {"entry_point": ["python", "train.py"], "run_config": {"lr": 0.1}}})
    >>> job.command, job.config
    (('python', 'train.py'), {'lr': 0.1})
    """
    whole = _Reader(spec, ())
    overrides, git, limits = whole.inner("overrides"), whole.inner("git"), whole.inner("limits")
    docker = whole.inner("docker").text("docker_image") or whole.text("image_uri")
    job = Job(
        entity=whole.text("entity"),
        project=whole.text("project"),
        name=whole.text("name"),
        command=overrides.words("entry_point"),
        arguments=overrides.words("args"),
        config=dict(overrides.inner("run_config").values),
        folder=overrides.text("working_dir"),
        git=_git(git),
        directory=whole.text("directory"),
        artifact=whole.text("job"),
        requirements=whole.text("requirements", REQUIREMENTS_CHARACTERS_MAX),
        environment=_environment(whole.inner("environment")),
        gpus=whole.count("gpus"),
        memory_bytes_max=limits.count("memory"),
        seconds_max=limits.seconds("seconds"),
        image=whole.text("image") or docker,
        run_id=whole.text("run_id"),
        sweep_id=whole.text("sweep_id"),
        author=whole.text("author"),
        api_key=whole.text("_wandb_api_key"),
    )
    whole.count("retries")
    if sum(map(bool, (job.git, job.directory, job.artifact))) > 1:
        raise JobError("job: has more than one of git, directory and job: its code is in one place")
    return job


def title_of(spec: Any) -> str:
    """What people call a job, or what is wrong with it."""
    try:
        return parse_job(spec).title
    except JobError as error:
        return str(error)


def _git(git: _Reader) -> Optional[GitSource]:
    repo, version, patch = git.text("repo"), git.text("version"), git.text("patch", REQUIREMENTS_CHARACTERS_MAX)
    if not repo:
        return None
    if repo.startswith("-") or "::" in repo:
        raise git.error("repo", f"is no address of a repository: {repo!r}")
    if version and not (_COMMIT.fullmatch(version) or _BRANCH.fullmatch(version)):
        raise git.error("version", f"is no commit and no branch: {version!r}")
    return GitSource(repo, version or None, patch)


def _environment(given: _Reader) -> Dict[str, str]:
    for name in given.values:
        if not _NAME.fullmatch(name):
            raise given.error(name, "is no name of a variable")
    return {name: given.text(name, WORD_BYTES_MAX) for name in given.values}


class _Reader:
    """An object of a specification, by whose keys errors are named."""

    def __init__(self, value: Any, path: Tuple[str, ...]) -> None:
        self._path = path
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise JobError(f"job{self._at()}: must be an object, not {value!r:.50}")
        self.values: Dict[str, Any] = value

    def inner(self, key: str) -> _Reader:
        return _Reader(self.values.get(key), (*self._path, key))

    def text(self, key: str, characters_max: int = WORD_BYTES_MAX) -> str:
        value = self.values.get(key)
        if value is None or value == {}:  # which the official client sends for none
            return ""
        if not isinstance(value, str) or "\0" in value:
            raise self.error(key, f"must be a text, not {value!r:.50}")
        if len(value) > characters_max:
            raise self.error(key, f"has {len(value)} characters; {characters_max} are allowed")
        return value

    def words(self, key: str) -> Tuple[str, ...]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(word, (str, int, float)) for word in value):
            raise self.error(key, f"must be a list of texts, not {value!r:.50}")
        words: List[str] = [str(word) for word in value]
        if any("\0" in word or len(word) > WORD_BYTES_MAX for word in words):
            raise self.error(key, f"holds a word that is no argument, or longer than {WORD_BYTES_MAX} characters")
        return tuple(words)

    def count(self, key: str) -> Optional[int]:
        value = self.values.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise self.error(key, f"must be a whole number, not {value!r:.50}")
        return value

    def seconds(self, key: str) -> Optional[float]:
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise self.error(key, f"must be a number of seconds, not {value!r:.50}")
        return float(value)

    def error(self, key: str, problem: str) -> JobError:
        return JobError(f"job{self._at(key)}: {problem}")

    def _at(self, *keys: str) -> str:
        path = ".".join([*self._path, *keys])
        return f", {path}" if path else ""
