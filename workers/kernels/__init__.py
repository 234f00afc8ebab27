"""Kernels: the code that computes an operator on one backend.

``base`` holds the registry; ``common`` the kernels in the array-API dialect that serve NumPy and PyTorch
alike; the packages ``numpy`` and ``torch`` what one backend spells otherwise or does better; ``strides`` what
a dense layout is. NumPy is the reference, with which every other backend must agree. What an operator means
(types, derivative, cost) belongs in ``raygrad.proto.operators``.
"""
