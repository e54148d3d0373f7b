"""Checks model deployments and their work requests with the SDK's own client."""

import copy

import oci
from oci.data_science import DataScienceClient, DataScienceClientCompositeOperations
from oci.data_science.models import (
    FixedSizeScalingPolicy,
    InstanceConfiguration,
    UpdateModelConfigurationDetails,
    UpdateModelDeploymentDetails,
    UpdateSingleModelDeploymentConfigurationDetails,
)

from rig import DEPLOYMENT, Checks, deployment

CONFIGURATION = "modelDeploymentConfigurationDetails"
FLEX = {
    "instanceShapeName": "VM.Standard.E4.Flex",
    "modelDeploymentInstanceShapeConfigDetails": {"ocpus": 2, "memoryInGBs": 32},
}


def flex(ocpus, memory, shape="VM.Standard.E4.Flex", **more):
    size = {"ocpus": ocpus, "memoryInGBs": memory, **more}
    return {"instanceShapeName": shape, "modelDeploymentInstanceShapeConfigDetails": size}


def autoscaling(**changes):
    rule = {"minimumInstanceCount": 1, "maximumInstanceCount": 4, "initialInstanceCount": 1}
    return {"policyType": "AUTOSCALING", "autoScalingPolicies": [{**rule, **changes}]}


class DataScience(Checks):
    def setUp(self):
        super().setUp()
        self.client = self.emulator.client(DataScienceClient, "datascience")
        self.put()

    def put(self, *arguments, **changes):
        self.document = deployment(*arguments, **changes)
        self.control("POST", "/deployments", **self.document)

    def now(self):
        return self.control("GET", "/state")["deployments"][DEPLOYMENT]["document"]

    def state(self):
        return self.now()["lifecycleState"]

    def part(self, document=None):
        """The part of a configuration that describes the instances."""
        configuration = (document or self.now())[CONFIGURATION]
        flat = configuration["deploymentType"] == "SINGLE_MODEL"
        member = "modelConfigurationDetails" if flat else "infrastructureConfigurationDetails"
        return configuration[member]

    def body(self, count=None, **members):
        """The configuration as it is, with another count or other members."""
        configuration = copy.deepcopy(self.document[CONFIGURATION])
        del configuration["environmentConfigurationDetails"]
        part = self.part({CONFIGURATION: configuration})
        part.update(members)
        if count:
            part["scalingPolicy"]["instanceCount"] = count
        return {CONFIGURATION: configuration}

    def update(self, body, **options):
        return self.client.update_model_deployment(DEPLOYMENT, body, **options)

    def finish(self):
        self.control("POST", "/finish", id=DEPLOYMENT)

    def invalid(self, body):
        return self.refused(400, "InvalidParameter", self.update, body)

    def test_the_sdk_reads_a_deployment(self):
        found = self.client.get_model_deployment(DEPLOYMENT)
        details = found.data.model_deployment_configuration_details
        self.assertEqual(details.model_configuration_details.scaling_policy.instance_count, 2)
        self.assertEqual(found.data.model_deployment_system_data.current_instance_count, 2)
        self.assertTrue(found.headers["etag"])
        self.refused(404, "NotAuthorizedOrNotFound", self.client.get_model_deployment, "other")
        self.refused(404, "NotAuthorizedOrNotFound", self.client.update_model_deployment, "o", {})

    def test_the_sdk_updates_and_waits(self):
        details = UpdateModelDeploymentDetails(
            model_deployment_configuration_details=UpdateSingleModelDeploymentConfigurationDetails(
                model_configuration_details=UpdateModelConfigurationDetails(
                    model_id="ocid1.datasciencemodel.oc1.iad.demo",
                    bandwidth_mbps=20,
                    instance_configuration=InstanceConfiguration(
                        instance_shape_name="VM.Standard2.1",
                        subnet_id="ocid1.subnet.oc1.iad.demo",
                    ),
                    scaling_policy=FixedSizeScalingPolicy(instance_count=3),
                )
            )
        )
        waiting = DataScienceClientCompositeOperations(self.client)
        done = waiting.update_model_deployment_and_wait_for_state(
            DEPLOYMENT, details, ["SUCCEEDED"], waiter_kwargs={"max_interval_seconds": 0.1}
        )
        self.assertEqual(done.data.operation_type, "MODEL_DEPLOYMENT_UPDATE")
        found = self.client.get_model_deployment(DEPLOYMENT).data
        self.assertEqual(found.lifecycle_state, "ACTIVE")
        self.assertEqual(found.model_deployment_system_data.current_instance_count, 3)

    def test_an_update_passes_through_updating(self):
        self.settings(update_seconds=3600)
        before = self.client.get_model_deployment(DEPLOYMENT).headers["etag"]
        answer = self.update(self.body(count=3), if_match=before)
        self.assertIsNone(answer.data)
        during = self.client.get_model_deployment(DEPLOYMENT)
        self.assertEqual(during.data.lifecycle_state, "UPDATING")
        self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 2)
        self.assertEqual(during.data.model_deployment_system_data.current_instance_count, 2)
        work = self.client.get_work_request(answer.headers["opc-work-request-id"]).data
        self.assertEqual((work.status, work.time_finished), ("ACCEPTED", None))
        self.assertEqual(work.resources[0].identifier, DEPLOYMENT)
        self.finish()
        after = self.client.get_model_deployment(DEPLOYMENT)
        self.assertEqual(after.data.lifecycle_state, "ACTIVE")
        self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 3)
        self.assertEqual(after.data.model_deployment_system_data.current_instance_count, 3)
        work = self.client.get_work_request(work.id).data
        self.assertEqual((work.status, work.percent_complete), ("SUCCEEDED", 100))
        self.assertTrue(work.time_accepted <= work.time_started <= work.time_finished)
        etags = {before, during.headers["etag"], after.headers["etag"]}
        self.assertEqual(len(etags), 3)

    def test_a_work_request_is_in_progress_before_it_ends(self):
        self.settings(update_seconds=3600)
        id = self.update(self.body(count=3)).headers["opc-work-request-id"]
        self.control("POST", "/age", id=DEPLOYMENT, seconds=1800)
        work = self.client.get_work_request(id).data
        self.assertEqual((work.status, round(work.percent_complete)), ("IN_PROGRESS", 50))
        self.assertIsNotNone(work.time_started)
        self.control("POST", "/age", id=DEPLOYMENT, seconds=1800)
        self.assertEqual(self.state(), "ACTIVE")

    def test_an_update_ends_by_itself(self):
        self.settings(update_seconds=0.05)
        self.update(self.body(count=3))
        self.poll(lambda: self.state() == "ACTIVE")
        self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 3)

    def test_a_stale_etag_is_refused(self):
        etag = self.client.get_model_deployment(DEPLOYMENT).headers["etag"]
        self.refused(412, "NoEtagMatch", self.update, self.body(count=3), if_match="stale")
        self.assertEqual(self.state(), "ACTIVE")
        self.update(self.body(count=3), if_match=etag)

    def test_what_is_not_settled_cannot_be_updated(self):
        self.settings(update_seconds=3600)
        etag = self.client.get_model_deployment(DEPLOYMENT).headers["etag"]
        self.update(self.body(count=3))
        self.refused(409, "IncorrectState", self.update, self.body(count=4))
        self.refused(412, "NoEtagMatch", self.update, self.body(count=4), if_match=etag)
        self.settings(state_before_etag=True)
        self.refused(409, "IncorrectState", self.update, self.body(count=4), if_match=etag)
        for state in ("CREATING", "INACTIVE", "DELETING", "DELETED", "FAILED"):
            self.put(lifecycleState=state)
            self.refused(409, "IncorrectState", self.update, self.body(count=3))
        self.put(lifecycleState="NEEDS_ATTENTION")
        self.update(self.body(count=3))
        self.finish()
        self.assertEqual(self.state(), "ACTIVE")

    def test_an_inactive_deployment_may_take_everything_at_once(self):
        self.settings(inactive_updates=True)
        self.put(lifecycleState="INACTIVE")
        self.update(self.body(count=4, instanceConfiguration=FLEX))
        self.assertEqual(self.state(), "INACTIVE")
        self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 4)

    def test_a_live_deployment_takes_one_group_at_a_time(self):
        shape = {**self.part()["instanceConfiguration"], "instanceShapeName": "VM.Standard2.2"}
        environment = {"environmentConfigurationType": "OCIR_CONTAINER", "image": "new"}
        with_environment = self.body(count=3)
        with_environment[CONFIGURATION]["environmentConfigurationDetails"] = environment
        for name, body in (
            ("count and shape", self.body(count=3, instanceConfiguration=shape)),
            ("count and bandwidth", self.body(count=3, bandwidthMbps=30)),
            ("count and model", self.body(count=3, modelId="other")),
            ("shape and bandwidth", self.body(instanceConfiguration=shape, bandwidthMbps=30)),
            ("count and environment", with_environment),
            ("count and logs", {**self.body(count=3), "categoryLogDetails": {"access": {}}}),
        ):
            for state in ("ACTIVE", "NEEDS_ATTENTION"):
                with self.subTest(name, state=state):
                    self.put(lifecycleState=state)
                    self.assertIn("change only one", self.invalid(body))
        self.put()
        self.settings(one_group_at_a_time=False)
        self.update(self.body(count=3, instanceConfiguration=shape))

    def test_each_group_alone_is_taken(self):
        environment = {"environmentConfigurationType": "OCIR_CONTAINER", "image": "new"}
        shape = {**self.part()["instanceConfiguration"], "instanceShapeName": "VM.Standard2.2"}
        bodies = [
            self.body(),
            self.body(count=3),
            self.body(instanceConfiguration=shape),
            self.body(bandwidthMbps=30, maximumBandwidthMbps=40),
            self.body(modelId="other", modelArtifactSignatureId="signed"),
            {"categoryLogDetails": {"access": {}}},
        ]
        bodies.append(self.body())
        bodies[-1][CONFIGURATION]["environmentConfigurationDetails"] = environment
        for body in bodies:
            self.put()
            self.update(body)
            self.finish()
        self.assertEqual(self.now()[CONFIGURATION]["environmentConfigurationDetails"], environment)

    def test_what_is_left_out_is_reset(self):
        self.update(self.body(instanceConfiguration={"instanceShapeName": "VM.Standard2.2"}))
        self.finish()
        self.assertNotIn("subnetId", self.part()["instanceConfiguration"])
        self.assertIn("environmentConfigurationDetails", self.now()[CONFIGURATION])
        for left_out, reset in (
            ("scalingPolicy", {"policyType": "FIXED_SIZE", "instanceCount": 1}),
            ("bandwidthMbps", 10),
        ):
            self.put()
            self.update(self.body(**{left_out: None}))
            self.finish()
            self.assertEqual(self.part()[left_out], reset)
        self.put()
        self.assertIn("instanceShapeName", self.invalid(self.body(instanceConfiguration=None)))

    def test_what_is_left_out_may_be_kept(self):
        self.settings(omitted="kept")
        body = self.body(count=3, instanceConfiguration=None, bandwidthMbps=None)
        self.update(body)
        self.finish()
        self.assertEqual(self.part()["bandwidthMbps"], 20)
        self.assertIn("subnetId", self.part()["instanceConfiguration"])
        self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 3)

    def test_what_is_required_is_missed(self):
        untyped = self.body(count=3)
        del untyped[CONFIGURATION]["deploymentType"]
        other = self.body(count=3)
        other[CONFIGURATION]["deploymentType"] = "MODEL_GROUP"
        vague = self.body()
        vague[CONFIGURATION]["environmentConfigurationDetails"] = {"image": "new"}
        for name, body in (
            ("modelId", self.body(count=3, modelId=None)),
            ("deploymentType", untyped),
            ("deploymentType", other),
            ("policyType", self.body(scalingPolicy={"instanceCount": 3})),
            ("policyType", self.body(scalingPolicy={"policyType": "OTHER"})),
            ("instanceCount", self.body(scalingPolicy={"policyType": "FIXED_SIZE"})),
            ("instanceCount", self.body(count=-1)),
            ("instanceCount", self.body(count=1.5)),
            ("instanceCount", self.body(count=True)),
            ("autoScalingPolicies", self.body(scalingPolicy={"policyType": "AUTOSCALING"})),
            ("instanceShapeName", self.body(instanceConfiguration={"subnetId": "x"})),
            ("environmentConfigurationType", vague),
            ("freeformTags", {"freeformTags": {"a": 1}}),
        ):
            with self.subTest(name, body=body):
                self.assertIn(name, self.invalid(body))
        self.refused(400, "CannotParseRequest", self.update, [])

    def test_shapes_have_their_sizes(self):
        fixed = {**FLEX, "instanceShapeName": "VM.Standard2.2"}
        for name, configuration in (
            ("no shape", {"instanceShapeName": "VM.Standard9.1"}),
            ("no shape", {"instanceShapeName": "VM.Standard.E9.Flex"}),
            ("is not for", fixed),
            ("expected `ocpus`", {"instanceShapeName": "VM.Standard.E4.Flex"}),
            ("expected `ocpus`", flex(None, 32)),
            ("expected `ocpus`", flex(2, "32")),
            ("GB per OCPU", flex(4, 23)),
            ("GB per OCPU", flex(1, 65)),
            ("1 to 64 OCPUs", flex(65, 512)),
            ("1 to 64 OCPUs", flex(0.5, 16)),
            ("6 to 1024 GB", flex(64, 1025)),
            ("6 to 1024 GB", flex(1, 5)),
            ("1 to 18 OCPUs", flex(19, 256, "VM.Optimized3.Flex")),
            ("cpuBaseline", flex(2, 32, cpuBaseline="BASELINE_1_8")),
        ):
            with self.subTest(name, configuration=configuration):
                body = self.body(instanceConfiguration=configuration)
                self.assertIn(name, self.invalid(body))
        for configuration in (
            flex(1, 6),
            flex(1, 64),
            flex(64, 1024.0),
            flex(2, 32, cpuBaseline="BASELINE_1_2"),
            flex(18, 256, "VM.Optimized3.Flex"),
            {"instanceShapeName": "VM.Standard2.24"},
        ):
            with self.subTest(configuration=configuration):
                self.put()
                self.update(self.body(instanceConfiguration=configuration))
                self.finish()
                self.assertEqual(self.part()["instanceConfiguration"], configuration)

    def test_a_shape_may_be_out_of_quota(self):
        larger = {**self.part()["instanceConfiguration"], "instanceShapeName": "VM.Standard2.2"}
        self.settings(quotas={"VM.Standard2.2": 0, "VM.Standard2.1": 3})
        body = self.body(instanceConfiguration=larger)
        self.refused(400, "LimitExceeded", self.update, body)
        self.refused(400, "LimitExceeded", self.update, self.body(count=4))
        self.update(self.body(count=3))
        self.finish()
        self.settings(quotas={"VM.Standard2.1": 0})
        # A smaller size needs no quota.
        self.update(self.body(count=1))

    def test_tags_are_replaced_as_a_whole(self):
        self.update({"freeformTags": {"new": "1"}})
        self.finish()
        self.assertEqual(self.now()["freeformTags"], {"new": "1"})
        self.assertEqual(self.now()[CONFIGURATION], self.document[CONFIGURATION])

    def test_tags_alone_may_be_an_update_or_at_once(self):
        self.settings(update_seconds=3600)
        self.update({"freeformTags": {"new": "1"}})
        self.assertEqual(self.state(), "UPDATING")
        self.put()
        self.settings(tags_only="immediate")
        before = self.client.get_model_deployment(DEPLOYMENT).headers["etag"]
        answer = self.update({"freeformTags": {"new": "1"}})
        after = self.client.get_model_deployment(DEPLOYMENT)
        self.assertEqual(after.data.lifecycle_state, "ACTIVE")
        self.assertEqual(after.data.freeform_tags, {"new": "1"})
        self.assertNotEqual(after.headers["etag"], before)
        work = self.client.get_work_request(answer.headers["opc-work-request-id"]).data
        self.assertEqual(work.status, "SUCCEEDED")
        self.update(self.body(count=3))
        self.assertEqual(self.state(), "UPDATING")

    def test_tags_may_come_with_a_size_or_not(self):
        self.settings(update_seconds=3600)
        both = {**self.body(count=3), "freeformTags": {"new": "1"}}
        self.update(both)
        self.assertEqual(self.now()["freeformTags"], {"new": "1"})
        self.put()
        self.settings(tags_visible="at_end")
        self.update(both)
        self.assertEqual(self.now()["freeformTags"], {"team": "forecast"})
        self.finish()
        self.assertEqual(self.now()["freeformTags"], {"new": "1"})
        self.put()
        self.settings(tags_with_size=False)
        self.assertIn("tags", self.invalid(both))
        self.update({"freeformTags": {"new": "1"}})

    def test_an_update_may_fail(self):
        for state in ("ACTIVE", "NEEDS_ATTENTION"):
            with self.subTest(state):
                self.put()
                self.control("POST", "/fail-update", id=DEPLOYMENT, state=state, message="no host")
                before = self.client.get_model_deployment(DEPLOYMENT).headers["etag"]
                id = self.update(self.body(count=3)).headers["opc-work-request-id"]
                self.assertEqual(self.state(), "UPDATING")
                self.finish()
                found = self.client.get_model_deployment(DEPLOYMENT)
                self.assertEqual(found.data.lifecycle_state, state)
                self.assertEqual(found.data.lifecycle_details, "no host")
                self.assertNotEqual(found.headers["etag"], before)
                self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 2)
                self.assertEqual(found.data.model_deployment_system_data.current_instance_count, 2)
                self.assertEqual(self.client.get_work_request(id).data.status, "FAILED")
                errors = self.client.list_work_request_errors(id).data
                self.assertEqual([error.message for error in errors], ["no host"])
                # Only the next update was to fail.
                self.update(self.body(count=3))
                self.finish()
                self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 3)

    def test_a_model_group_has_its_instances_elsewhere(self):
        self.put("MODEL_GROUP")
        found = self.client.get_model_deployment(DEPLOYMENT).data
        details = found.model_deployment_configuration_details
        policy = details.infrastructure_configuration_details.scaling_policy
        self.assertEqual(policy.instance_count, 2)
        for name, spoil in (
            ("updateType", lambda one: one.update(updateType="SOON")),
            ("modelGroupId", lambda one: one.update(modelGroupConfigurationDetails={"a": 1})),
            (
                "infrastructureType",
                lambda one: one["infrastructureConfigurationDetails"].pop("infrastructureType"),
            ),
        ):
            body = self.body(count=3)
            spoil(body[CONFIGURATION])
            self.assertIn(name, self.invalid(body))
        body = self.body(count=3)
        body[CONFIGURATION]["updateType"] = "LIVE"
        self.update(body)
        self.finish()
        self.assertEqual(self.part()["scalingPolicy"]["instanceCount"], 3)
        state = self.control("GET", "/state")["deployments"][DEPLOYMENT]["document"]
        self.assertNotIn("updateType", state[CONFIGURATION])

    def test_a_managed_cluster_has_no_shape(self):
        self.put("SINGLE_MODEL_FLEX")
        found = self.client.get_model_deployment(DEPLOYMENT).data
        details = found.model_deployment_configuration_details
        self.assertEqual(details.infrastructure_configuration_details.compute_target_id, "target")
        self.update(self.body(count=3))
        self.finish()
        self.assertEqual(self.now()["modelDeploymentSystemData"]["currentInstanceCount"], 3)

    def test_native_autoscaling_has_no_instance_count(self):
        self.update(self.body(scalingPolicy=autoscaling(maximumInstanceCount=1)))
        self.finish()
        self.assertNotIn("instanceCount", self.part()["scalingPolicy"])
        self.assertEqual(self.now()["modelDeploymentSystemData"]["currentInstanceCount"], 1)

    def test_lists_take_one_filter(self):
        other = {"id": "ocid1.other", "displayName": "other", "timeCreated": "2020-01-01T00:00:00Z"}
        self.control("POST", "/deployments", **{**self.document, **other})
        away = {"id": "ocid1.away", "compartmentId": "elsewhere"}
        self.control("POST", "/deployments", **{**self.document, **away})
        listed = self.client.list_model_deployments
        here = self.emulator["compartment"]
        self.assertEqual([one.display_name for one in listed(here).data], ["demo", "other"])
        for filters in (
            {"id": "ocid1.other"},
            {"display_name": "other"},
        ):
            self.assertEqual([one.id for one in listed(here, **filters).data], ["ocid1.other"])
        for filters in ({"project_id": "x"}, {"created_by": "x"}, {"lifecycle_state": "FAILED"}):
            self.assertEqual(listed(here, **filters).data, [])
        two = {"id": "ocid1.other", "display_name": "other"}
        self.refused(400, "InvalidParameter", listed, here, **two)
        ascending = listed(here, sort_by="displayName", sort_order="DESC").data
        self.assertEqual([one.display_name for one in ascending], ["other", "demo"])

    def test_work_requests_are_listed_newest_first_and_in_pages(self):
        ids = []
        for count in (3, 4, 5):
            answer = self.update(self.body(count=count))
            ids.insert(0, answer.headers["opc-work-request-id"])
            self.finish()
        here, listed = self.emulator["compartment"], self.client.list_work_requests
        self.assertEqual([one.id for one in listed(here).data], ids)
        self.assertEqual([one.id for one in listed(here, sort_order="ASC").data], ids[::-1])
        first = listed(here, limit=2)
        self.assertEqual([one.id for one in first.data], ids[:2])
        second = listed(here, limit=2, page=first.next_page)
        self.assertEqual(([one.id for one in second.data], second.next_page), (ids[2:], None))
        self.settings(page_size=1, empty_pages=True)
        self.assertEqual((listed(here).data, listed(here).has_next_page), ([], True))
        everything = oci.pagination.list_call_get_all_results(listed, here).data
        self.assertEqual([one.id for one in everything], ids)
        self.settings(page_size=100, empty_pages=False)
        for filters, count in (
            ({"resource_id": DEPLOYMENT}, 3),
            ({"resource_id": "other"}, 0),
            ({"id": ids[0]}, 1),
            ({"status": "SUCCEEDED"}, 3),
            ({"status": "FAILED"}, 0),
            ({"operation_type": "MODEL_DEPLOYMENT_UPDATE"}, 3),
            ({"operation_type": "JOB_DELETE"}, 0),
        ):
            self.assertEqual(len(listed(here, **filters).data), count, filters)
        self.assertEqual(listed("elsewhere").data, [])
        self.refused(404, "NotAuthorizedOrNotFound", self.client.get_work_request, "other")
        self.refused(404, "NotAuthorizedOrNotFound", self.client.list_work_request_errors, "other")
        self.refused(400, "InvalidParameter", listed, here, limit=0)
        self.refused(400, "InvalidParameter", listed, here, page="mine")

    def test_a_work_request_grows_old_on_request(self):
        id = self.update(self.body(count=3)).headers["opc-work-request-id"]
        self.finish()
        before = self.client.get_work_request(id).data
        self.control("POST", "/age", id=DEPLOYMENT, seconds=600)
        after = self.client.get_work_request(id).data
        for name in ("time_accepted", "time_finished"):
            older = (getattr(before, name) - getattr(after, name)).total_seconds()
            self.assertAlmostEqual(older, 600, places=1)

    def test_shapes_are_listed(self):
        here = self.emulator["compartment"]
        shapes = oci.pagination.list_call_get_all_results(
            self.client.list_model_deployment_shapes, here, limit=5
        ).data
        found = {one.name: (one.core_count, one.memory_in_gbs) for one in shapes}
        self.assertEqual(found["VM.Standard2.24"], (24, 320))
        self.assertIn("VM.Standard.E4.Flex", found)
