"""The program of the extension's pod: the standard library only, an answer for each path.

python extensionserver.py PORT          (certificates in /tls)
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Tree = dict[str, Any]
API = "/apis/metrics.example.com/v1beta1"
RESOURCE = {"name": "rates", "singularName": "rate", "namespaced": True, "kind": "Rate", "verbs": ["get"]}


def validate(request: Tree) -> Tree:
    """Red is refused, pink only frowned upon."""
    color = (request["object"].get("data") or {}).get("color")
    if color == "red":
        return {"allowed": False, "status": {"code": 403, "message": "no red here"}}
    return {"allowed": True, "warnings": ["pink is close to red"] if color == "pink" else []}


def mutate(request: Tree) -> Tree:
    patch = [{"op": "add", "path": "/data/seen-by", "value": request["userInfo"]["username"]}]
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}


def convert(request: Tree) -> Tree:
    """v1 has `spec.host`, "name:port"; v2 has `spec.name` and `spec.port`."""
    wanted = request["desiredAPIVersion"]
    return {"result": {"status": "Success"}, "convertedObjects": [converted(each, wanted) for each in request["objects"]]}


def converted(tree: Tree, wanted: str) -> Tree:
    spec = tree["spec"]
    if wanted.endswith("v2") and "host" in spec:
        name, _, port = spec["host"].partition(":")
        spec = {"name": name, "port": int(port)}
    elif wanted.endswith("v1") and "name" in spec:
        spec = {"host": f"{spec['name']}:{spec['port']}"}
    return {**tree, "apiVersion": wanted, "spec": spec}


ANSWERS = {"/validate": validate, "/mutate": mutate, "/convert": convert}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = ANSWERS[self.path.partition("?")[0]](review["request"])
        self.answer(200, {**review, "response": {"uid": review["request"]["uid"], **answer}})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self.answer(200, {})
        elif path == API:
            self.answer(200, {"kind": "APIResourceList", "groupVersion": API[6:], "resources": [RESOURCE]})
        elif path.startswith(f"{API}/namespaces/"):
            name = path.rpartition("/")[2]
            who = self.headers["X-Remote-User"]
            self.answer(200, {"kind": "Rate", "apiVersion": API[6:], "metadata": {"name": name}, "for": who, "by": NAME})
        else:
            self.answer(404, {})

    def answer(self, code: int, tree: Tree) -> None:
        body = json.dumps(tree).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


NAME = socket.gethostname()

if __name__ == "__main__":
    server = ThreadingHTTPServer(("", int(sys.argv[1])), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
