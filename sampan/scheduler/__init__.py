"""The scheduler: gives each pending Pod a node.

queue.py      which pod is next: priorities, back-off, pods that wait for the cluster to change
podinfo.py    what a pod needs, computed once
cache.py      the nodes as numpy columns, and the pods placed on them, assumed ones included
framework.py  plugins: filters and scores as vector operations over all nodes
plugins/      one plugin a file
loop.py       take a pod, find a node, bind it through the API
"""
