"""Forwards what CloudWatch publishes to a topic to the function, as Lambda's SQS event source would.

Makes the topic and a queue that subscribes to it, then hands each message to the function in the
event source's envelope and deletes it when the function has dealt with it. Each line of JSON on
standard output is one reply; the first line, without one, means that everything is in place.
Ends with standard input.
"""

import argparse
import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3

# Longer than any invocation, so that nothing is delivered twice while it is being dealt with.
VISIBILITY_SECONDS = "45"
# Short, because the last one is seen through to its end.
LONG_POLL_SECONDS = 2
INVOCATION_SECONDS = 40
# The queue's own wait is the pace; this is for when the emulators stop before we do.
PAUSE_SECONDS = 1


def subscribed_queue(sns, sqs, topic_arn):
    """The URL and the ARN of a new queue that receives everything that is published to the topic."""
    name = topic_arn.rsplit(":", 1)[1]
    if sns.create_topic(Name=name)["TopicArn"] != topic_arn:
        sys.exit(f"`{topic_arn}` is not a topic that can be made here")
    attributes = {"VisibilityTimeout": VISIBILITY_SECONDS}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return url, arn


def event(message, queue_arn):
    """The envelope around one message."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
    return {"Records": [record]}


def invoke(url, payload):
    """The function's reply and whether it is a function error."""
    request = urllib.request.Request(url, json.dumps(payload).encode())
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=INVOCATION_SECONDS) as answer:
            return json.load(answer), "X-Amz-Function-Error" in answer.headers
    except urllib.error.HTTPError as error:
        # Lambda answers a function error with 200 and a header, `cargo lambda watch` with 500.
        return json.load(error), True


def is_done_with(message, reply, failed):
    """Whether the message need not be delivered again."""
    if failed:
        return False
    again = [one.get("itemIdentifier") for one in reply.get("batchItemFailures") or []]
    return message["MessageId"] not in again


def forward(sqs, queue_url, queue_arn, function_url):
    received = sqs.receive_message(
        QueueUrl=queue_url,
        WaitTimeSeconds=LONG_POLL_SECONDS,
        MessageSystemAttributeNames=["All"],
    )
    for message in received.get("Messages", []):
        reply, failed = invoke(function_url, event(message, queue_arn))
        if is_done_with(message, reply, failed):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        report({"reply": reply, "failed": failed})


def report(line):
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint-url", required=True, help="where SNS and SQS are")
    parser.add_argument("--topic-arn", required=True, help="the topic that alarms notify")
    parser.add_argument("--function-url", required=True, help="where the function is invoked")
    arguments = parser.parse_args()
    # An interrupt from a terminal ends it too, and needs no traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    starter = threading.Thread(target=sys.stdin.buffer.read, daemon=True)
    starter.start()

    region = arguments.topic_arn.split(":")[3]
    session = boto3.Session("test", "test", region_name=region)
    sns = session.client("sns", endpoint_url=arguments.endpoint_url)
    sqs = session.client("sqs", endpoint_url=arguments.endpoint_url)
    url, arn = subscribed_queue(sns, sqs, arguments.topic_arn)
    report({"queue": arn})
    while starter.is_alive():
        try:
            forward(sqs, url, arn, arguments.function_url)
        except Exception as error:  # noqa: BLE001: whatever it is, the queue keeps the message
            print(f"forwarder: {error}", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
