"""A mail server for one test: prints each mail as a line of JSON, refuses whom it is told to.

    smtp_server.py PORT [--tls CERTIFICATE KEY] [--login USER PASSWORD] [--implicit] [--answers CODE ...]
"""
import argparse
import json
import ssl
import time
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("--tls", nargs=2)
arguments.add_argument("--login", nargs=2)
arguments.add_argument("--implicit", action="store_true")
arguments.add_argument("--answers", nargs="*", default=[])
given = arguments.parse_args()
answers = iter(given.answers)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 5.1.1 <" + address + ">: no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = next(answers, "250 OK")
        mail = message_from_bytes(envelope.content, policy=policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
        print(json.dumps({
            "answer": answer, "from": envelope.mail_from, "to": envelope.rcpt_tos,
            "subject": mail["Subject"], "id": mail["Message-ID"], "reply": mail["In-Reply-To"],
            "key": mail["X-Costgauge-Dedup-Key"], "plain": parts.get("text/plain"),
            "html": parts.get("text/html"), "defects": len(mail.defects),
            "tls": server.transport.get_extra_info("sslcontext") is not None, "login": bool(session.authenticated),
        }), flush=True)
        return answer


def authenticate(server, session, envelope, mechanism, data):
    isRight = [data.login.decode(), data.password.decode()] == given.login
    return AuthResult(success=isRight, handled=False)


context = None
if given.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*given.tls)
options = {}
if given.login:
    options = {"authenticator": authenticate, "auth_required": True}
if given.implicit:
    controller = Controller(Handler(), hostname="127.0.0.1", port=given.port, ssl_context=context,
                            auth_require_tls=False, **options)
else:
    controller = Controller(Handler(), hostname="127.0.0.1", port=given.port, tls_context=context,
                            auth_require_tls=context is not None, **options)
controller.start()
print("ready", flush=True)
time.sleep(3600)
