"""Proof on a cluster: the manifests, applied to the one that KUBECONFIG names, used, and taken away again.

It touches nothing but the namespaces that it makes, and makes none that is there already.
"""
