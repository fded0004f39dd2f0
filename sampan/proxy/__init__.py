"""The service proxy of a node: Services and EndpointSlices in, packet rules out.

`model.py` decides, without any I/O, what each service port should do on this node; a backend in `backends/` makes the
kernel do it; `proxy.py` watches and calls the two.
"""
