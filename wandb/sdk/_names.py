"""Ids and names for runs that nobody named. Neither touches the `random` module, whose seed belongs to the user."""

from __future__ import annotations

import os
import zlib
from typing import List, Sequence

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def _words(text: str) -> List[str]:
    return text.split()


_ADJECTIVES = _words(
    "amber brisk calm clear cosmic crisp dapper deep eager early fair fleet fresh gentle glad golden good grand "
    "happy hardy honest humble jolly keen kind lively lucid lucky mellow merry mild misty neat noble northern olive "
    "patient plucky polar proud quick quiet rapid ripe royal rustic sage serene sharp silent silver smooth snowy "
    "solar solid southern spring steady still sturdy summer sunny swift tidy upbeat vivid warm western wild winter wise"
)
_NOUNS = _words(
    "anchor aspen badger bay beacon birch bloom breeze brook canyon cedar cliff cloud comet coral creek crane dawn "
    "delta dune eagle elm ember falcon fern field fjord forest fox galaxy glade grove harbor hawk heron hill island "
    "lagoon lake lark leaf lynx maple marsh meadow mesa moon moss oak ocean orchard otter owl peak pebble pine plain "
    "planet pond prairie rain raven reef ridge river robin shore sky sparrow spruce star stone storm stream sun surf "
    "thunder tide trail tree valley violet wave willow wind wolf wood wren"
)


def _choice(options: Sequence[str]) -> str:
    # The `secrets` module does the same and takes four milliseconds to import.
    return options[int.from_bytes(os.urandom(8), "big") % len(options)]


def new_run_id(length: int = 8) -> str:
    """Letters and digits, eight of them as every client makes them."""
    return "".join(_choice(_ALPHABET) for _ in range(length))


def name_of_run(run_id: str) -> str:
    """adjective-noun, the same wherever it is asked for.

    >>> name_of_run("w7x2k9aa") == name_of_run("w7x2k9aa")
    True
    """
    number = zlib.crc32(run_id.encode())
    return f"{_ADJECTIVES[number % len(_ADJECTIVES)]}-{_NOUNS[number // len(_ADJECTIVES) % len(_NOUNS)]}"


def new_run_name(number: int) -> str:
    """adjective-noun-number; `number` tells the runs of a folder apart."""
    return f"{_choice(_ADJECTIVES)}-{_choice(_NOUNS)}-{number}"
