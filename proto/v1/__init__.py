"""The gRPC service, version 1: ``raygrad.proto`` is written by hand, what is named ``_pb2`` is generated.

``status``, ``tensors`` and ``values`` turn errors, arrays and our frozen values into its messages and back,
for both sides.

Run ``make proto`` after a change of ``raygrad.proto`` and commit what it writes. A change that an old
client or an old server would misread belongs in a folder ``v2``, not here.
"""

from .. import errors as _  # noqa: F401 (which refuses the folder's bare name)
