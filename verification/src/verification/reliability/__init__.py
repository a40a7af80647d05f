"""The report: what explorer, simulator, mutants and chaos found (docs/reliability.md and its appendix).

`make report` writes them. Proven by its tests: every figure in the pages and in their picture is what a
tool wrote.

    figures.py   reads what each tool wrote (docs/figures/*.json), and adds it up
    tables.py    the tables of the pages
    plot.py      the picture, as SVG
"""
