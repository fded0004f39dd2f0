"""Custom resources at run time: what their definitions ask for is served, converted between versions, and cleaned up.

`serving.py` keeps what is served in step with the definitions, `controller.py` writes the definitions' conditions (after
k8s.io/apiextensions-apiserver, whose controllers stand side by side), `removal.py` ends what a deleted definition defined. What
definitions mean and how objects are judged by them is pure and stands in `sampan.api.crd`.
"""
