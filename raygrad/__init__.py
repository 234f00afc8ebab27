"""raygrad: a distributed graph-execution service.

This package is the public face: ``import raygrad as rg``. Its code lives in four folders at the top of the
repository, linked here: ``proto`` is the language (graphs, operators, differentiation, documents),
``client`` writes it, ``scheduler`` decides about it, ``workers`` carry it out. Only names that a user types
belong in this file; it holds no logic.
"""

__version__ = "0.1.0"
