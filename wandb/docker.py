"""Docker, by the names that callers of the official client know. Each call runs the program `docker`.

image = wandb.docker.image_id("python:3.12")    # python@sha256:...
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from .errors import Error

__all__ = [
    "DockerError",
    "build",
    "default_image",
    "get_image_uid",
    "image_id",
    "image_id_from_registry",
    "is_buildx_installed",
    "is_docker_installed",
    "login",
    "parse",
    "parse_repository_tag",
    "push",
    "run",
    "shell",
    "tag",
]


class DockerError(Error):
    """A command of docker's that failed, or docker isn't here."""

    def __init__(
        self, command_launched: Sequence[str], return_code: int, stdout: bytes = b"", stderr: bytes = b""
    ) -> None:
        said = (stderr or stdout).decode(errors="replace").strip()
        super().__init__(f"{' '.join(command_launched)} ended with {return_code}" + (f": {said}" if said else ""))
        self.command_launched, self.return_code = list(command_launched), return_code


def shell(cmd: Sequence[str]) -> Optional[str]:
    """What a command of docker's prints; None where it fails, or docker isn't here."""
    return _said(cmd)


def _said(cmd: Sequence[str], given: Optional[bytes] = None) -> Optional[str]:
    if shutil.which("docker") is None:
        return None
    done = subprocess.run(["docker", *cmd], input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def is_docker_installed() -> bool:
    """Whether docker is here and answers."""
    return _said(["--version"]) is not None


def is_buildx_installed() -> bool:
    """Whether docker has buildx."""
    return "buildx" in (_said(["buildx", "--help"]) or "")


def build(tags: Sequence[str], file: str, context_path: str, platform: Optional[str] = None) -> str:
    """Build an image, with buildx where it is; what is printed is shown, and returned. Raises DockerError."""
    command = ["docker", "build"]
    if is_buildx_installed():
        # An image for several platforms can't be loaded into docker.
        command = ["docker", "buildx", "build", *(() if platform and "," in platform else ("--load",))]
    command += ["--platform", platform] if platform else []
    command += [part for one in tags for part in ("-t", one)] + ["-f", file, context_path]
    return _shown(command)


def _shown(command: List[str]) -> str:
    _need_docker(command)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            sys.stdout.write(line.decode(errors="replace"))
        code = process.wait()
    output = b"".join(lines)
    if code != 0:
        raise DockerError(command, code, output)
    return output.decode(errors="replace")


def run(
    args: Sequence[Any],
    capture_stdout: bool = True,
    capture_stderr: bool = True,
    input: Optional[bytes] = None,
    return_stderr: bool = False,
    env: Optional[Dict[str, str]] = None,
) -> Union[str, Tuple[str, str]]:
    """Run a whole command line, `["docker", "run", ...]`; return what it prints. Raises DockerError."""
    command = [str(one) for one in args]
    _need_docker(command)
    done = subprocess.run(
        command,
        input=input,
        stdout=subprocess.PIPE if capture_stdout else None,
        stderr=subprocess.PIPE if capture_stderr else None,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if done.returncode != 0:
        raise DockerError(command, done.returncode, done.stdout or b"", done.stderr or b"")
    out, err = ((text or b"").decode(errors="replace").removesuffix("\n") for text in (done.stdout, done.stderr))
    return (out, err) if return_stderr else out


def _need_docker(command: Sequence[str]) -> None:
    if shutil.which(command[0]) is None:
        raise DockerError(command, 127, stderr=f"{command[0]} is not installed here, or not on the PATH".encode())


def default_image(gpu: bool = False) -> str:
    """The image of `wandb docker`. With `gpu` it is the same one: docker brings the drivers into it."""
    return "python:3.12"


def parse_repository_tag(repo_name: str) -> Tuple[str, Optional[str]]:
    """An image's name, and its tag or digest.

    >>> parse_repository_tag("ghcr.io/lab/train:v2"), parse_repository_tag("localhost:5000/train")
    (('ghcr.io/lab/train', 'v2'), ('localhost:5000/train', None))
    """
    name, at, digest = repo_name.partition("@")
    if at:
        return name, digest
    name, colon, found = repo_name.rpartition(":")
    return (name, found) if colon and "/" not in found else (repo_name, None)


def parse(image_name: str) -> Tuple[str, str, str]:
    """(registry, name, tag or digest) of an image.

    >>> parse("python:3.12"), parse("ghcr.io/lab/train")
    (('index.docker.io', 'python', '3.12'), ('ghcr.io', 'lab/train', 'latest'))
    """
    name, found = parse_repository_tag(image_name)
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return ("index.docker.io" if first == "docker.io" else first), rest, found or "latest"
    return "index.docker.io", name, found or "latest"


def image_id(image_name: str) -> Optional[str]:
    """What names exactly this image, `NAME@sha256:...`, from docker here or else from its registry; None where neither
    knows it."""
    if "@sha256:" in image_name:
        return image_name
    digests = json.loads(_said(["inspect", image_name, "--format", "{{json .RepoDigests}}"]) or "null")
    return str(digests[0]) if digests else image_id_from_registry(image_name)


def image_id_from_registry(image_name: str) -> Optional[str]:
    """`image_id`, as the image's registry tells it; it takes buildx."""
    return _said(["buildx", "imagetools", "inspect", image_name, "--format", "{{.Name}}@{{.Manifest.Digest}}"])


def get_image_uid(image_name: str) -> int:
    """The number of the user as whom the image runs; -1 where it can't be found out."""
    said = _said(["run", "--rm", image_name, "id", "-u"])
    return int(said) if said and said.isdigit() else -1


def push(image: str, tag: str) -> Optional[str]:
    """Push an image to its registry; None where that fails."""
    return shell(["push", f"{image}:{tag}"])


def login(username: str, password: str, registry: str) -> Optional[str]:
    """Log in to a registry; None where that fails. The password isn't on a command line, which others could read."""
    return _said(["login", "--username", username, "--password-stdin", registry], password.encode())


def tag(image_name: str, tag: str) -> Optional[str]:
    """Give an image another name; None where that fails."""
    return shell(["tag", image_name, tag])
