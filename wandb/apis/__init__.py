"""Reading back what was logged: the public Api.

`_client` asks a server.
"""
