"""Proof without a cluster: what can be known of the manifests before anybody applies them.

`python -m verification.kubernetes` renders every overlay as `kubectl apply -k` would, and holds it to the
schemas of Kubernetes, to a scanner, to our own rules (`rules/`: what no schema says) and, arrow by
arrow, to the architecture (`network.py`). It starts nothing and asks no cluster.
"""
