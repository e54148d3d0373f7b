"""Checks topics and subscriptions with the SDK's clients, and deliveries with a small server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import oci
from oci.ons import NotificationControlPlaneClient, NotificationDataPlaneClient
from oci.ons.models import CreateSubscriptionDetails, CreateTopicDetails, MessageDetails

from rig import DEPLOYMENT, NAMESPACE, QUERY, Checks


class Function:
    """A function that answers with the given statuses, then with 200."""

    def __init__(self, *statuses):
        self.calls, left, lock = [], list(statuses), threading.Lock()
        # While it is not set, calls wait for their answer.
        self.answers = threading.Event()
        self.answers.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):
                length = int(handler.headers["content-length"])
                body = handler.rfile.read(length).decode()
                with lock:
                    self.calls.append((handler.path, handler.headers, body))
                    status = left.pop(0) if left else 200
                self.answers.wait()
                handler.send_response(status)
                handler.send_header("content-length", "0")
                handler.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/invoke"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Notifications(Checks):
    def setUp(self):
        super().setUp()
        self.here = self.emulator["compartment"]
        client = self.emulator.client
        self.topics = client(NotificationControlPlaneClient, "notifications")
        self.messages = client(NotificationDataPlaneClient, "notifications")

    def function(self, *statuses):
        function = Function(*statuses)
        self.addCleanup(function.close)
        functions = {self.emulator["function"]: function.url}
        self.control("POST", "/functions", functions=functions)
        return function

    def deliveries(self, count):
        """The attempts to deliver, as soon as there are so many."""

        def found():
            deliveries = self.control("GET", "/deliveries")
            return len(deliveries) >= count and deliveries

        return self.poll(found)

    def publish(self, body="text"):
        details = MessageDetails(body=body)
        return self.messages.publish_message(self.emulator["topic"], details).data.message_id

    def create_topic(self, name="other", **options):
        details = CreateTopicDetails(name=name, compartment_id=self.here)
        return self.topics.create_topic(details, **options)

    def test_a_topic_and_a_subscription_are_ready(self):
        topic = self.topics.get_topic(self.emulator["topic"]).data
        self.assertEqual((topic.name, topic.lifecycle_state), ("stepladder-alarms", "ACTIVE"))
        found = self.messages.get_subscription(self.emulator["subscription"]).data
        self.assertEqual((found.protocol, found.lifecycle_state), ("ORACLE_FUNCTIONS", "ACTIVE"))
        self.assertEqual(found.endpoint, self.emulator["function"])

    def test_topics_are_created_listed_and_deleted(self):
        made = self.create_topic()
        id = made.data.topic_id
        self.assertEqual(self.topics.get_topic(id).headers["etag"], made.headers["etag"])
        listed = self.topics.list_topics
        names = [topic.name for topic in listed(self.here).data]
        self.assertEqual(sorted(names), ["other", "stepladder-alarms"])
        self.assertEqual([one.topic_id for one in listed(self.here, name="other").data], [id])
        self.assertEqual([one.topic_id for one in listed(self.here, id=id).data], [id])
        self.assertEqual(listed(self.here, lifecycle_state="DELETING").data, [])
        self.assertEqual(listed("elsewhere").data, [])
        self.settings(page_size=1, empty_pages=True)
        everything = oci.pagination.list_call_get_all_results(listed, self.here).data
        self.assertEqual(len(everything), 2)
        self.refused(412, "NoEtagMatch", self.topics.delete_topic, id, if_match="stale")
        self.topics.delete_topic(id, if_match=made.headers["etag"])
        self.refused(404, "NotAuthorizedOrNotFound", self.topics.get_topic, id)
        self.refused(404, "NotAuthorizedOrNotFound", self.topics.delete_topic, id)

    def test_topics_have_names_of_their_own(self):
        one = self.create_topic(opc_retry_token="a").data
        self.assertEqual(self.create_topic(opc_retry_token="a").data.topic_id, one.topic_id)
        self.refused(409, "Conflict", self.create_topic)
        self.refused(400, "InvalidParameter", self.create_topic, "with space")
        self.refused(400, "MissingParameter", self.create_topic, None)

    def test_subscriptions_are_created_listed_and_deleted(self):
        topic = self.create_topic().data.topic_id
        create, listed = self.messages.create_subscription, self.messages.list_subscriptions

        def details(**changes):
            details = {"topic_id": topic, "compartment_id": self.here, "protocol": "HTTPS"}
            return CreateSubscriptionDetails(**{**details, "endpoint": "https://x", **changes})

        made = create(details())
        self.assertEqual(made.data.lifecycle_state, "PENDING")
        function = create(details(protocol="ORACLE_FUNCTIONS", endpoint="ocid1.fnfunc"))
        self.assertEqual(function.data.lifecycle_state, "ACTIVE")
        self.assertEqual(len(listed(self.here).data), 3)
        self.assertEqual(len(listed(self.here, topic_id=topic).data), 2)
        policy = listed(self.here).data[0].delivery_policy.backoff_retry_policy
        self.assertEqual(policy.max_retry_duration, 7_200_000)
        delete = self.messages.delete_subscription
        self.refused(412, "NoEtagMatch", delete, made.data.id, if_match="stale")
        delete(made.data.id, if_match=made.headers["etag"])
        self.refused(404, "NotAuthorizedOrNotFound", delete, made.data.id)
        self.refused(400, "InvalidParameter", create, details(protocol="PIGEON"))
        self.refused(400, "MissingParameter", create, details(endpoint=None))
        other = details(topic_id="other")
        self.refused(404, "NotAuthorizedOrNotFound", create, other)
        self.topics.delete_topic(topic)
        self.assertEqual(len(listed(self.here).data), 1)

    def test_a_function_gets_the_bare_message(self):
        function = self.function()
        id = self.publish('{"a": 1}')
        (delivery,) = self.deliveries(1)
        self.assertEqual((delivery["status"], delivery["messageId"]), (200, id))
        ((path, headers, body),) = function.calls
        self.assertEqual((path, body), ("/invoke", '{"a": 1}'))
        self.assertEqual(headers["X-OCI-NS-MessageId"], id)
        self.assertEqual(headers["X-OCI-NS-TopicOcid"], self.emulator["topic"])
        self.assertEqual(headers["X-OCI-NS-TopicName"], "stepladder-alarms")
        self.assertEqual(headers["X-OCI-NS-MessageType"], "RAW_TEXT")
        self.assertIn("X-OCI-NS-UnsubscribeURL", headers)
        self.assertEqual(headers["Content-Type"], "application/json")

    def test_a_message_is_refused(self):
        publish = self.messages.publish_message
        topic = self.emulator["topic"]
        small, large = MessageDetails(body="x"), MessageDetails(body="x" * 65 * 1024)
        self.refused(404, "NotAuthorizedOrNotFound", publish, "other", small)
        self.refused(413, "RequestEntityTooLarge", publish, topic, large)
        self.refused(400, "MissingParameter", publish, topic, MessageDetails(title="x"))

    def test_who_did_not_subscribe_gets_nothing(self):
        function = self.function()
        other = self.create_topic().data.topic_id
        self.messages.publish_message(other, MessageDetails(body="other"))
        self.publish("ours")
        self.deliveries(1)
        self.assertEqual([body for _, _, body in function.calls], ["ours"])

    def test_who_has_not_confirmed_gets_nothing(self):
        function = self.function()
        details = CreateSubscriptionDetails(
            topic_id=self.emulator["topic"],
            compartment_id=self.here,
            protocol="HTTPS",
            endpoint=self.emulator["function"],
        )
        self.messages.create_subscription(details)
        self.publish("first")
        self.deliveries(1)
        self.publish("second")
        self.deliveries(2)
        self.assertEqual([body for _, _, body in function.calls], ["first", "second"])

    def test_a_delivery_ends_with_its_world(self):
        function = self.function()
        function.answers.clear()
        self.publish("old")
        self.poll(lambda: function.calls)
        self.control("POST", "/reset")
        function.answers.set()
        self.control("POST", "/functions", functions={self.emulator["function"]: function.url})
        self.publish("new")
        self.deliveries(1)
        found = [one["body"] for one in self.control("GET", "/deliveries")]
        self.assertEqual(found, ["new"])

    def test_a_message_comes_again_until_it_is_acknowledged(self):
        self.settings(redelivery_minute_seconds=0.01)
        function = self.function(502, 504, 500)
        self.publish()
        found = self.deliveries(4)
        self.assertEqual([one["status"] for one in found], [502, 504, 500, 200])
        self.assertEqual([one["attempt"] for one in found], [1, 2, 3, 4])
        ids = {headers["X-OCI-NS-MessageId"] for _, headers, _ in function.calls}
        self.assertEqual(len(ids), 1)
        waits = [after["start"] - before["end"] for before, after in pairwise(found)]
        # At once, then after one minute and after two.
        self.assertGreaterEqual(waits[1], 0.01)
        self.assertGreaterEqual(waits[2], 0.02)

    def test_a_message_is_given_up_in_the_end(self):
        self.settings(redelivery_minute_seconds=0.0001)
        self.control("POST", "/functions", functions={})
        self.publish()
        # After 0, 1, 2, 4, 8, 16, 32, 32 minutes; another 32 would be more than two hours.
        found = self.deliveries(9)
        self.assertEqual([one["discarded"] for one in found], [False] * 8 + [True])
        self.assertEqual({one["status"] for one in found}, {None})

    def test_a_502_may_acknowledge(self):
        self.settings(acknowledged=[502], redelivery_minute_seconds=0)
        function = self.function(502)
        self.publish("first")
        self.deliveries(1)
        self.publish("second")
        self.deliveries(2)
        self.assertEqual([body for _, _, body in function.calls], ["first", "second"])

    def test_everything_may_come_twice(self):
        for duplicates in ("after", "together"):
            with self.subTest(duplicates):
                self.control("POST", "/reset")
                self.settings(duplicates=duplicates)
                function = self.function()
                id = self.publish()
                self.deliveries(2)
                ids = [headers["X-OCI-NS-MessageId"] for _, headers, _ in function.calls]
                self.assertEqual(ids, [id, id])

    def test_an_alarm_reaches_the_function(self):
        function = self.function()
        client = self.emulator.client(oci.monitoring.MonitoringClient, "monitoring")
        client.create_alarm(
            oci.monitoring.models.CreateAlarmDetails(
                display_name="high",
                compartment_id=self.here,
                metric_compartment_id=self.here,
                namespace=NAMESPACE,
                query=QUERY,
                severity="CRITICAL",
                destinations=[self.emulator["topic"], "ocid1.onstopic.oc1.iad.gone"],
                is_enabled=True,
            )
        )
        dimensions = {"resourceId": DEPLOYMENT, "instanceId": "i1"}
        self.control("POST", "/gauge", name="CpuUtilization", dimensions=dimensions, value=90)
        self.control("POST", "/evaluate")
        self.deliveries(1)
        ((_, headers, body),) = function.calls
        self.assertEqual(json.loads(body)["type"], "OK_TO_FIRING")
        self.assertEqual(headers["X-OCI-NS-MessageType"], "JSON")

    def test_a_test_can_publish_what_it_has(self):
        function = self.function()
        self.control("POST", "/publish", body={"a": 1})
        self.control("POST", "/publish", body="text")
        self.deliveries(2)
        self.assertEqual(sorted(body for _, _, body in function.calls), ["text", '{"a": 1}'])
