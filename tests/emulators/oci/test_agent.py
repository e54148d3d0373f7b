"""Checks the agent's stand-in itself: what it accepts, what it refuses, and what it reports then.

Run it with the interpreter that has requirements.txt installed; it exits non-zero on failure.
"""

import json
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from agent import Agent, InvokeError

HERE = Path(__file__).parent
# A function that keeps the contract except for the lines that a row puts in place of these.
FUNCTION = """
import http.server, os, socket, socketserver

class Function(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        while self.rfile.readline() != b"0\\r\\n":
            pass
        self.rfile.readline()
        self.send_response(STATUS)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self):
        return "agent"

awaited = os.environ["FN_LISTENER"].removeprefix("unix:")
directory, name = os.path.split(awaited)
phony = os.path.join(directory, "phony" + name)
server = socketserver.UnixStreamServer(phony, Function)
os.chmod(phony, MODE)
os.symlink(TARGET, awaited)
server.serve_forever()
"""
GOOD = {"STATUS": "200", "MODE": "0o666", "TARGET": "'phony' + name"}


class Refusals(unittest.TestCase):
    def function(self, **changes):
        text = FUNCTION
        for name, value in (*changes.items(), *GOOD.items()):
            text = text.replace(name, value)
        agent = Agent([sys.executable, "-c", text])
        self.addCleanup(agent.close)
        return agent

    def test_a_function_that_keeps_the_contract_passes(self):
        agent = self.function()
        agent.start()
        self.assertEqual([agent.call().status for _ in range(2)], [200, 200])

    def test_a_socket_that_the_agent_cannot_use(self):
        rows = [
            # a link that leads elsewhere for the agent, which sees another path
            ({"TARGET": "phony"}, "a link within"),
            # one that leads nowhere
            ({"TARGET": "'nothing'"}, "No such file"),
            # one to something else
            ({"TARGET": "'.'"}, "a socket"),
            # a socket of the function's own user
            ({"MODE": "0o600"}, "all may write"),
            # none at all
            ({"os.symlink(TARGET, awaited)": "raise SystemExit(3)"}, "ended with 3"),
        ]
        for changes, reported in rows:
            with self.subTest(changes):
                with self.assertRaises(InvokeError) as caught:
                    self.function(**changes).start()
                self.assertEqual(caught.exception.code, "FunctionInvokeContainerInitFail")
                self.assertIn(reported, caught.exception.message)

    def test_any_other_status_ends_the_function(self):
        agent = self.function(STATUS="404")
        agent.start()
        with self.assertRaises(InvokeError) as caught:
            agent.call()
        self.assertEqual(caught.exception.code, "FunctionInvokeInvalidResponse")
        self.assertFalse(agent.alive())

    def test_a_function_that_hangs_is_ended(self):
        agent = self.function(**{"self.send_response(STATUS)": "__import__('time').sleep(60)"})
        agent.start()
        with self.assertRaises(InvokeError) as caught:
            agent.call(seconds=0.2)
        self.assertEqual(caught.exception.code, "FunctionInvokeExecutionTimeout")
        self.assertFalse(agent.alive())


class Invoke(unittest.TestCase):
    def serve(self, config, *arguments):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        path = Path(directory) / "env"
        path.write_text(f"# a function's configuration\n\n{config}\n")
        function = [sys.executable, str(HERE / "reference_function.py")]
        command = [sys.executable, str(HERE / "agent.py"), "--env-file", str(path), *arguments]
        server = subprocess.Popen(
            [*command, "--", *function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

        def stop():
            server.stdin.close()
            self.assertEqual(server.wait(20), 0)
            server.stdout.close()

        self.addCleanup(stop)
        word, url = server.stdout.readline().decode().split()
        self.assertEqual(word, "ready")
        return url

    def invoke(self, url):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, b"{}")) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def test_the_functions_answer(self):
        url = self.serve("SOME=thing")
        self.assertEqual([self.invoke(url) for _ in range(2)], [(200, {"read": 2})] * 2)

    def test_what_is_said_instead(self):
        rows = [
            # a function that fails
            ("STEPLADDER_POLICY=broken", (), 502, "FunctionInvokeExecutionFailed"),
            # one that does not answer in time
            ("SECONDS=60", ("--timeout", "0.2"), 504, "FunctionInvokeExecutionTimeout"),
        ]
        for config, arguments, status, code in rows:
            found, body = self.invoke(self.serve(config, *arguments))
            self.assertEqual((found, body["code"]), (status, code))


if __name__ == "__main__":
    unittest.main()
