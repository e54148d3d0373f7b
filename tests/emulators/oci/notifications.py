"""Notifications: topics, subscriptions, and the delivery of messages to functions.

A function acknowledges a message by a 2xx. Without one the message comes again at once, then after
1, 2, 4, 8, 16, 32, 32… minutes, until two hours are over; the setting redelivery_minute_seconds
sets how long such a minute takes.
"""

import copy
import http.client
import itertools
import json
import re
import secrets
import threading
import time
import uuid
from urllib.parse import urlsplit

from server import Answer, Refusal
from service import not_found
from world import RetryTokens, expect_etag, in_order, iso, ocid, required

PROTOCOLS = (
    "CUSTOM_HTTPS",
    "EMAIL",
    "HTTPS",
    "ORACLE_FUNCTIONS",
    "PAGERDUTY",
    "SLACK",
    "SMS",
)
LARGEST_MESSAGE = 64 * 1024
RETRY_MINUTES = 120
LONGEST_WAIT_MINUTES = 32
# As long as a function may take at most.
INVOKE_SECONDS = 300
TOPIC = "ocid1.onstopic.oc1.iad.emulator"
SUBSCRIPTION = "ocid1.onssubscription.oc1.iad.emulator"


def waits():
    """Minutes to wait before each redelivery."""
    yield 0
    wait = 1
    while True:
        yield wait
        wait = min(2 * wait, LONGEST_WAIT_MINUTES)


class Notifications:
    def __init__(self, world, compartment, function):
        self.world, self.compartment, self.function = world, compartment, function
        self.over = threading.Event()
        self.reset()

    def reset(self):
        # Deliveries under way end with the world they began in.
        self.over.set()
        self.over = threading.Event()
        self.topics, self.subscriptions = {}, {}
        self.functions, self.deliveries = {}, []
        self.topic_tokens, self.subscription_tokens = RetryTokens(), RetryTokens()
        ready = {"name": "stepladder-alarms", "compartmentId": self.compartment}
        self.new_topic(ready, TOPIC)
        subscription = {"topicId": TOPIC, "protocol": "ORACLE_FUNCTIONS"}
        subscription |= {"endpoint": self.function, "compartmentId": self.compartment}
        self.new_subscription(subscription, SUBSCRIPTION)

    def routes(self):
        return [
            ("POST", "/topics", "CreateTopic", self.create_topic),
            ("GET", "/topics", "ListTopics", self.list_topics),
            ("GET", "/topics/{id}", "GetTopic", self.get_topic),
            ("DELETE", "/topics/{id}", "DeleteTopic", self.delete_topic),
            ("POST", "/topics/{id}/messages", "PublishMessage", self.publish_message),
            ("POST", "/subscriptions", "CreateSubscription", self.create_subscription),
            ("GET", "/subscriptions", "ListSubscriptions", self.list_subscriptions),
            ("GET", "/subscriptions/{id}", "GetSubscription", self.get_subscription),
            ("DELETE", "/subscriptions/{id}", "DeleteSubscription", self.delete_subscription),
        ]

    def create_topic(self, request):
        details = request.details()
        for name in ("name", "compartmentId"):
            if not details.get(name):
                raise Refusal(400, "MissingParameter", f"expected `{name}`")
        if not re.fullmatch(r"[\w-]{1,256}", details["name"], re.ASCII):
            raise Refusal(400, "InvalidParameter", f"the name `{details['name']}` is not allowed")

        def create():
            if any(one["name"] == details["name"] for one in self.topics.values()):
                raise Refusal(409, "Conflict", f"there is a topic `{details['name']}` already")
            return self.new_topic(details, ocid("onstopic"))

        return described(self.topics[self.topic_tokens.once(request, self.topics, create)])

    def new_topic(self, details, id):
        self.topics[id] = {
            "freeformTags": {},
            "definedTags": {},
            "description": None,
            **details,
            "topicId": id,
            "shortTopicId": id.rsplit(".", 1)[-1][:8],
            "lifecycleState": "ACTIVE",
            "timeCreated": iso(time.time()),
            "etag": secrets.token_hex(8),
            "apiEndpoint": "https://notification.us-ashburn-1.oci.oraclecloud.com",
        }
        return id

    def list_topics(self, request):
        query = request.query
        wanted = {"compartmentId": required(query, "compartmentId")}
        names = (("id", "topicId"), ("name", "name"), ("lifecycleState", "lifecycleState"))
        wanted |= {field: query[name] for name, field in names if name in query}
        fields = {"TIMECREATED": "timeCreated", "LIFECYCLESTATE": "lifecycleState"}
        by = query.get("sortBy", "TIMECREATED")
        if by not in fields:
            raise Refusal(400, "InvalidParameter", f"cannot sort by `{by}`")
        found = in_order(having(self.topics, wanted), {**query, "sortBy": fields[by]}, None)
        return self.world.page(request, found)

    def get_topic(self, request, id):
        return described(known(self.topics, id))

    def delete_topic(self, request, id):
        expect_etag(request, known(self.topics, id)["etag"])
        del self.topics[id]
        left = {key: one for key, one in self.subscriptions.items() if one["topicId"] != id}
        self.subscriptions = left
        return Answer(204)

    def create_subscription(self, request):
        details = request.details()
        for name in ("topicId", "compartmentId", "protocol", "endpoint"):
            if not details.get(name):
                raise Refusal(400, "MissingParameter", f"expected `{name}`")
        if details["protocol"] not in PROTOCOLS:
            raise Refusal(400, "InvalidParameter", f"no protocol `{details['protocol']}`")
        known(self.topics, details["topicId"])
        id = self.subscription_tokens.once(
            request,
            self.subscriptions,
            lambda: self.new_subscription(details, ocid("onssubscription")),
        )
        return described(self.subscriptions[id])

    def new_subscription(self, details, id):
        # A function needs no confirmation; everyone else would get one by the protocol.
        confirmed = details["protocol"] == "ORACLE_FUNCTIONS"
        policy = {"policyType": "EXPONENTIAL", "maxRetryDuration": RETRY_MINUTES * 60_000}
        self.subscriptions[id] = {
            "freeformTags": {},
            "definedTags": {},
            **details,
            "id": id,
            "lifecycleState": "ACTIVE" if confirmed else "PENDING",
            "createdTime": int(time.time() * 1000),
            "deliverPolicy": json.dumps({"backoffRetryPolicy": policy}),
            "etag": secrets.token_hex(8),
        }
        return id

    def list_subscriptions(self, request):
        query = request.query
        wanted = {"compartmentId": required(query, "compartmentId")}
        if "topicId" in query:
            wanted["topicId"] = query["topicId"]
        found = []
        for one in having(self.subscriptions, wanted):
            one["deliveryPolicy"] = json.loads(one.pop("deliverPolicy"))
            found.append(one)
        return self.world.page(request, found)

    def get_subscription(self, request, id):
        return described(known(self.subscriptions, id))

    def delete_subscription(self, request, id):
        expect_etag(request, known(self.subscriptions, id)["etag"])
        del self.subscriptions[id]
        return Answer(204)

    def publish_message(self, request, id):
        details = request.details()
        if not details.get("body"):
            raise Refusal(400, "MissingParameter", "expected `body`")
        if len(details["body"].encode()) > LARGEST_MESSAGE:
            raise Refusal(413, "RequestEntityTooLarge", "the message is larger than 64 KB")
        known(self.topics, id)
        kind = request.headers.get("messageType", "RAW_TEXT")
        message = self.publish(id, details["body"], kind)
        return Answer(202, {"messageId": message, "timeStamp": iso(time.time())})

    def publish(self, topic, text, kind="JSON"):
        """Sends a message to all functions that are subscribed to a topic; returns its id."""
        if topic not in self.topics:
            raise LookupError(f"no topic {topic}")
        id = str(uuid.uuid4())
        for subscription in self.subscriptions.values():
            active = subscription["lifecycleState"] == "ACTIVE"
            if subscription["topicId"] == topic and active:
                self.send(id, topic, subscription, text, kind)
        return id

    def set_functions(self, functions):
        """Where functions listen, by their OCIDs."""
        self.functions = dict(functions)

    def publish_behind(self, body, topic=TOPIC):
        """Publishes what a test has at hand, a text or JSON values, without a signed request."""
        text = body if isinstance(body, str) else json.dumps(body)
        return {"messageId": self.publish(topic, text)}

    def send(self, id, topic, subscription, text, kind):
        headers = {
            "Content-Type": "application/json",
            "X-OCI-NS-MessageId": id,
            "X-OCI-NS-TopicOcid": topic,
            "X-OCI-NS-TopicName": self.topics[topic]["name"],
            "X-OCI-NS-MessageType": kind,
            "X-OCI-NS-UnsubscribeURL": f"https://unsubscribe.invalid/{subscription['id']}",
        }
        delivery = Delivery(self, subscription, headers, text)
        duplicates = self.world.settings["duplicates"]
        for _ in range(2 if duplicates == "together" else 1):
            again = duplicates == "after"
            threading.Thread(target=delivery.run, args=(again,), daemon=True).start()


class Delivery:
    """One message on its way to one function, for as many attempts as it takes."""

    def __init__(self, notifications, subscription, headers, text):
        self.notifications, self.subscription = notifications, subscription
        self.headers, self.body = headers, text.encode()
        self.over, self.settings = notifications.over, notifications.world.settings

    def run(self, again):
        if self.deliver() and again:
            self.deliver()

    def deliver(self):
        """Attempts until it is acknowledged; False where it is given up."""
        minute, waited = self.settings["redelivery_minute_seconds"], 0
        for number, wait in zip(itertools.count(1), waits()):
            entry = self.attempt(number)
            if self.acknowledged(entry["status"]):
                self.note(entry)
                return True
            waited += wait
            entry["discarded"] = waited > RETRY_MINUTES
            self.note(entry)
            if entry["discarded"] or self.over.wait(wait * minute):
                return False

    def acknowledged(self, status):
        return status is not None and (200 <= status < 300 or self.also_acknowledged(status))

    def also_acknowledged(self, status):
        return status in self.settings["acknowledged"]

    def attempt(self, number):
        entry = {
            "messageId": self.headers["X-OCI-NS-MessageId"],
            "topicId": self.subscription["topicId"],
            "subscriptionId": self.subscription["id"],
            "endpoint": self.subscription["endpoint"],
            "body": self.body.decode(),
            "attempt": number,
            "start": time.monotonic(),
            "discarded": False,
        }
        entry["status"], entry["answer"] = self.invoke()
        return {**entry, "end": time.monotonic()}

    def invoke(self):
        """The status and body of the function's answer; None and what went wrong without one."""
        url = self.notifications.functions.get(self.subscription["endpoint"])
        if url is None:
            return None, "no URL is set for the function"
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=INVOKE_SECONDS)
        try:
            connection.request("POST", parts.path or "/", self.body, self.headers)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return None, repr(error)
        finally:
            connection.close()

    def note(self, entry):
        with self.notifications.world.lock:
            if not self.over.is_set():
                self.notifications.deliveries.append(entry)


def known(resources, id):
    if id not in resources:
        raise not_found()
    return resources[id]


def described(resource):
    return Answer(200, copy.deepcopy(resource), {"etag": resource["etag"]})


def having(resources, wanted):
    """Copies of the resources that have the wanted members."""
    return [
        copy.deepcopy(one)
        for one in resources.values()
        if all(one.get(name) == value for name, value in wanted.items())
    ]
