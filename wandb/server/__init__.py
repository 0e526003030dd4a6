"""A W&B-compatible server in one process and one data directory.

It speaks the protocol of W&B's service towards logging clients and the public Api, and serves a
dashboard that needs no internet. ``wandb server`` runs it; ``create_app`` is the same server for
embedding and for tests.

What is promised
----------------
* A run stream or GraphQL request answered with 200, and an upload answered with 200, survive a
  crash of the process and a loss of power.
* A repeated request changes nothing: lines are placed by number, files by name.
* A request takes effect completely or not at all.
* Values are kept as they were sent, NaN and infinities included.
* Every request body has a bound (``_limits``).

Data directory
--------------
==================================  ==========================================================
``server.db``                       SQLite: users, projects, runs, lines (see ``_tables``)
``files/<run number>/<sha256>``     bytes of run files, named by the hash of the file's name
``secret``                          32 random bytes, mode 0600: the key of all signatures
==================================  ==========================================================

Layers, each knowing only the ones below it
-------------------------------------------
===================  =========================================================================
``_serve``           listening, the first start, what is printed
``_app``             routes, headers, errors
``_protocol``        GraphQL, run stream and file endpoints for logging clients
``_api`` ``_pages``  the dashboard's JSON (``_views``) and its pages (``static/``)
``_access``          which user a request comes from, and whether a browser may make it
``_resolvers*``      GraphQL fields; ``_graphql`` executes documents of ``schema.graphql``
``_services``        what requests share, and what one request knows
``_stream``          applying a run stream request; ``_series`` charts; ``_filters`` run lists
``_store``           projects, runs and lines; ``_files`` bytes; ``_auth`` users and secrets
``_policies``        what is said of clients' settings
``_database``        transactions over ``_tables``
``_limits``          every bound; ``_names`` and ``_values`` what clients may send
===================  =========================================================================
"""

from __future__ import annotations

from ._app import create_app

__all__ = ["create_app"]
