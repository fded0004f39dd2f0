"""Cluster DNS after https://github.com/kubernetes/dns/blob/master/docs/specification.md (schema version 1.1.0).

`zone.py` answers a question from Services and EndpointSlices without any I/O; `wire.py` turns messages into questions and
answers back into messages; `server.py` listens, caches and watches; `forward.py` asks upstream servers about the rest.
"""
