"""Checks alarms, metric data and the evaluation with the SDK's own client."""

import json
import unittest
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import oci
from oci.monitoring import MonitoringClient
from oci.monitoring.models import (
    CreateAlarmDetails,
    Datapoint,
    MetricDataDetails,
    PostMetricDataDetails,
    SummarizeMetricsDataDetails,
    Suppression,
    UpdateAlarmDetails,
)

import mql
from rig import DEADLINE_SECONDS, DEPLOYMENT, NAMESPACE, QUERY, Checks, Emulator

CPU = f'CpuUtilization[1m]{{resourceId = "{DEPLOYMENT}"}}'
MEAN = f"{CPU}.groupBy(resourceId).mean()"


def first(dimension="i1"):
    return {"resourceId": DEPLOYMENT, "instanceId": dimension}


class Monitoring(Checks):
    def setUp(self):
        super().setUp()
        self.here = self.emulator["compartment"]
        self.client = self.emulator.client(MonitoringClient, "monitoring")

    def details(self, **changes):
        details = {
            "display_name": "model_deployment_high_cpu",
            "compartment_id": self.here,
            "metric_compartment_id": self.here,
            "namespace": NAMESPACE,
            "query": QUERY,
            "severity": "CRITICAL",
            "destinations": [self.emulator["topic"]],
            "is_enabled": True,
            **changes,
        }
        return CreateAlarmDetails(**details)

    def create(self, **changes):
        return self.client.create_alarm(self.details(**changes)).data


class Alarms(Monitoring):
    def test_an_alarm_is_created_read_changed_and_deleted(self):
        made = self.client.create_alarm(self.details(freeform_tags={"owner": "us"}))
        alarm = made.data
        self.assertEqual((alarm.pending_duration, alarm.resolution), ("PT1M", "1m"))
        self.assertEqual((alarm.lifecycle_state, alarm.freeform_tags), ("ACTIVE", {"owner": "us"}))
        found = self.client.get_alarm(alarm.id)
        self.assertEqual((found.data, found.headers["etag"]), (alarm, made.headers["etag"]))
        changed = self.client.update_alarm(
            alarm.id, UpdateAlarmDetails(severity="INFO"), if_match=made.headers["etag"]
        )
        self.assertEqual((changed.data.severity, changed.data.query), ("INFO", QUERY))
        self.assertEqual(changed.data.freeform_tags, {"owner": "us"})
        self.assertNotEqual(changed.headers["etag"], made.headers["etag"])
        stale = {"if_match": made.headers["etag"]}
        self.refused(412, "NoEtagMatch", self.client.update_alarm, alarm.id, {}, **stale)
        self.refused(412, "NoEtagMatch", self.client.delete_alarm, alarm.id, **stale)
        deleted = self.client.delete_alarm(alarm.id, if_match=changed.headers["etag"])
        self.assertEqual(deleted.status, 204)
        for action in (self.client.get_alarm, self.client.delete_alarm):
            self.refused(404, "NotAuthorizedOrNotFound", action, alarm.id)
        self.refused(404, "NotAuthorizedOrNotFound", self.client.update_alarm, alarm.id, {})

    def test_a_member_that_is_sent_as_null_is_taken_back(self):
        alarm = self.create(body="text", pending_duration="PT5M")
        cleared = {"body": None, "pendingDuration": None}
        # The SDK's models leave nulls out, so the body goes as it is.
        changed = self.client.base_client.call_api(
            resource_path="/alarms/{alarmId}",
            method="PUT",
            path_params={"alarmId": alarm.id},
            header_params={"accept": "application/json", "content-type": "application/json"},
            body=cleared,
            response_type="Alarm",
        ).data
        self.assertEqual((changed.body, changed.pending_duration), (None, "PT1M"))

    def test_an_alarm_needs_its_members(self):
        for name in (
            "display_name",
            "compartment_id",
            "metric_compartment_id",
            "namespace",
            "query",
            "severity",
            "destinations",
            "is_enabled",
        ):
            with self.subTest(name):
                details = self.details(**{name: None})
                self.refused(400, "MissingParameter", self.client.create_alarm, details)
        details = self.details(destinations=[])
        self.refused(400, "MissingParameter", self.client.create_alarm, details)

    def test_an_alarm_is_what_it_may_be(self):
        wrong = (
            {"pending_duration": "PT0M"},
            {"pending_duration": "PT61M"},
            {"pending_duration": "5m"},
            {"repeat_notification_duration": "P31D"},
            {"evaluation_slack_duration": "PT2M"},
            {"query": "CpuUtilization > 80"},
        )
        for changes in wrong:
            with self.subTest(changes):
                details = self.details(**changes)
                self.refused(400, "InvalidParameter", self.client.create_alarm, details)
        # The SDK's own models would not let these pass.
        for name, value in (
            ("severity", "LOUD"),
            ("messageFormat", "XML"),
            ("isEnabled", "yes"),
            ("destinations", "topic"),
        ):
            with self.subTest(name):
                alarm = self.create()
                body = {name: value}
                self.refused(400, "InvalidParameter", self.client.update_alarm, alarm.id, body)
        for changes in (
            {"pending_duration": "PT1H"},
            {"repeat_notification_duration": "P30D"},
            {"evaluation_slack_duration": "PT2H"},
        ):
            self.create(**changes)

    def test_a_retry_token_makes_one_alarm(self):
        def create(token, **changes):
            details = self.details(**changes)
            return self.client.create_alarm(details, opc_retry_token=token).data

        one = create("a")
        self.assertEqual(create("a").id, one.id)
        self.assertNotEqual(create("b").id, one.id)
        self.assertEqual(len(self.client.list_alarms(self.here).data), 2)
        token = {"opc_retry_token": "a"}
        other = self.details(severity="INFO")
        self.refused(400, "InvalidParameter", self.client.create_alarm, other, **token)
        self.client.delete_alarm(one.id)
        same = self.details()
        self.refused(409, "InvalidatedRetryToken", self.client.create_alarm, same, **token)
        tokens = [entry["opc-retry-token"] for entry in self.emulator.requests("CreateAlarm")]
        self.assertEqual(tokens, ["a", "a", "b", "a", "a"])

    def test_lists_filter_sort_and_page(self):
        for name, severity in (("b", "INFO"), ("a", "ERROR"), ("c", "WARNING")):
            self.create(display_name=name, severity=severity)
        self.create(display_name="d", compartment_id="elsewhere")
        listed = self.client.list_alarms

        def names(*arguments, **options):
            return [alarm.display_name for alarm in listed(*arguments, **options).data]

        for expected, options in (
            ("abc", {}),
            ("cba", {"sort_order": "DESC"}),
            ("abc", {"sort_by": "severity"}),
            ("b", {"display_name": "b"}),
            ("", {"display_name": "B"}),
            ("", {"lifecycle_state": "DELETED"}),
        ):
            with self.subTest(options):
                self.assertEqual("".join(names(self.here, **options)), expected)
        tenancy = self.emulator["tenancy"]
        self.assertEqual(names(tenancy), [])
        self.assertEqual(names(tenancy, compartment_id_in_subtree=True), list("abcd"))
        subtree = {"compartment_id_in_subtree": True}
        self.refused(400, "InvalidParameter", listed, self.here, **subtree)
        self.assertEqual(listed(self.here).data[0].query, QUERY)
        for settings, calls in (
            ({"page_size": 2}, 2),
            # An empty page before each of the three.
            ({"page_size": 1, "empty_pages": True}, 6),
        ):
            self.settings(**settings)
            self.control("DELETE", "/requests")
            everything = oci.pagination.list_call_get_all_results(listed, self.here).data
            self.assertEqual([alarm.display_name for alarm in everything], list("abc"))
            self.assertEqual(len(self.emulator.requests("ListAlarms")), calls)
        empty = listed(self.here)
        self.assertEqual((empty.data, empty.has_next_page), ([], True))

    def test_a_list_needs_a_compartment(self):
        call = {"resource_path": "/alarms", "method": "GET", "response_type": "list[AlarmSummary]"}
        headers = {"accept": "application/json"}
        action = self.client.base_client.call_api
        self.refused(400, "MissingParameter", action, header_params=headers, **call)

    def test_calls_may_be_throttled(self):
        self.settings(alarm_calls_per_second=2)
        self.client.list_alarms(self.here)
        self.client.list_alarms(self.here)
        self.refused(429, "TooManyRequests", self.client.list_alarms, self.here)
        self.settings(alarm_calls_per_second=None)
        self.client.list_alarms(self.here)


class Measured(Monitoring):
    def gauge(self, value, instance="i1", name="CpuUtilization"):
        self.control("POST", "/gauge", name=name, dimensions=first(instance), value=value)

    def evaluate(self, times=1):
        """The types of the messages that these minutes bring."""
        self.messages = self.control("POST", "/evaluate", times=times)
        return [sent["type"] for sent in self.messages]

    def message(self):
        return json.loads(self.messages[-1]["message"])

    def entry(self):
        return self.message()["alarmMetaData"][0]

    def post(self, values, ago=0, namespace="custom", atomicity="NON_ATOMIC"):
        moment = datetime.now(UTC) - timedelta(seconds=ago)
        points = [Datapoint(timestamp=moment, value=value) for value in values]
        metric = MetricDataDetails(
            namespace=namespace,
            compartment_id=self.here,
            name="Load",
            dimensions={"resourceId": "x"},
            datapoints=points,
        )
        details = PostMetricDataDetails(metric_data=[metric], batch_atomicity=atomicity)
        return self.client.post_metric_data(details).data


class Evaluation(Measured):
    def test_an_alarm_fires_and_clears_once(self):
        alarm = self.create(body="text", freeform_tags={"a": "b"})
        self.assertEqual(self.evaluate(), [])
        self.gauge(80)
        self.assertEqual(self.evaluate(), [])
        self.gauge(92)
        self.assertEqual(self.evaluate(3), ["OK_TO_FIRING"])
        status = self.client.list_alarms_status(self.here).data[0]
        self.assertEqual((status.id, status.status), (alarm.id, "FIRING"))
        self.gauge(80)
        self.assertEqual(self.evaluate(3), ["FIRING_TO_OK"])
        self.assertEqual(self.client.list_alarms_status(self.here).data[0].status, "OK")

    def test_messages_are_as_monitoring_writes_them(self):
        alarm = self.create(body="text")
        self.gauge(92)
        before = datetime.now(UTC)
        self.evaluate()
        message = self.message()
        (entry,) = message["alarmMetaData"]
        self.assertEqual(
            list(message),
            [
                "dedupeKey",
                "title",
                "body",
                "type",
                "severity",
                "timestampEpochMillis",
                "timestamp",
                "alarmMetaData",
                "notificationType",
                "version",
            ],
        )
        self.assertEqual(message["title"], "model_deployment_high_cpu")
        self.assertEqual((message["body"], message["severity"]), ("text", "CRITICAL"))
        self.assertEqual(message["version"], 1.5)
        self.assertEqual(message["notificationType"], "Grouped messages across metric streams")
        late = message["timestampEpochMillis"] / 1000 - before.timestamp()
        self.assertTrue(-0.01 <= late < DEADLINE_SECONDS)
        self.assertRegex(message["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual((entry["id"], entry["status"]), (alarm.id, "FIRING"))
        self.assertEqual((entry["namespace"], entry["query"]), (NAMESPACE, QUERY))
        self.assertEqual(entry["totalMetricsFiring"], 1)
        self.assertEqual(entry["dimensions"], [{"resourceId": DEPLOYMENT}])
        self.assertEqual(entry["metricValues"], [{f"{CPU}.groupBy(resourceId).mean()": "92"}])
        self.gauge(1.256)
        self.evaluate()
        self.assertEqual(self.message()["dedupeKey"], message["dedupeKey"])
        self.assertEqual((self.entry()["status"], self.entry()["totalMetricsFiring"]), ("OK", 0))
        self.assertEqual(list(self.entry()["metricValues"][0].values()), ["1.26"])

    def test_a_message_has_the_words_of_its_alarm(self):
        self.create(notification_title="hot", alarm_summary="very", message_format="PRETTY_JSON")
        self.gauge(92)
        self.evaluate()
        self.assertEqual((self.message()["title"], self.entry()["alarmSummary"]), ("hot", "very"))
        self.assertNotIn("body", self.message())
        self.assertIn("\n", self.messages[0]["message"])

    def test_ocids_may_be_in_upper_case(self):
        self.settings(uppercase_ocids=True)
        self.create()
        self.gauge(92)
        self.evaluate()
        self.assertEqual(self.entry()["dimensions"], [{"resourceId": DEPLOYMENT.upper()}])

    def test_a_breach_must_last_for_the_pending_duration(self):
        self.create(pending_duration="PT3M")
        self.gauge(92)
        self.assertEqual(self.evaluate(2), [])
        self.gauge(10)
        self.evaluate()
        self.gauge(92)
        self.assertEqual(self.evaluate(2), [])
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])

    def test_a_minute_without_data_is_no_breach(self):
        self.create(pending_duration="PT2M")
        for value in (92, None, 92):
            self.gauge(value)
            self.assertEqual(self.evaluate(), [])
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])

    def test_a_stream_that_comes_back_in_time_fires_on(self):
        self.create()
        self.gauge(92)
        self.evaluate()
        for _ in range(2):
            self.gauge(None)
            self.assertEqual(self.evaluate(12), [])
            self.gauge(92)
            self.assertEqual(self.evaluate(), [])

    def test_a_message_is_repeated(self):
        self.create(repeat_notification_duration="PT2M")
        self.gauge(92)
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])
        self.assertEqual(self.evaluate(), [])
        self.assertEqual(self.evaluate(), ["REPEAT"])
        self.assertEqual(self.entry()["status"], "FIRING")
        self.assertEqual(self.evaluate(4), ["REPEAT", "REPEAT"])
        self.gauge(10)
        self.assertEqual(self.evaluate(4), ["FIRING_TO_OK"])

    def test_a_stream_that_is_gone_is_reset(self):
        self.create(repeat_notification_duration="PT5M")
        self.gauge(92)
        self.evaluate()
        self.gauge(None)
        self.assertEqual(self.evaluate(12), ["REPEAT", "REPEAT"])
        self.assertEqual(self.evaluate(), ["RESET"])
        self.assertEqual(self.entry()["status"], "OK")
        self.assertEqual(self.evaluate(20), [])

    def test_when_a_stream_is_reset_can_be_set(self):
        self.settings(reset_minutes=1)
        self.create(evaluation_slack_duration="PT4M")
        self.gauge(92)
        self.evaluate()
        self.gauge(None)
        self.assertEqual(self.evaluate(4), [])
        self.assertEqual(self.evaluate(), ["RESET"])

    def test_a_window_slides(self):
        self.create(query=QUERY.replace("[1m]", "[3m]"))
        self.gauge(100)
        self.assertEqual(self.evaluate(3), ["OK_TO_FIRING"])
        self.gauge(70)
        # (100 + 100 + 70) / 3 breaches, (100 + 70 + 70) / 3 does not.
        self.assertEqual(self.evaluate(), [])
        self.assertEqual(self.evaluate(), ["FIRING_TO_OK"])

    def test_streams_are_grouped_or_not(self):
        for query, firing in (
            (f"{CPU}.mean() > 80", [first("i1")]),
            (f"{CPU}.groupBy(resourceId).mean() > 80", []),
            (f"{CPU}.grouping().mean() > 40", [{}]),
            (f"{CPU}.groupBy(resourceId).max() > 80", [{"resourceId": DEPLOYMENT}]),
            ("CpuUtilization[1m].groupBy(instanceId).min() < 20", [{"instanceId": "i2"}]),
            ('CpuUtilization[1m]{instanceId = "i2"}.mean() < 20', [first("i2")]),
            (f'{CPU[:-1]}, instanceId =~ "x|i?"}}.sum() == 10', [first("i2")]),
            (f"{CPU}.grouping().count() >= 2", [{}]),
            (f"{CPU}.grouping().percentile(0.9) >= 90", [{}]),
            ('CpuUtilization[1m]{resourceId = "other"}.mean() > 1', []),
            ("MemoryUtilization[1m].mean() > 1", []),
            ("CpuUtilization[1m].mean() != 90", [first("i2")]),
            # OCIDs come in either case, and what a stream has not is not unequal either.
            (f"{CPU.replace(DEPLOYMENT, DEPLOYMENT.upper())}.mean() > 80", [first("i1")]),
            ('CpuUtilization[1m]{nothing != "x"}.mean() > 80', []),
            ('CpuUtilization[1m]{instanceId != "i2"}.mean() > 80', [first("i1")]),
        ):
            with self.subTest(query):
                self.control("POST", "/reset")
                self.create(query=query)
                self.gauge(90, "i1")
                self.gauge(10, "i2")
                self.assertEqual(self.evaluate(), ["OK_TO_FIRING"] if firing else [])
                if firing:
                    self.assertEqual(self.entry()["dimensions"], firing)

    def test_a_grouped_message_is_for_all_streams(self):
        self.create(query=f"{CPU}.mean() > 80")
        self.gauge(90, "i1")
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])
        self.gauge(90, "i2")
        self.assertEqual(self.evaluate(), [])
        self.gauge(10, "i1")
        self.assertEqual(self.evaluate(), [])
        self.gauge(10, "i2")
        self.assertEqual(self.evaluate(), ["FIRING_TO_OK"])
        self.assertEqual(self.entry()["dimensions"], [first("i2")])

    def test_messages_may_be_split_by_stream(self):
        self.create(
            query=f"{CPU}.mean() > 80",
            is_notifications_per_metric_dimension_enabled=True,
            repeat_notification_duration="PT2M",
        )
        self.gauge(90, "i1")
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])
        self.gauge(90, "i2")
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])
        self.assertEqual(self.entry()["dimensions"], [first("i2")])
        self.assertEqual(self.message()["notificationType"], "Split messages per metric stream")
        second = self.message()["dedupeKey"]
        self.assertEqual(self.evaluate(), ["REPEAT"])
        self.assertEqual(self.entry()["dimensions"], [first("i1")])
        self.assertNotEqual(self.message()["dedupeKey"], second)
        self.gauge(10, "i1")
        self.assertEqual(sorted(self.evaluate()), ["FIRING_TO_OK", "REPEAT"])

    def test_an_alarm_sends_sixty_messages_at_most(self):
        self.create(query=f"{CPU}.mean() > 80", is_notifications_per_metric_dimension_enabled=True)
        for at in range(61):
            self.gauge(90, f"i{at}")
        self.assertEqual(len(self.evaluate()), 60)

    def test_a_disabled_or_suppressed_alarm_is_silent(self):
        alarm = self.create(is_enabled=False)
        self.gauge(92)
        self.assertEqual(self.evaluate(), [])
        self.assertEqual(self.client.list_alarms_status(self.here).data[0].status, "SUSPENDED")
        now = datetime.now(UTC)
        day = timedelta(days=1)
        suppression = Suppression(time_suppress_from=now - day, time_suppress_until=now + day)
        details = UpdateAlarmDetails(is_enabled=True, suppression=suppression)
        self.client.update_alarm(alarm.id, details)
        self.assertEqual(self.evaluate(), [])
        self.assertEqual(self.client.list_alarms_status(self.here).data[0].status, "FIRING")

    def test_an_alarm_is_enabled_again_as_ok(self):
        alarm = self.create()
        self.gauge(92)
        self.evaluate()
        self.client.update_alarm(alarm.id, UpdateAlarmDetails(is_enabled=False))
        self.gauge(10)
        self.assertEqual(self.evaluate(), [])
        self.client.update_alarm(alarm.id, UpdateAlarmDetails(is_enabled=True))
        self.assertEqual(self.evaluate(), [])
        self.assertEqual(self.client.list_alarms_status(self.here).data[0].status, "OK")

    def test_a_changed_query_begins_afresh(self):
        alarm = self.create()
        self.gauge(92)
        self.evaluate()
        details = UpdateAlarmDetails(query=QUERY.replace("80", "70"))
        self.client.update_alarm(alarm.id, details)
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])
        self.client.delete_alarm(alarm.id)
        self.assertEqual(self.evaluate(), [])

    def test_metrics_of_one_minute_can_be_put(self):
        self.create()
        metric = {"name": "CpuUtilization", "dimensions": first()}
        self.control("POST", "/metrics", **metric, values=[70, 100])
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])
        # Counted in, either would keep the mean above the bound.
        self.control("POST", "/metrics", **metric, values=[1000], compartmentId="elsewhere")
        self.control("POST", "/metrics", **metric, values=[1000], namespace="other")
        self.control("POST", "/metrics", **metric, values=[10])
        self.assertEqual(self.evaluate(), ["FIRING_TO_OK"])

    def test_metric_data_is_posted(self):
        self.create(namespace="custom", query="Load[1m].mean() > 80")
        self.assertEqual(self.post([90.0, 80.0]).failed_metrics_count, 0)
        self.assertEqual(self.evaluate(), ["OK_TO_FIRING"])
        self.assertEqual(list(self.entry()["metricValues"][0].values()), ["85"])

    def test_metric_data_may_be_refused(self):
        for options in (
            {"namespace": "oci_datascience_modeldeploy"},
            {"ago": 3 * 3600},
            {"ago": -900},
        ):
            with self.subTest(options):
                self.assertEqual(self.post([90.0], **options).failed_metrics_count, 1)
                atomic = {"atomicity": "ATOMIC", **options}
                self.refused(400, "InvalidParameter", self.post, [90.0], **atomic)


class Summaries(Measured):
    def summarize(self, query=MEAN, minutes=5, compartment=None, subtree=False, **changes):
        """The streams of a range that ends now."""
        now = datetime.now(UTC)
        details = {
            "namespace": NAMESPACE,
            "query": query,
            "start_time": now - timedelta(minutes=minutes),
            "end_time": now,
            "resolution": "1m",
            **changes,
        }
        return self.client.summarize_metrics_data(
            compartment or self.here,
            SummarizeMetricsDataDetails(**details),
            compartment_id_in_subtree=subtree,
        ).data

    def values(self, *arguments, **options):
        (stream,) = self.summarize(*arguments, **options)
        return [point.value for point in stream.aggregated_datapoints]

    def test_windows_are_summarized(self):
        self.assertEqual(self.summarize(), [])
        self.gauge(90, "i1")
        self.gauge(30, "i2")
        # What is measured counts before the minute ends.
        (stream,) = self.summarize()
        self.assertEqual((stream.name, stream.namespace), ("CpuUtilization", NAMESPACE))
        self.assertEqual((stream.compartment_id, stream.resolution), (self.here, "1m"))
        self.assertEqual(stream.dimensions, {"resourceId": DEPLOYMENT})
        (point,) = stream.aggregated_datapoints
        self.assertEqual(point.value, 60)
        ago = datetime.now(UTC) - point.timestamp
        self.assertTrue(timedelta() <= ago <= timedelta(seconds=60 + DEADLINE_SECONDS), ago)
        self.evaluate(2)
        self.gauge(60, "i1")
        self.assertEqual(self.values(), [60, 60, 45])
        self.assertEqual(self.values(minutes=2), [60, 45])
        # Nothing was counted twice by a request.
        self.evaluate()
        self.assertEqual(self.values(), [60, 60, 45, 45])
        streams = self.summarize(f"{CPU}.max()", minutes=1)
        self.assertEqual(
            [(one.dimensions, one.aggregated_datapoints[-1].value) for one in streams],
            [(first("i1"), 60), (first("i2"), 30)],
        )

    def test_a_window_is_as_long_as_its_interval(self):
        query = f"{CPU.replace('[1m]', '[3m]')}.grouping().sum()"
        self.gauge(10)
        self.evaluate(4)
        # The minute that is running is the fifth.
        self.assertEqual(self.values(query), [10, 20, 30, 30, 30])
        self.evaluate(4)
        (stream,) = self.summarize(query, resolution="3m", minutes=60)
        ends = [point.timestamp for point in stream.aggregated_datapoints]
        self.assertEqual({after - end for end, after in pairwise(ends)}, {timedelta(minutes=3)})

    def test_posted_data_is_summarized(self):
        self.post([90.0, 80.0])
        options = {"namespace": "custom"}
        self.assertEqual(self.values("Load[1m].mean()", **options), [85])
        self.assertEqual(self.summarize("Load[1m].mean()"), [])

    def test_only_what_is_asked_for_is_summarized(self):
        self.gauge(92)
        for options in (
            {"compartment": "elsewhere"},
            {"namespace": "other"},
            {"query": "MemoryUtilization[1m].mean()"},
            {"query": 'CpuUtilization[1m]{resourceId = "other"}.mean()'},
        ):
            with self.subTest(options):
                self.assertEqual(self.summarize(**options), [])
        tenancy = {"compartment": self.emulator["tenancy"]}
        self.assertEqual(self.summarize(**tenancy), [])
        self.assertEqual(self.values(**tenancy, subtree=True), [92])
        self.refused(400, "InvalidParameter", self.summarize, subtree=True)

    def test_a_summary_may_be_refused(self):
        for options in (
            {"query": f"{CPU}.mean() > 80"},
            {"query": CPU},
            {"resolution": "2m"},
            {"resolution": "often"},
            {"minutes": 0},
        ):
            with self.subTest(options):
                self.refused(400, "InvalidParameter", self.summarize, **options)
        # The SDK's own models would not let these pass.
        for missing in ("namespace", "query"):
            with self.subTest(missing):
                body = {"namespace": NAMESPACE, "query": f"{CPU}.mean()"}
                del body[missing]
                action = self.client.summarize_metrics_data
                self.refused(400, "MissingParameter", action, self.here, body)
        self.control("POST", "/deny", operation="SummarizeMetricsData", denied=True)
        self.refused(404, "NotAuthorizedOrNotFound", self.summarize)


class MinutesThatPass(unittest.TestCase):
    def test_minutes_end_by_themselves(self):
        emulator = Emulator(minute_seconds=0.05)
        self.addCleanup(emulator.close)
        checks = Evaluation()
        checks.emulator = emulator
        checks.setUp()
        checks.create(repeat_notification_duration="PT1M")
        checks.gauge(92)

        def types():
            found = emulator.control("GET", "/deliveries")
            return [json.loads(one["body"])["type"] for one in found if one["attempt"] == 1]

        checks.poll(lambda: types()[:3] == ["OK_TO_FIRING", "REPEAT", "REPEAT"])
        # Its timestamp is many such minutes old, so a [1m] window no longer has it.
        checks.create(namespace="custom", query="Load[1m].mean() > 80", severity="INFO")
        checks.post([90.0], ago=10)
        minute = emulator.control("GET", "/state")["minute"]
        checks.poll(lambda: emulator.control("GET", "/state")["minute"] > minute + 2)
        alarms = emulator.control("GET", "/state")["alarms"]
        status = {alarm["severity"]: alarm["status"] for alarm in alarms}
        self.assertEqual(status, {"CRITICAL": "FIRING", "INFO": "OK"})


class Queries(unittest.TestCase):
    def test_what_is_understood(self):
        for text, minutes, group in (
            ("A[1m].mean() > 1", 1, None),
            ("A[2h].avg() <= -1.5", 120, None),
            (" A [ 1d ] . grouping ( ) . max ( ) >= 1 ", 1440, []),
            ("A[60m]{a = 'b', c != \"d\"}.groupBy(a, b).sum() < 1", 60, ["a", "b"]),
        ):
            with self.subTest(text):
                query = mql.parse(text)
                self.assertEqual((query.minutes, query.group), (minutes, group))

    def test_metrics_are_asked_for_without_a_bound(self):
        query = mql.parse("A[5m].groupBy(a).mean()", bounded=False)
        self.assertEqual((query.minutes, query.bound), (5, None))
        with self.assertRaises(ValueError):
            mql.parse("A[5m].mean() > 1", bounded=False)

    def test_a_low_query_may_hold_while_its_streams_are_absent(self):
        low = "A[5m]{a = \"b\"}.groupBy(a).sum() < 25"
        query = mql.parse(low + " || A[5m]{a = \"b\"}.groupBy(a).absent(3d)")
        self.assertEqual((query.absent, query.bound, query.group), (True, 25.0, ["a"]))
        self.assertFalse(mql.parse(low).absent)

    def test_what_is_refused(self):
        for text in (
            "",
            "A[1m].absent()",
            "A[1m].mean() < 1 || B[1m].absent()",
            "A[1m].mean() < 1 || A[5m].absent()",
            "A[1m].mean() < 1 || A[1m].mean() > 5",
            "A.mean() > 1",
            "A[1m] > 1",
            "A[1m].mean()",
            "A[0m].mean() > 1",
            "A[2d].mean() > 1",
            "A[1m].rate() > 1",
            "A[1m].percentile() > 1",
            "A[1m].percentile(2) > 1",
            "A[1m].mean(1) > 1",
            "A[1m].groupBy().mean() > 1",
            "A[1m].grouping(a).mean() > 1",
            "A[1m]{a}.mean() > 1",
            "A[1m].mean() > 1 && B[1m].mean() > 1",
            "A[1m].mean() in (1, 2)",
        ):
            with self.subTest(text), self.assertRaises(ValueError):
                mql.parse(text)
