"""The gRPC service, version 1: ``raygrad.proto`` is written by hand, the modules beside it are generated.

Run ``make proto`` after a change of ``raygrad.proto`` and commit what it writes. A change that an old
client or an old server would misread belongs in a folder ``v2``, not here.
"""
