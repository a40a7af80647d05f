"""The manifests without a cluster: what can be known before anybody applies them.

Proven: every overlay renders, fits the schemas of Kubernetes, passes a scanner and our own rules, and its
NetworkPolicies allow the connections of kubernetes/architecture.toml and no other. By
`make kubernetes-check`, which starts nothing and asks no cluster.

    rendering.py      what `kubectl apply -k` would send
    schemas.py        the schemas of Kubernetes and of the operators
    rules/            what no schema says
    network.py        who can reach whom, from the NetworkPolicies
    placeholders.py   what every installation has to set itself
"""
