"""Benchmarks that anyone can run: ``make bench``, or ``python -m bench soft_delete`` for one.

Every module here with a ``main()`` is one benchmark. Each compares variants within one run and
prints Markdown that explains its numbers. Results are in ``docs/performance.md``.
"""
