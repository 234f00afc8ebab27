"""Pictures of graphs: pure functions from a graph to text, as SVG or in Graphviz's language.

A graph becomes a `Picture` (`depiction`: boxes, links, blocks that `folding` found), which is written as DOT
(`dot`), or laid out (`layout`, with `layers`) and written as SVG (`svg`). `Graph.svg` and `Graph.dot` are the
way in; the scheduler draws plans with the same code, in the colours of stages.
"""

from .. import errors as _  # noqa: F401 (which refuses the folder's bare name)
