"""The report: what the explorer, the simulator, the mutants and the chaos runs found.

    figures.py   reads what each tool wrote (docs/figures/*.json), and adds it up
    tables.py    the tables of docs/reliability.md and of its appendix
    plot.py      the picture, as SVG

`python -m verification.reliability` writes them; `--check` says whether they are up to date.
"""
