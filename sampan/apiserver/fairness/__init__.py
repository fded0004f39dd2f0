"""API priority and fairness: who may have how much of the server at once, and whose turn it is when it is full.

A FlowSchema says which requests belong together, a PriorityLevelConfiguration how many of them run at once and how many
wait. https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""
