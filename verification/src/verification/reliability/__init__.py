"""The report: what explorer, simulator, mutants and chaos came to, on one page (docs/reliability.md).

Proven by its tests: every figure on the page and in its picture is what a tool wrote. By `make report`,
which puts them there; `python -m verification.reliability --check` says whether they are.

    figures.py   reads what each tool wrote (docs/figures/*.json), and adds it up
    tables.py    the tables of the page
    plot.py      its picture, as SVG
"""
