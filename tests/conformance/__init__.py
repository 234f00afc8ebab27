"""Suites that nobody here wrote, as one table: suite, cases, passed, left out. `make conformance` runs them.

They take minutes, so pytest does not collect them; what is quick of them is in `make test` besides.
A suite is a module's function that yields cases (`suite.py`), named once in `suites.py`. A case that
raises failed. Cases that cannot pass are listed with their reasons in `left_out/<suite>.txt`, and the list
is exact: a case on it that passes, or that there is none of, is a failure as well.
"""
