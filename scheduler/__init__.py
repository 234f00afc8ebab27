"""The scheduler: decides which worker computes what and when, and answers the clients.

Deciding is pure and lies in ``cost``, ``partition``, ``planner``, ``simulator`` and ``machine``: values in,
values out, no clock, no network. The thin shells around it act: ``service`` speaks gRPC, the clusters carry
commands to workers, ``cli`` starts the server. The scheduler may import ``raygrad.proto`` and
``raygrad.workers``.
"""

if not __name__.startswith("raygrad."):
    raise ImportError(
        "the folder `scheduler` is the package raygrad.scheduler: `import raygrad` (pip install -e .)"
    )
