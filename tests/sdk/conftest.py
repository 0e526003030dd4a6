"""Every test of the SDK runs in a folder, a home and an environment of its own, and leaves no run behind."""

from own_place import own_place as own_place
from own_place import server as server
from own_place import server_of_all as server_of_all
