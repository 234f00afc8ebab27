"""PyTorch's own samples of its operators (OpInfo), run through raygrad and compared with PyTorch, in float64.

`adapters/` says which raygrad function an operator of PyTorch is, `samples.py` reads its samples,
`writing.py` writes one as a graph, `checks.py` runs and compares: forward, gradient and gradient of that.
"""
