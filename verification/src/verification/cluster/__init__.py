"""The manifests on a real cluster: applied to the one that KUBECONFIG names, used, and removed again.

Proven by verification/tests/cluster: a first payment, rolls and evictions under load that lose nothing,
and a reconciliation without differences. By `make cluster-test`, with KUBECONFIG set.

    kubectl.py    what is asked of a cluster
    cluster.py    apply, wait, roll, evict, remove
    load_pod.py   clients in a pod of the cluster

It touches nothing but the namespaces that it makes, and makes none that is there already.
"""
