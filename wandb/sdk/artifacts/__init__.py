"""Artifacts: versions of files, made by runs and used by runs.

    artifact.py                   `Artifact`, what users touch; its parts are in the modules below
    _facts.py                     what it is called and where it stands
    _draft.py                     putting one together: files, folders, references, objects
    _contents.py                  reading one that was logged: files, objects, verification
    _versions.py                  changing what a server says of it: aliases, tags, links, deletion
    artifact_manifest.py          what it holds; artifact_manifest_entry.py is one file of it
    _references.py                what lies elsewhere: s3, gs, http and file addresses
    _local.py                     versions that were logged on this machine, as long as no server has numbered them
    _remote.py                    the requests to a server

A draft's files are staged beside the log (`wandb_storage.StagingWriter`) as they are added; `run.log_artifact` appends
the record that names them, and the uploader brings them to a server. The modules without an underscore are those that
other libraries import.
"""
