"""The pod network of a node: routes to the other nodes' pods, and the CNI configuration for its own.

Nodes share a link, so a packet for another node's pods is routed to that node as it is, without encapsulation (what flannel
calls the host-gw backend).
"""
