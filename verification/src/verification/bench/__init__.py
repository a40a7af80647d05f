"""What a call costs: as ratios within one sitting, and as CPU microseconds by component.

Machines are shared and noisy, so no figure stands alone. `make bench` puts the services' CPU beside the
CPU of a bare echo on the same stack, and payments per second beside `pgbench` doing a payment's very work
on the same PostgreSQL. `make bench BASE=commit` measures another commit in the same sitting, in turns.

    systems.py   a system to measure: `oncepay up` of a tree, this one or a commit's
    measure.py   calls for a while, and what they cost each process
    echo.py      the reference: an echo and nothing else
    pgbench.py   the reference: a payment's SQL and nothing else
    report.py    tables and ratios

A system is started by its own command line and called by the contract alone, so that the code of the other
commit may have any shape.
"""
