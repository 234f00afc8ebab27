"""The client: writes graphs, sends them, and takes outputs and gradients back.

Here belong the session in its two forms (blocking and asyncio), the transport under it, the functions that
express common computations in operators, define-by-run tensors, and the importers of other model formats.
The client may import ``raygrad.proto`` only; ``local`` alone also imports the scheduler, to run it in this
process.
"""

if not __name__.startswith("raygrad."):
    raise ImportError(
        "the folder `client` is the package raygrad.client: `import raygrad` (pip install -e .)"
    )
