"""Checks that granted statements allow the function what they list, and nothing else."""

import urllib.error

from credentials import COMPARTMENT
from oci.data_science import DataScienceClient
from oci.exceptions import ServiceError
from oci.monitoring import MonitoringClient
from oci.ons import NotificationControlPlaneClient
from rig import DEPLOYMENT, Checks, deployment

ELSEWHERE = "ocid1.compartment.oc1..elsewhere"
GET = "Allow dynamic-group f to read data-science-model-deployments in compartment id"
UPDATE = (
    f"Allow dynamic-group f to manage data-science-model-deployments in compartment id {COMPARTMENT}"
    " where any {request.permission = 'DATA_SCIENCE_MODEL_DEPLOYMENT_UPDATE'}"
)


class Granted(Checks):
    def setUp(self):
        super().setUp()
        self.control("POST", "/deployments", **deployment())
        self.science = self.emulator.client(DataScienceClient, "datascience", principal=True)

    def grant(self, *statements):
        self.control("POST", "/grant", statements=list(statements))

    def is_allowed(self, send):
        try:
            send()
        except ServiceError as error:
            # A conflict is found after it is allowed.
            return error.status != 404
        return True

    def get(self):
        return self.is_allowed(lambda: self.science.get_model_deployment(DEPLOYMENT))

    def update(self):
        tags = {"freeformTags": {"a": "b"}}
        return self.is_allowed(lambda: self.science.update_model_deployment(DEPLOYMENT, tags))

    def test_everything_is_allowed_until_something_is_granted(self):
        self.assertTrue(self.get() and self.update())

    def test_a_verb_includes_those_before_it_in_its_compartment(self):
        for statements, get, update in (
            ([], False, False),
            ([f"{GET} {COMPARTMENT}"], True, False),
            ([f"{GET} {ELSEWHERE}"], False, False),
            (["Allow dynamic-group f to manage data-science-model-deployments in tenancy"], True, True),
            # the condition leaves one permission of the verb
            ([UPDATE], False, True),
            ([UPDATE, f"{GET} {COMPARTMENT}"], True, True),
        ):
            with self.subTest(statements=statements):
                self.grant(*statements)
                self.assertEqual((self.get(), self.update()), (get, update))

    def test_an_alarm_takes_its_metrics_permission_too(self):
        monitoring = self.emulator.client(MonitoringClient, "monitoring", principal=True)
        query = "CpuUtilization[1m].mean() > 80"
        details = {
            "displayName": "high",
            "compartmentId": COMPARTMENT,
            "metricCompartmentId": ELSEWHERE,
            "namespace": "oci_datascience_modeldeploy",
            "query": query,
            "severity": "INFO",
            "destinations": [self.emulator["topic"]],
            "isEnabled": True,
        }
        alarms = f"Allow dynamic-group f to manage alarms in compartment id {COMPARTMENT}"
        for statements, allowed in (
            ([alarms], False),
            ([alarms, f"Allow dynamic-group f to read metrics in compartment id {COMPARTMENT}"], False),
            ([alarms, f"Allow dynamic-group f to read metrics in compartment id {ELSEWHERE}"], True),
        ):
            with self.subTest(statements=statements):
                self.grant(*statements)
                self.assertEqual(self.is_allowed(lambda: monitoring.create_alarm(details)), allowed)

    def test_what_the_function_never_sends_is_refused(self):
        self.grant("Allow dynamic-group f to manage ons-topics in tenancy")
        topics = self.emulator.client(NotificationControlPlaneClient, "notifications", principal=True)
        self.assertFalse(self.is_allowed(lambda: topics.delete_topic(self.emulator["topic"])))

    def test_a_person_is_not_asked(self):
        self.grant()
        client = self.emulator.client(DataScienceClient, "datascience")
        self.assertEqual(client.get_model_deployment(DEPLOYMENT).status, 200)

    def test_a_statement_that_cannot_be_read_is_refused(self):
        for statement in ("Allow everything", f"{GET} <of topic x>", UPDATE.replace(" = ", " != ")):
            with self.subTest(statement=statement):
                with self.assertRaises(urllib.error.HTTPError):
                    self.grant(statement)
