"""Verification: what tries to break Oncepay, and what measures it. No service imports it.

What is proven, and by which command:

    explorer      every interleaving of small worlds, by the production use cases       make explore
    simulator     long random histories in virtual time; a failure is a seed            make simulate
    mutants       planted mistakes, each of which the two above must catch              make mutants
    chaos         real processes, killed under load; then the money is counted          make chaos
    baselines     two ordinary designs, in which chaos must find something              make chaos DESIGN=
    rolling       a rolling restart under load fails no call                            make rolling
    kubernetes    what can be known of the manifests without a cluster                  make kubernetes-check
    cluster       the manifests on a real cluster                                       make cluster-test
    containers    the images and the Compose file, on a real engine                     make compose-test
    bench         what a call costs, as ratios to an echo, pgbench or another commit    make bench
    lines         the size of the code                                                  make lines
    reliability   puts what was measured into docs/reliability.md                       make report

What they share: `world` (explorer and simulator), `processor` (a processor in memory), `local_stack` (the
whole system on free ports), `processes` (replicas that are killed and paused), `client` (for tests),
`load` (clients that repeat their calls), `audit` (a load's payments against the processor's ledger),
`commands` (programs that are run to their end), `waiting` (with a bound) and `output` (lines and figures).
"""

import os

# Processes are started while gRPC's threads run: its handlers of a fork would end the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
