"""The demo's client: a LeNet learns handwritten digits through a server. `raygrad demo` runs it.

Here belong the data, the training loop and what the terminal shows. It runs against any server:
``python -m raygrad.client.demo --target HOST:PORT``.
"""
