"""The local cluster of `sampan up`: its plan, its nodes as network namespaces, its processes, and how all of it goes away.

Start with `plan.py`, which names every file, interface and namespace of a cluster; the other modules make and remove them.
"""
