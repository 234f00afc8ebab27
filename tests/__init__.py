"""The tests: one file per file or promise of the product, named after it.

``make test`` runs them all; the markers ``ray``, ``gpu`` and ``slow`` pick. What several tests share
belongs in a module of its own here (``samples``: sample inputs per operator) and is imported as ``from
tests.samples import …``. Tests use fakes, not mocks, and no sleeps; a wait has a deadline.
"""
