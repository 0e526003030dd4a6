"""API keys: from the environment or a netrc file, and nowhere else.

A key is never written into logs, cursors or argument lists. `save_api_key` edits one entry of the netrc file and leaves
every other byte as it is.
"""

from __future__ import annotations

import hashlib
import netrc
import os
import re
from pathlib import Path
from typing import Mapping, Optional, Set, Tuple
from urllib.parse import urlsplit

from ._errors import CredentialError
from ._home import write_atomically

# `[prefix-]secret`: the form that W&B servers hand out.
_KEY = re.compile(r"([\w-]+-)?[\w-]{40,}", re.ASCII)
# The words of a netrc file, with the place of each: what a `machine` entry spans is known from them.
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\S+')
_ENTRY_STARTS = ("machine", "default", "macdef")
_LOGIN = "user"


def check_api_key(key: str) -> None:
    """Raises CredentialError for what can't be an API key. The message never holds the key."""
    if not key:
        raise CredentialError("the API key is empty; copy it from the server's page for keys")
    if not _KEY.fullmatch(key):
        kind = "has characters other than letters, digits, _ and -" if len(key) >= 40 else f"has {len(key)} characters"
        raise CredentialError(f"the API key {kind}; a key has at least 40 letters, digits, _ and -: copy it whole")


def netrc_path(environment: Mapping[str, str] = os.environ) -> Path:
    return Path(environment.get("NETRC") or "~/.netrc").expanduser()


def machine_of(base_url: str) -> str:
    """The name under which a server's key stands in a netrc file: its host, without the port."""
    host = urlsplit(base_url).hostname
    if not host:
        raise CredentialError(f"{base_url!r} names no host; a base URL looks like https://api.wandb.ai")
    return host


def saved_key(base_url: str, environment: Mapping[str, str] = os.environ) -> Optional[str]:
    """The key in the netrc file, or None. Raises CredentialError where the file can't be read."""
    path = netrc_path(environment)
    try:
        entries = netrc.netrc(str(path))
    except FileNotFoundError:
        return None
    except netrc.NetrcParseError as error:
        raise CredentialError(
            f"{path} is no valid netrc file (line {error.lineno}: {error.msg}); mend that line"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"{path} can't be read ({error}); make it readable, or set WANDB_API_KEY") from None
    found = entries.hosts.get(machine_of(base_url))  # not `authenticators`: a default entry is not meant for us
    return (found[2] or None) if found is not None else None


def find_api_key(
    base_url: str, environment: Mapping[str, str] = os.environ, refused: Optional[Set[str]] = None
) -> Optional[str]:
    """The API key for a server: `WANDB_API_KEY`, else the netrc file's. Keys whose `fingerprint` is in `refused` are
    passed over. Raises CredentialError where the netrc file is needed and can't be read."""
    key = environment.get("WANDB_API_KEY", "").strip()
    if key and (not refused or fingerprint(key) not in refused):
        return key
    key = saved_key(base_url, environment) or ""
    return key if key and (not refused or fingerprint(key) not in refused) else None


class BearerToken(str):
    """What an identity token was exchanged for; sent as such, not as an API key."""


def fingerprint(key: str) -> str:
    """What tells one key from another without holding it."""
    return hashlib.sha256(key.encode()).hexdigest()


def save_api_key(base_url: str, key: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Put a key into the netrc file, readable by its owner only; entries of other machines stay byte for byte.

    Raises CredentialError for what is no key, OSError where the file can't be written.
    """
    check_api_key(key)
    path = netrc_path(environment)
    path = path.resolve()  # a link stays a link
    text = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
    entry = f"machine {machine_of(base_url)}\n  login {_LOGIN}\n  password {key}\n"
    text = _replace_entry(text, machine_of(base_url), entry)
    write_atomically(path, text.encode("utf-8", "surrogateescape"))
    return path


def _replace_entry(text: str, machine: str, entry: str) -> str:
    span = _find_entry(text, machine)
    if span is not None:
        start, end = span
        while True:  # an earlier duplicate would hide the new entry
            again = _find_entry(text, machine, end)
            if again is None:
                return text[:start] + entry + text[end:]
            text = text[: again[0]] + text[again[1] :]
    return entry + text if text.startswith("default") else _before_default(text, entry)


def _before_default(text: str, entry: str) -> str:
    """At the end, but ahead of a `default` entry, behind which nothing is looked at by some readers."""
    for match in re.finditer(r"^default\b", text, re.MULTILINE):
        return text[: match.start()] + entry + text[match.start() :]
    return text + ("\n" if text and not text.endswith("\n") else "") + entry


def _find_entry(text: str, machine: str, start: int = 0) -> Optional[Tuple[int, int]]:
    """From the word `machine` to the start of the next entry or comment line, white space at the end included."""
    begin: Optional[int] = None
    previous = ""
    position = start
    while True:
        match = _WORD.search(text, position)
        if match is None:
            return None if begin is None else (begin, len(text))
        word, position = match.group(), match.end()
        if word.startswith("#") and previous not in ("password", "login", "account", "machine"):
            if begin is not None:
                return begin, match.start()
            position = _line_end(text, position)
            continue
        if word in _ENTRY_STARTS and previous not in ("password", "login", "account", "machine"):
            if begin is not None:
                return begin, match.start()
            if word == "macdef":  # a macro goes on to the first empty line
                gap = re.compile(r"\n[ \t]*\n").search(text, position)
                position = gap.end() if gap else len(text)
            previous = word
            candidate = match.start()
            continue
        if previous == "machine" and word.strip('"') == machine:
            begin = candidate
        previous = "" if previous in ("password", "login", "account", "machine") else word


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
