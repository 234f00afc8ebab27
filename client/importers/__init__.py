"""Graphs from elsewhere: one module or package per format.

Each turns another framework's model into a graph with the same names, and hands its weights over as arrays.
What they share is here: `model` is what an importer returns, `unsupported` how it says what it cannot do.
A framework is imported by its own module only, when it is first used.
"""
