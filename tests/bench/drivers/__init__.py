"""What runs inside a client's environment: `launch.py` runs one job (`_jobs`) with one client.

These modules import nothing but the standard library, and a client's package only in that client's module.
"""
