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
``server.db``                       SQLite: users, projects, runs, lines (see ``_tables``); not
                                    there when the database is a PostgreSQL
``files/``                          bytes of run files and artifacts (see ``_bytes``); not there when
                                    they are in a bucket (``_objects``)
``partial/``                        what has arrived of large run files (see ``_partial``)
``secret``                          32 random bytes, mode 0600: the key of all signatures
``lock``                            held by the one server that uses the directory
==================================  ==========================================================

Layers, each knowing only the ones below it
-------------------------------------------
===========================  ====================================================================
``_serve`` ``_backup``       listening, the first start, what is printed; a copy of the data
``_administration``          users and keys, by command
``_app``                     routes, headers, errors
``_protocol`` ``_storage``   GraphQL and the run stream; the endpoints for bytes
``_api*`` ``_pages``         the dashboard's JSON (``_views``) and its pages (``static/``)
``_sandbox``                 logged HTML and plotly's figures, shut off from the pages
``_run_table`` ``_media``    columns and cells of the run table; where a run logged media
``_lineage``                 the graph of runs and versions of artifacts
``_metrics``                 figures for Prometheus; ``_request_log`` a line for every request
``_rates`` ``_patience``     callers that ask too often; clients that are slow on purpose
``_access``                  which user a request comes from, and whether a browser may make it
``_resolvers*``              GraphQL fields; ``_graphql`` executes documents of ``schema.graphql``
``_services``                what requests share, and what one request knows
``_indexer`` ``_packing``    columns and larger chunks, made in the background
``_series`` ``_buckets``     charts; what a part of a run has under some keys, at the level needed
``_tails``                   rows that are in no column yet
``_ingest`` ``_stream``      run stream requests, applied in groups; what one makes of its run
``_sweeps`` ``_queues``      what agents are told of sweeps (by ``wandb.sweeps``) and of queues
``_artifacts``               collections, versions, aliases, links; ``_artifact_commit`` manifests;
                             ``_artifact_deletion`` what is freed; ``_client_ids`` what clients call them meanwhile
``_teams`` ``_policies``     who belongs together; what a scope says of settings
``_alerts``                  what a script wants a person to see
``_store`` ``_filters``      projects and runs; filters and orders of lists
``_samples`` ``_lines``      evenly chosen rows; lines by number and by step; ``_chunks`` their bytes
``_blocks`` ``_columns``     the rows of a run by keys, with summaries; their bytes
``_files`` ``_bytes``        rows of run files; bytes by place, in a folder or ``_objects`` of a bucket;
                             ``_signing`` URLs that open them
``_partial``                 large files whose uploads broke off
``_auth``                    users, keys, sessions
``_database``                transactions over ``_tables`` and ``_artifact_tables``
``_formats``                 tables of a new database, ``migrations`` of an older one
``_limits``                  every bound; ``_names`` and ``_values`` what clients may send
===========================  ====================================================================
"""

from __future__ import annotations

from ._app import create_app

__all__ = ["create_app"]
