"""Formats of the database, and the way from each to the next.

A new database is made from the tables as they are (``_tables`` and the modules that add some); only an older one goes
this way. Whoever changes a table adds a revision in ``versions`` and raises ``FORMAT`` in ``_formats``;
``tests/server/test_formats.py`` holds what all revisions make against the tables.
"""
