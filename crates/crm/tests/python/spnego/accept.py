"""An HTTP server whose Windows sign-in is pyspnego's: NTLM and Negotiate, one context for each connection.

Prints its port, then serves. GET and POST answer with who signed in and the body, as `user|body`.
"""

import base64
import http.server
import os
import sys

# Must be set before the first context is made: DOMAIN:user:password lines.
os.environ["NTLM_USER_FILE"] = sys.argv[1]

import spnego  # noqa: E402
import spnego.channel_bindings  # noqa: E402


def context(scheme):
    options = spnego.NegotiateOptions
    if scheme == "NTLM":
        return spnego.server(protocol="ntlm", options=options.use_ntlm)
    return spnego.server(protocol="negotiate", options=options.use_negotiate)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    context = None
    user = None

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        header = self.headers.get("Authorization")
        if self.user is None or header:
            if not self.sign_in(header):
                return
        self.reply(200, f"{self.user}|{body.decode()}".encode(), self.token)

    do_POST = do_GET
    token = None

    def sign_in(self, header):
        if not header:
            self.refuse()
            return False
        scheme, token = header.split(" ", 1)
        self.user = None
        try:
            if self.context is None:
                self.context = context(scheme)
            out = self.context.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError as error:
            print("refused:", error, file=sys.stderr, flush=True)
            self.context = None
            self.refuse()
            return False
        self.token = f"{scheme} {base64.b64encode(out).decode()}" if out else None
        if self.context.complete:
            self.user = self.context.client_principal
            self.context = None
            return True
        self.reply(401, b"go on", self.token)
        return False

    def refuse(self):
        self.reply(401, b"sign in", "Negotiate", "NTLM")

    def reply(self, status, body, *challenges):
        self.send_response(status)
        for challenge in challenges:
            if challenge:
                self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.token = None

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(f"port {server.server_address[1]}", flush=True)
server.serve_forever()
