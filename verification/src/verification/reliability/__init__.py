"""The report: what the explorer, the simulator, the mutants and the storms came to, on one page.

    figures.py   reads what each tool wrote (docs/figures/*.json), and adds it up
    tables.py    the tables of docs/reliability.md
    plot.py      its picture, as SVG

`python -m verification.reliability` puts them into the page; `--check` says whether they are in it.
"""
