"""What a program prints, as it goes into the log and the file `output.log`.

`_capture` stands before `sys.stdout` and `sys.stderr`; `_redirect` takes the descriptors, and has `_relay`, a process
of its own, pass on what comes; `_logger_capture` hears Python's loggers. `_buffer` folds what is overwritten.
"""
