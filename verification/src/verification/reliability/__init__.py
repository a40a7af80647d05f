"""The report: what explorer, simulator, mutants and chaos found (docs/reliability.md and its appendix).

Proven by its tests: every figure in the pages and in their picture is what a tool wrote. By `make report`,
which writes them; `python -m verification.reliability --check` says whether they are up to date.

    figures.py   reads what each tool wrote (docs/figures/*.json), and adds it up
    tables.py    the tables of the pages
    plot.py      the picture, as SVG
"""
