"""API keys: where they are looked for, and what saving one leaves alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

import pytest
from w_b_server import KEY, WBServer

from wandb_uploader import CredentialError, check_api_key, find_api_key, save_api_key, verify_api_key

URL = "http://server.test:8080"
# Before Python 3.11, the standard library reads no quotes in these files.
QUOTED = '"with space and \\" quote"' if sys.version_info >= (3, 11) else "word"
OTHERS = f"""# my machines
machine github.com
    login me   password {QUOTED}
machine "api.wandb.ai" login user password aaaa # trailing words

macdef upload
  machine server.test password in a macro is text
  bye

"""


@pytest.fixture
def place(tmp_path: Path) -> Dict[str, str]:
    return {"NETRC": str(tmp_path / "my netrc"), "HOME": str(tmp_path)}


def test_the_environment_comes_before_the_file(place: Dict[str, str]) -> None:
    save_api_key(URL, "f" * 40, place)
    assert find_api_key(URL, {**place, "WANDB_API_KEY": KEY}) == KEY
    assert find_api_key(URL, place) == "f" * 40
    assert find_api_key("http://elsewhere.test", place) is None


def test_saving_keeps_every_other_byte(place: Dict[str, str]) -> None:
    path = Path(place["NETRC"])
    before = f"machine server.test login user password {'o' * 40}\n"
    for first, last in ((before, ""), ("", before), (before, before), ("", "")):
        path.write_text(first + OTHERS + last)
        save_api_key(URL, KEY, place)
        text = path.read_text()
        assert OTHERS in text
        assert "o" * 40 not in text
        assert find_api_key(URL, place) == KEY
        assert path.stat().st_mode & 0o777 == 0o600


def test_saving_twice_leaves_one_entry(place: Dict[str, str]) -> None:
    save_api_key(URL, "f" * 40, place)
    save_api_key(URL, KEY, place)
    assert Path(place["NETRC"]).read_text() == f"machine server.test\n  login user\n  password {KEY}\n"


def test_an_entry_goes_ahead_of_the_default_one(place: Dict[str, str]) -> None:
    path = Path(place["NETRC"])
    path.write_text("machine a login b password c\ndefault login x password y\n")
    assert find_api_key(URL, place) is None, "the default entry is not meant for us"
    save_api_key(URL, KEY, place)
    assert path.read_text().endswith("default login x password y\n")
    assert find_api_key(URL, place) == KEY


def test_a_linked_file_stays_a_link(place: Dict[str, str], tmp_path: Path) -> None:
    Path(place["NETRC"]).symlink_to(tmp_path / "real")
    save_api_key(URL, KEY, place)
    assert Path(place["NETRC"]).is_symlink()
    assert KEY in (tmp_path / "real").read_text()


def test_a_broken_file_is_named(place: Dict[str, str]) -> None:
    Path(place["NETRC"]).write_text("machine a\nlogin b password c\nnonsense here\n")
    with pytest.raises(CredentialError, match=r"my netrc.*line 3"):
        find_api_key(URL, place)


@pytest.mark.parametrize("key", ["", "short", "x" * 39, "with space " + "x" * 40, "ü" * 40, "x" * 40 + "\n"])
def test_what_is_no_key_is_told_without_showing_it(place: Dict[str, str], key: str) -> None:
    with pytest.raises(CredentialError) as raised:
        save_api_key(URL, key, place)
    assert not key or key not in str(raised.value)
    assert not Path(place["NETRC"]).exists()


def test_keys_have_a_prefix_or_none() -> None:
    check_api_key("x" * 40)
    check_api_key("local-" + "x" * 40)
    check_api_key("wandb_v1_" + "x-_" * 20)


def test_a_key_is_verified_by_asking(server: WBServer) -> None:
    with pytest.raises(CredentialError, match="401"):
        verify_api_key(server.url, "o" * 40)
    assert verify_api_key(server.url) == "me"
