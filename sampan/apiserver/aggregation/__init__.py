"""The aggregation layer: parts of the API that other servers serve, joined to this one's by APIService objects.

https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
"""
