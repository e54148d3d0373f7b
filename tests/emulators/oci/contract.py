"""Checks of a function what Fn requires of every function, with the agent's stand-in.

Usage: contract.py COMMAND..., for a function that
- answers any body with JSON,
- fails while STEPLADDER_POLICY is set to BROKEN,
- is out of time when its deadline has passed.
Exits non-zero where the function does otherwise.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from datetime import UTC, datetime
from pathlib import Path

from agent import (
    FRAME,
    FRAME_HEADER,
    IDLE_CONNECTION,
    SOCKET,
    START,
    Agent,
    environment,
    eventually,
)

BROKEN = {"STEPLADDER_POLICY": "this = 'is no policy'"}
EVENT = b'{"some": "event"}'
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Contract(unittest.TestCase):
    command = []

    def start(self, config=None, directory=None):
        agent = Agent(self.command, config, directory)
        self.addCleanup(agent.close)
        agent.start()
        return agent

    def test_what_an_earlier_container_left_is_replaced(self):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        (Path(directory) / SOCKET).symlink_to("phony" + SOCKET)
        (Path(directory) / ("phony" + SOCKET)).touch()
        self.assertEqual(self.start(directory=directory).call(EVENT).status, 200)

    def test_an_answer_is_json_and_names_who_speaks(self):
        answer = self.start().call(EVENT)
        self.assertEqual(answer.status, 200)
        self.assertIsInstance(answer.json(), dict)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertRegex(answer.headers["Fn-Fdk-Version"], r"^[\w-]+/[\w.]+$")

    def test_behind_a_gateway_the_status_is_in_a_header(self):
        function = self.start()
        answer = function.call(EVENT, {"Fn-Intent": "httprequest"})
        self.assertEqual((answer.status, answer.headers["Fn-Http-Status"]), (200, "200"))
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertNotIn("Fn-Http-Status", function.call(EVENT).headers)

    def test_every_body_is_read_to_its_end(self):
        function = self.start()
        rows = [
            # as the agent sends it
            (EVENT, True),
            # with a length that is sent
            (EVENT, False),
            # none at all
            (b"", True),
            (b"", False),
            # in many pieces
            ([EVENT] * 100, True),
            # larger than any alarm
            (b" " * 3_000_000, True),
            (b" " * 3_000_000, False),
        ]
        for body, chunked in rows:
            self.assertEqual(function.call(body, chunked=chunked).status, 200, (body[:20], chunked))

    def test_a_frozen_function_answers_on_the_same_connection(self):
        function = self.start()
        function.call(EVENT)
        eventually(function.frozen, "the function is frozen")
        self.assertEqual(function.call(EVENT).status, 200)
        self.assertEqual(function.connections, 1)

    def test_a_connection_that_was_idle_is_followed_by_another(self):
        function = self.start()
        function.call(EVENT)
        function.answered -= 2 * IDLE_CONNECTION
        self.assertEqual(function.call(EVENT).status, 200)
        self.assertEqual(function.connections, 2)

    def test_a_function_that_fails_is_kept(self):
        function = self.start(BROKEN)
        self.assertEqual([function.call(EVENT).status for _ in range(2)], [502, 502])
        self.assertTrue(function.alive())

    def test_a_function_that_is_late_is_kept(self):
        function = self.start()
        self.assertEqual(function.call(EVENT, deadline=LONG_AGO).status, 504)
        self.assertEqual(function.call(EVENT).status, 200)

    def test_lines_are_framed_in_both_streams(self):
        function = self.start()
        for name in ("first", "second"):
            function.call(EVENT, {FRAME_HEADER: name})
        function.close()
        for stream, printed in function.output.items():
            frames = [line for line in printed.splitlines() if line.startswith(FRAME)]
            self.assertEqual(frames, [f"{FRAME}=first", f"{FRAME}=second"], stream)

    def test_without_a_socket_or_in_another_format_it_does_not_start(self):
        # The variable, its value, and what must be reported.
        rows = [("FN_LISTENER", None, "listener"), ("FN_FORMAT", "json", "format")]
        for name, value, reported in rows:
            found = environment({}, "/nowhere/lsnr.sock")
            del found[name]
            found |= {name: value} if value else {}
            done = subprocess.run(self.command, env=found, capture_output=True, timeout=START)
            self.assertNotEqual(done.returncode, 0, name)
            self.assertIn(reported, done.stderr.decode().lower(), name)


if __name__ == "__main__":
    Contract.command = [os.path.abspath(sys.argv[1]), *sys.argv[2:]]
    unittest.main(argv=sys.argv[:1])
