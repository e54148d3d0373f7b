"""Data Science: model deployments, which take their time to change, and their work requests."""

import copy
import secrets
import time
from dataclasses import dataclass

from server import Answer, Refusal
from service import not_found
from shapes import SHAPES
from updates import (
    TAGS_AND_TEXTS,
    expect_quota,
    expect_separate,
    instance_count,
    planned,
)
from world import expect_etag, in_order, iso, ocid, required

LIVE = ("ACTIVE", "NEEDS_ATTENTION")
ONE_FILTER = ("id", "projectId", "displayName", "lifecycleState", "createdBy")
# A work request waits this part of its time before it starts.
ACCEPTED_PART = 0.1


def new_etag():
    return secrets.token_hex(8)


@dataclass
class WorkRequest:
    id: str
    deployment: str
    compartment: str
    accepted: float
    seconds: float
    failed: bool = False
    # Set when a test ends the update early.
    ended: float | None = None

    @property
    def end(self):
        return self.ended or self.accepted + self.seconds

    @property
    def document(self):
        now, start = time.time(), self.accepted + self.seconds * ACCEPTED_PART
        done = now >= self.end
        started = done or now >= start
        part = (now - self.accepted) / self.seconds if self.seconds else 1
        status = "FAILED" if self.failed else "SUCCEEDED"
        return {
            "id": self.id,
            "operationType": "MODEL_DEPLOYMENT_UPDATE",
            "status": status if done else "IN_PROGRESS" if started else "ACCEPTED",
            "compartmentId": self.compartment,
            "percentComplete": 100.0 if done else round(min(part, 0.99) * 100, 1),
            "timeAccepted": iso(self.accepted),
            "timeStarted": iso(min(start, self.end)) if started else None,
            "timeFinished": iso(self.end) if done else None,
            "resources": [
                {
                    "actionType": "UPDATED" if done else "IN_PROGRESS",
                    "entityType": "modelDeployment",
                    "identifier": self.deployment,
                    "entityUri": f"/20190101/modelDeployments/{self.deployment}",
                }
            ],
        }


@dataclass
class Update:
    work_request: WorkRequest
    after: dict


class Deployment:
    def __init__(self, document):
        self.document, self.etag = document, new_etag()
        self.update = None
        # What the next update comes to, where a test wants it to fail.
        self.failure = None

    def settle(self):
        """Ends the update whose time is over."""
        if self.update and time.time() >= self.update.work_request.end:
            update, self.update = self.update, None
            if not update.work_request.failed:
                self.document = update.after
                count = instance_count(self.document)
                data = self.document.setdefault("modelDeploymentSystemData", {})
                if count is not None:
                    data["currentInstanceCount"] = count
            self.document["lifecycleState"] = update.after["lifecycleState"]
            self.document["lifecycleDetails"] = update.after["lifecycleDetails"]
            self.etag = new_etag()

    def begin(self, after, work_request, tags_at_once):
        state = {"lifecycleState": "ACTIVE", "lifecycleDetails": "Model Deployment is Active."}
        if self.failure:
            work_request.failed = True
            state = {**state, "lifecycleState": self.failure["state"]}
            state["lifecycleDetails"] = self.failure["message"]
            self.failure = None
        self.update = Update(work_request, {**after, **state})
        if tags_at_once:
            for name in TAGS_AND_TEXTS:
                if name in after:
                    self.document[name] = after[name]
        self.document["lifecycleState"] = "UPDATING"
        self.document["lifecycleDetails"] = "Model Deployment is being updated."
        self.etag = new_etag()


class DataScience:
    def __init__(self, world):
        self.world = world
        self.reset()

    def reset(self):
        self.deployments, self.work_requests, self.errors = {}, {}, {}

    def routes(self):
        return [
            ("GET", "/modelDeployments", "ListModelDeployments", self.list),
            ("GET", "/modelDeployments/{id}", "GetModelDeployment", self.get),
            ("PUT", "/modelDeployments/{id}", "UpdateModelDeployment", self.change),
            ("GET", "/modelDeploymentShapes", "ListModelDeploymentShapes", self.list_shapes),
            ("GET", "/workRequests", "ListWorkRequests", self.list_work_requests),
            ("GET", "/workRequests/{id}", "GetWorkRequest", self.get_work_request),
            ("GET", "/workRequests/{id}/errors", "ListWorkRequestErrors", self.list_errors),
        ]

    def settled(self, id):
        deployment = self.deployments.get(id)
        if deployment is None:
            raise not_found()
        deployment.settle()
        return deployment

    def get(self, request, id):
        deployment = self.settled(id)
        # A copy, since it is written down only after others may have changed it.
        return Answer(200, copy.deepcopy(deployment.document), {"etag": deployment.etag})

    def list(self, request):
        query = request.query
        compartment = required(query, "compartmentId")
        filters = [name for name in ONE_FILTER if name in query]
        if len(filters) > 1:
            message = f"expected one filter besides compartmentId, found {', '.join(filters)}"
            raise Refusal(400, "InvalidParameter", message)
        found = [copy.deepcopy(self.settled(id).document) for id in self.deployments]
        found = [one for one in found if one.get("compartmentId") == compartment]
        for name in filters:
            found = [one for one in found if one.get(name) == query[name]]
        return self.world.page(request, in_order(found, query, "timeCreated", ("timeCreated",)))

    def change(self, request, id):
        body, deployment = request.details(), self.settled(id)
        settings = self.world.settings
        checks = [
            lambda: expect_etag(request, deployment.etag),
            lambda: self.expect_changeable(deployment),
        ]
        for check in reversed(checks) if settings["state_before_etag"] else checks:
            check()
        after, changed = planned(deployment.document, body, settings)
        state = deployment.document["lifecycleState"]
        if state in LIVE:
            expect_separate(body, changed, settings)
        expect_quota(deployment.document, after, settings["quotas"])
        immediate = not changed and settings["tags_only"] == "immediate"
        if state not in LIVE or immediate:
            return self.changed_at_once(deployment, after)
        return self.begun(deployment, after)

    def expect_changeable(self, deployment):
        state = deployment.document["lifecycleState"]
        takes = (*LIVE, "INACTIVE") if self.world.settings["inactive_updates"] else LIVE
        if state not in takes:
            message = f"the model deployment is {state}; expected {' or '.join(takes)}"
            raise Refusal(409, "IncorrectState", message)

    def changed_at_once(self, deployment, after):
        deployment.document, deployment.etag = after, new_etag()
        work_request = self.new_work_request(after, 0.0)
        return Answer(200, None, {"opc-work-request-id": work_request.id})

    def begun(self, deployment, after):
        settings = self.world.settings
        work_request = self.new_work_request(after, settings["update_seconds"])
        if deployment.failure:
            message = deployment.failure["message"]
            error = {"code": "InternalServerError", "message": message}
            self.errors[work_request.id] = [{**error, "timestamp": iso(work_request.end)}]
        deployment.begin(after, work_request, settings["tags_visible"] == "at_once")
        return Answer(200, None, {"opc-work-request-id": work_request.id})

    def new_work_request(self, document, seconds):
        compartment = document.get("compartmentId")
        made = WorkRequest(
            ocid("datascienceworkrequest"), document["id"], compartment, time.time(), seconds
        )
        self.work_requests[made.id] = made
        return made

    def list_shapes(self, request):
        required(request.query, "compartmentId")
        return self.world.page(request, [shape.summary for shape in SHAPES.values()])

    def list_work_requests(self, request):
        query = request.query
        compartment = required(query, "compartmentId")
        found = [work.document for work in self.work_requests.values()]
        found = [one for one in found if one["compartmentId"] == compartment]
        for name in ("id", "operationType", "status"):
            if name in query:
                found = [one for one in found if one[name] == query[name]]
        if "resourceId" in query:
            wanted = query["resourceId"]
            found = [one for one in found if one["resources"][0]["identifier"] == wanted]
        return self.world.page(request, in_order(found, query, "timeAccepted", ("timeAccepted",)))

    def get_work_request(self, request, id):
        if id not in self.work_requests:
            raise not_found()
        return Answer(200, self.work_requests[id].document)

    def list_errors(self, request, id):
        if id not in self.work_requests:
            raise not_found()
        return self.world.page(request, self.errors.get(id, []))

    # What a test may do behind the API's back.

    def put(self, document):
        """Takes a whole GET body; what it leaves out is as for a deployment in service."""
        document.setdefault("lifecycleState", "ACTIVE")
        document.setdefault("timeCreated", iso(time.time()))
        deployment = Deployment(document)
        self.deployments[document["id"]] = deployment
        return {"etag": deployment.etag}

    def known(self, id):
        if id not in self.deployments:
            raise LookupError(f"no deployment {id}")
        deployment = self.deployments[id]
        deployment.settle()
        return deployment

    def remove(self, id):
        self.known(id)
        del self.deployments[id]

    def fail_next(self, id, state="ACTIVE", message="the update failed"):
        if state not in LIVE:
            raise ValueError(f"expected one of {LIVE}, found `{state}`")
        self.known(id).failure = {"state": state, "message": message}

    def finish(self, id):
        """Ends the update that is under way now."""
        deployment = self.known(id)
        if deployment.update:
            deployment.update.work_request.ended = time.time()
            deployment.settle()

    def age(self, id, seconds):
        """Moves the finished work requests of a deployment into the past."""
        self.known(id)
        for work in self.work_requests.values():
            if work.deployment == id:
                work.accepted -= float(seconds)
                work.ended = work.ended and work.ended - float(seconds)

    def state(self):
        for deployment in self.deployments.values():
            deployment.settle()
        return {
            "deployments": {
                id: {"document": copy.deepcopy(one.document), "etag": one.etag}
                for id, one in self.deployments.items()
            },
            "workRequests": [work.document for work in self.work_requests.values()],
        }
