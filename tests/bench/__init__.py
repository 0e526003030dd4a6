"""The figures: this client beside its peers and beside the bare system call, in one run on one machine.

    tox -e bench                          everything, into RESULTS.md and results.json
    tox -e bench -- --write --only log    one part; the others' figures stay
    python -m tests.bench --quick         small sizes, printed only

Each client runs in an environment of its own under `.tox/peers/`, made on demand and used again, in processes of its
own, offline, with its defaults, a home folder that is thrown away, and no way to the network.

    log_call, kinds, around, floor, start, disk, kept, memory, appends, busy, many_rows, replay, uploader,
    api, artifacts, sweep_search
                one measurement each: `measure(bench)` returns a report's section
    _bench      sizes, the clients, running their jobs       _peers     the clients and their environments
    _report     sections and tables to Markdown              _machine   what the figures were measured on
    drivers/    what runs inside the clients' environments: the same loop, another call

Nothing here asserts a time: a figure is reported with its aim, reached or not.
"""
