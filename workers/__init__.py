"""The workers: carry out what the plan says, and keep what backward needs.

Here belong the program a segment compiles to, the executor that runs it for mini-batches, the store of
cached activations, the exact accumulator of gradients, and the Ray actor, a thin shell around the executor.
A worker decides nothing about other workers. Workers may import ``raygrad.proto`` only.
"""

if not __name__.startswith("raygrad."):
    raise ImportError(
        "the folder `workers` is the package raygrad.workers: `import raygrad` (pip install -e .)"
    )
