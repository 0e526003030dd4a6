"""One server for all libraries, and a folder and a home of its own for each test."""

from own_place import own_place as own_place
from own_place import server as server
from own_place import server_of_all as server_of_all
