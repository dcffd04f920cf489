"""Client of the Accord mesh: typed calls, the ``accord`` command, and an offline verifier.

Nothing here imports the services: an auditor need not trust the server's code.
"""
