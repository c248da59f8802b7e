"""Benchmarks that anyone can run: ``make bench``, or ``python -m bench soft_delete`` for one.

Every module here with a ``main()`` is one benchmark. Each compares within one run, prints Markdown
and says what its numbers are of; results are kept in ``docs/performance.md``.
"""
