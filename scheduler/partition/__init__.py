"""Partitioning: graph × costs × workers → placement, as pure functions.

One module per algorithm, and what they share beside them. Turning a placement into segments and edges is
the planner's work, and judging it by time is the simulator's; neither belongs here.
"""

from .choose import choose

__all__ = ["choose"]
