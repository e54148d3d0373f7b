"""Checks the emulator with the official SDK: all test_*.py beside this file, and its steering.

Run it with the interpreter that has requirements.txt installed; it exits non-zero on failure.
"""

import http.client
import json
import socket
import sys
import threading
import unittest
import urllib.error
from pathlib import Path

sys.dont_write_bytecode = True

from oci.data_science import DataScienceClient  # noqa: E402
from rig import DEPLOYMENT, Checks, Emulator, Raw, deployment  # noqa: E402

CONCURRENT = 500
HOUR = 3600


class Steering(Checks):
    def setUp(self):
        super().setUp()
        self.control("POST", "/deployments", **deployment())
        self.client = self.emulator.client(DataScienceClient, "datascience")

    def get(self):
        return Raw(self.emulator).sign().send()

    def test_requests_are_logged(self):
        etag = self.client.get_model_deployment(DEPLOYMENT).headers["etag"]
        body = {"freeformTags": {"a": "b"}}
        self.client.update_model_deployment(DEPLOYMENT, body, if_match=etag)
        first, second = self.control("GET", "/requests")
        self.assertLess(first["end"], second["start"])
        self.assertLessEqual(first["start"], first["end"])
        self.assertEqual(first["operation"], "GetModelDeployment")
        self.assertEqual(second["operation"], "UpdateModelDeployment")
        self.assertEqual((second["if-match"], second["body"]), (etag, body))
        self.assertEqual((second["status"], second["code"]), (200, None))
        self.control("DELETE", "/requests")
        self.assertEqual(self.control("GET", "/requests"), [])

    def test_calls_can_fail(self):
        fault = {"operation": "GetModelDeployment", "status": 429, "times": 2, "skip": 1}
        self.control("POST", "/fail", **fault)
        self.assertEqual([self.get()[0] for _ in range(4)], [200, 429, 429, 200])
        found = [entry["code"] for entry in self.control("GET", "/requests")]
        self.assertEqual(found, [None, "TooManyRequests", "TooManyRequests", None])
        self.control("POST", "/fail", operation="GetModelDeployment", code="Odd", message="why")
        self.assertEqual(self.get()[::2], (503, {"code": "Odd", "message": "why"}))
        self.control("POST", "/fail", operation="GetModelDeployment", times=5)
        self.control("POST", "/fail", operation="GetModelDeployment", times=0)
        self.assertEqual(self.get()[0], 200)

    def test_a_connection_can_close_with_the_call_done_or_not(self):
        def state():
            return self.control("GET", "/state")["deployments"][DEPLOYMENT]["document"]

        body = b'{"freeformTags": {"a": "b"}}'
        for after, tags in ((False, {"team": "forecast"}), (True, {"a": "b"})):
            fault = {"operation": "UpdateModelDeployment", "close": True, "after": after}
            self.control("POST", "/fail", **fault)
            with self.assertRaises(ConnectionError):
                Raw(self.emulator, "PUT", body=body).sign().send()
            self.assertEqual(state()["freeformTags"], tags)
            self.assertEqual(self.control("GET", "/requests")[-1]["status"], 0)

    def test_a_call_can_be_done_and_yet_answer_an_error(self):
        fault = {"operation": "UpdateModelDeployment", "status": 500, "after": True}
        self.control("POST", "/fail", **fault)
        request = Raw(self.emulator, "PUT", body=b'{"freeformTags": {"a": "b"}}')
        self.assertEqual(request.sign().send()[0], 500)
        document = self.control("GET", "/state")["deployments"][DEPLOYMENT]["document"]
        self.assertEqual(document["freeformTags"], {"a": "b"})

    def seconds(self):
        """How long a call takes at the least; one that hangs for an hour would not come back."""
        self.assertEqual(self.get()[0], 200)
        entry = self.control("GET", "/requests")[-1]
        return entry["end"] - entry["start"]

    def test_calls_can_hang(self):
        self.control("POST", "/fail", operation="GetModelDeployment", hang=0.3)
        self.assertGreaterEqual(self.seconds(), 0.3)
        self.control("POST", "/fail", operation="GetModelDeployment", hang=HOUR, status=503)
        with self.assertRaises(TimeoutError):
            Raw(self.emulator).sign().send(timeout=0.3)
        self.seconds()

    def test_calls_can_be_slow(self):
        self.control("POST", "/delay", seconds=0.3)
        self.assertGreaterEqual(self.seconds(), 0.3)
        self.control("POST", "/delay", seconds=HOUR)
        self.control("POST", "/delay", seconds=0)
        self.control("POST", "/delay", seconds=HOUR, operation="ListAlarms")
        self.seconds()
        self.control("POST", "/delay", seconds=0.3, operation="GetModelDeployment")
        self.assertGreaterEqual(self.seconds(), 0.3)

    def test_an_operation_can_be_denied(self):
        self.control("POST", "/deny", operation="GetModelDeployment")
        status, _, body = self.get()
        self.assertEqual((status, body["code"]), (404, "NotAuthorizedOrNotFound"))
        self.control("POST", "/deny", operation="GetModelDeployment", denied=False)
        self.assertEqual(self.get()[0], 200)

    def test_what_is_no_operation_is_not_found(self):
        for method, path in (
            ("GET", "/20190101/models"),
            ("GET", "/20180401/alarms"),
            ("DELETE", f"/20190101/modelDeployments/{DEPLOYMENT}"),
        ):
            status, _, body = Raw(self.emulator, method, path=path).sign().send()
            self.assertEqual((status, body["code"]), (404, "NotAuthorizedOrNotFound"))
            self.assertIsNone(self.control("GET", "/requests")[-1]["operation"])

    def test_a_reset_forgets_everything(self):
        self.settings(page_size=1)
        self.get()
        self.control("POST", "/deny", operation="GetModelDeployment")
        self.control("POST", "/reset")
        self.assertEqual(self.control("GET", "/settings")["page_size"], 100)
        self.assertEqual(self.control("GET", "/settings")["update_seconds"], 0.3)
        self.assertEqual(self.control("GET", "/requests"), [])
        self.assertEqual(self.control("GET", "/state")["deployments"], {})
        self.control("POST", "/deployments", **deployment())
        self.assertEqual(self.get()[0], 200)

    def test_connections_are_closed_on_request(self):
        connection = http.client.HTTPConnection(self.emulator["datascience"].removeprefix("http://"))
        self.addCleanup(connection.close)
        connection.request("GET", "/")
        connection.getresponse().read()
        self.control("POST", "/hang-up")
        with self.assertRaises(ConnectionError):
            connection.request("GET", "/")
            connection.getresponse()

    def test_the_control_server_knows_what_it_takes(self):
        for status, method, path, arguments in (
            (404, "GET", "/nothing", {}),
            (404, "POST", "/finish", {"id": "other"}),
            (404, "DELETE", "/deployments", {"id": "other"}),
            (404, "DELETE", "/alarms", {"id": "other"}),
            (404, "POST", "/publish", {"body": "x", "topic": "other"}),
            (400, "POST", "/finish", {"other": 1}),
            (400, "POST", "/settings", {"other": 1}),
            (400, "POST", "/settings", {"tags_only": "never"}),
            (400, "POST", "/rotate", {"write": "never"}),
            (400, "POST", "/fail-update", {"id": DEPLOYMENT, "state": "FAILED"}),
            (400, "POST", "/alarms", {"displayName": "nothing else"}),
        ):
            with self.subTest(path=path, arguments=arguments):
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    self.control(method, path, **arguments)
                self.assertEqual(caught.exception.code, status)
                self.assertIn("error", json.load(caught.exception))
        self.control("DELETE", "/deployments", id=DEPLOYMENT)
        self.assertEqual(self.get()[0], 404)

    def test_many_come_at_once_and_one_wins(self):
        # Enough to copy that two at a time would meet half-way.
        tags = {f"tag{at}": "x" for at in range(20_000)}
        self.control("POST", "/deployments", **deployment(freeformTags=tags))
        etag = self.get()[1]["etag"]
        statuses, start = [], threading.Barrier(CONCURRENT)

        def update(number):
            body = json.dumps({"freeformTags": {"by": str(number)}}).encode()
            request = Raw(self.emulator, "PUT", body=body)
            request.headers["if-match"] = etag
            request.sign()
            start.wait()
            statuses.append(request.send()[0])

        threads = [threading.Thread(target=update, args=(at,)) for at in range(CONCURRENT)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200] + [412] * (CONCURRENT - 1))
        self.assertEqual(len(self.emulator.requests("UpdateModelDeployment")), CONCURRENT)

    def test_a_connection_serves_many_requests(self):
        connection = http.client.HTTPConnection(self.emulator["datascience"][7:])
        for _ in range(3):
            request = Raw(self.emulator).sign()
            connection.request("GET", request.path, headers=request.headers)
            response = connection.getresponse()
            response.read()
            self.assertEqual((response.status, response.will_close), (200, False))
        connection.close()


class Process(unittest.TestCase):
    def test_it_ends_with_standard_input_and_leaves_nothing(self):
        emulator = Emulator()
        directory = Path(emulator["rpst"]).parent
        self.assertTrue(directory.exists())
        self.assertEqual(emulator.close(), 0)
        self.assertFalse(directory.exists())
        host, port = emulator["control"][7:].split(":")
        with self.assertRaises(OSError):
            socket.create_connection((host, int(port)))

    def test_it_ends_on_a_signal(self):
        emulator = Emulator()
        emulator.process.terminate()
        self.assertEqual(emulator.process.wait(10), 0)
        emulator.close()


def load_tests(loader, tests, pattern):
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path != Path(__file__):
            tests.addTests(loader.loadTestsFromName(path.stem))
    return tests


if __name__ == "__main__":
    unittest.main()
