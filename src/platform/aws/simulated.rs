//! Simulated SageMaker endpoints: their configurations, their tags, and their place in Application Auto
//! Scaling.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::alarm::{TargetId, TargetKind};
use crate::call::AlarmDefinition;
use crate::deployment::{Endpoint, Lifecycle, NativeScaling, Tags};
use crate::platform::Error;
use crate::platform::aws::variant::configuration::{self, TAG_ORIGINAL};
use crate::platform::simulated::lifecycle;
use crate::platform::simulated::world::{
    PendingUpdate, World, WorldAlarm, WorldConfiguration, WorldEndpoint,
};

/// The account and region of everything on the simulated AWS.
const ARN: &str = "arn:aws:sagemaker:us-east-1:111122223333:endpoint/";

impl World {
    /// An endpoint as it is; one that was never touched has a configuration under its own name.
    pub(in crate::platform) fn endpoint(&self, name: &str) -> WorldEndpoint {
        let untouched = || WorldEndpoint { configuration: name.to_owned(), ..WorldEndpoint::default() };
        self.endpoints.get(name).cloned().unwrap_or_else(untouched)
    }

    /// A configuration by its name; that of an untouched endpoint is made up of its variants.
    fn configuration(&self, name: &str) -> Option<WorldConfiguration> {
        let made_up = || {
            let entry = |id: &TargetId, shape: &str, instances: u32| {
                let (_, variant) = id.endpoint_and_variant()?;
                Some(json!({ "VariantName": variant, "ModelName": "simulated", "InstanceType": shape,
                    "InitialInstanceCount": instances }))
            };
            let variants: Vec<Value> = self
                .variants(name)
                .filter_map(|(id, found)| entry(&id, &found.shape, found.instances))
                .collect();
            (!variants.is_empty()).then(|| WorldConfiguration {
                document: json!({ "EndpointConfigName": name, "ProductionVariants": variants }),
                tags: Tags::new(),
                created: Timestamp::UNIX_EPOCH,
            })
        };
        let touched = self.endpoints.contains_key(name);
        self.configurations.get(name).cloned().or_else(|| if touched { None } else { made_up() })
    }

    fn variants<'a>(
        &'a self,
        endpoint: &'a str,
    ) -> impl Iterator<Item = (TargetId, &'a crate::platform::simulated::world::SimulatedDeployment)> {
        self.deployments.iter().filter_map(move |(id, found)| {
            let id = TargetId { kind: TargetKind::SagemakerVariant, id: id.clone() };
            let here = id.endpoint_and_variant().is_some_and(|(name, _)| name == endpoint);
            here.then_some((id, found))
        })
    }

    /// All that a change of type depends on.
    pub(in crate::platform) fn whole_endpoint(&self, target: &TargetId) -> Option<Endpoint> {
        let (name, _) = target.endpoint_and_variant()?;
        let WorldEndpoint { configuration: effective, next, tags } = self.endpoint(name);
        let gone = || WorldConfiguration { document: Value::Null, tags: Tags::new(), created: self.clock };
        let current = self.configuration(&effective).unwrap_or_else(gone);
        let original = current.tags.get(TAG_ORIGINAL).and_then(|name| self.configuration(name));
        let next = next.map(|(name, _)| name);
        let ours = |(name_of, found): &(&String, &WorldConfiguration)| {
            configuration::is_ours(&found.tags, name)
                && **name_of != effective
                && Some(*name_of) != next.as_ref()
        };
        let superseded = self.configurations.iter().filter(ours);
        Some(Endpoint {
            arn: format!("{ARN}{name}"),
            tags,
            configuration: current.document,
            configuration_tags: current.tags,
            original: original.map(|found| found.document),
            superseded: superseded.map(|(name, found)| (name.clone(), Some(found.created))).collect(),
            native: self.native(target),
        })
    }

    /// What Application Auto Scaling tells of a variant, with the alarms that call its policies now.
    pub(in crate::platform) fn native(&self, target: &TargetId) -> NativeScaling {
        let mut native = self.scalable.get(&target.id).cloned().unwrap_or_default();
        for policy in &mut native.policies {
            let arn = policy.get("PolicyARN").and_then(Value::as_str).unwrap_or_default();
            let calls = |alarm: &&WorldAlarm| alarm.definition.notifies().iter().any(|action| action == arn);
            let alarms: Vec<Value> = self
                .alarms
                .iter()
                .filter(calls)
                .map(|alarm| json!({ "AlarmName": alarm.id, "On": [] }))
                .collect();
            policy["Alarms"] = json!(alarms);
        }
        native
    }

    pub(in crate::platform) fn create_endpoint_config(&mut self, body: &Value) -> String {
        let name = configuration::name(body).to_owned();
        if self.configurations.contains_key(&name) {
            return "exists already".to_owned();
        }
        let tags = body.get("Tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let tags = configuration::tags_from(tags);
        let mut document = body.clone();
        if let Value::Object(members) = &mut document {
            members.remove("Tags");
        }
        self.configurations.insert(name, WorldConfiguration { document, tags, created: self.clock });
        "created".to_owned()
    }

    pub(in crate::platform) fn update_endpoint(
        &mut self,
        endpoint: &str,
        name: &str,
    ) -> Result<String, Error> {
        let operation = "aws:UpdateEndpoint";
        let refused = |message: String| Error::RejectedChange { operation: operation.to_owned(), message };
        let found = self.configuration(name).ok_or_else(|| {
            refused(format!("ValidationException: Could not find endpoint configuration \"{name}\""))
        })?;
        let completes = self.clock.checked_add(self.update_takes()).unwrap_or(self.clock);
        let mut changes = Vec::new();
        for (id, now) in self.variants(endpoint) {
            let status = now.status_of(TargetKind::SagemakerVariant);
            if lifecycle(TargetKind::SagemakerVariant, &status) == Lifecycle::Busy {
                let message =
                    format!("ValidationException: Cannot update in-progress endpoint \"{ARN}{endpoint}\"");
                return Err(Error::InProgress { operation: operation.to_owned(), message });
            }
            let (_, variant) = id.endpoint_and_variant().unwrap_or_default();
            let shape = configuration::shape_of(&found.document, variant).unwrap_or(&now.shape).to_owned();
            self.may_become(&id, &now.shape, &shape)?;
            changes.push((id.id, PendingUpdate::new(now.instances, &shape, completes)));
        }
        self.touch(endpoint);
        for (id, change) in changes {
            if let Some(resource) = self.deployments.get_mut(&id) {
                resource.begin(change);
            }
        }
        if let Some(known) = self.endpoints.get_mut(endpoint) {
            known.next = Some((name.to_owned(), completes));
        }
        Ok("accepted, Updating".to_owned())
    }

    fn may_become(&self, id: &TargetId, from: &str, to: &str) -> Result<(), Error> {
        let operation = "aws:UpdateEndpoint".to_owned();
        if from != to && self.native(id).target.is_some() {
            let message = format!("ValidationException: `{id}` is registered as a scalable target");
            return Err(Error::RejectedChange { operation, message });
        }
        if from != to && self.unavailable.iter().any(|shape| shape == to) {
            let message = format!(
                "ResourceLimitExceeded: The account-level service limit '{to} for endpoint usage' is 0 Instances"
            );
            return Err(Error::OverQuota { operation, message });
        }
        Ok(())
    }

    /// Before an endpoint leaves the configuration that is made up of its variants, that is written down.
    fn touch(&mut self, endpoint: &str) {
        let known = self.endpoint(endpoint);
        if let Some(found) = self.configuration(&known.configuration) {
            self.configurations.entry(known.configuration.clone()).or_insert(found);
        }
        self.endpoints.entry(endpoint.to_owned()).or_insert(known);
    }

    pub(in crate::platform) fn delete_endpoint_config(&mut self, name: &str) -> String {
        let gone = self.configurations.remove(name).is_none();
        if gone { "gone already" } else { "deleted" }.to_owned()
    }

    /// The tags of the endpoint of this ARN.
    pub(in crate::platform) fn retag(&mut self, arn: &str, change: impl FnOnce(&mut Tags)) -> String {
        let name = arn.strip_prefix(ARN).unwrap_or(arn).to_owned();
        self.touch(&name);
        self.endpoints.entry(name).and_modify(|known| change(&mut known.tags));
        "noted".to_owned()
    }

    /// Puts the configurations in force whose time has come.
    pub(in crate::platform) fn settle_endpoints(&mut self, now: Timestamp) {
        for known in self.endpoints.values_mut() {
            if let Some((name, _)) = known.next.take_if(|(_, completes)| *completes <= now) {
                known.configuration = name;
            }
        }
    }

    /// Policies go with their target, and alarms lose their calls of them.
    pub(in crate::platform) fn deregister(&mut self, target: &str) -> String {
        let Some(gone) = self.scalable.remove(target) else { return "out already".to_owned() };
        let of_policy = |action: &String| {
            gone.policies.iter().any(|policy| policy.get("PolicyARN").and_then(Value::as_str) == Some(action))
        };
        for alarm in &mut self.alarms {
            if let AlarmDefinition::Cloudwatch(alarm) = &mut alarm.definition {
                alarm.actions.retain(|action| !of_policy(action));
            }
        }
        "taken out, with its policies and actions".to_owned()
    }

    pub(in crate::platform) fn register(&mut self, body: &Value) -> String {
        self.scalable.entry(resource_id(body)).or_default().target = Some(body.clone());
        "registered".to_owned()
    }

    pub(in crate::platform) fn put_scaling_policy(&mut self, body: &Value) -> String {
        self.created += 1;
        let mut policy = body.clone();
        policy["PolicyARN"] = json!(format!("arn:aws:autoscaling:simulated:{}", self.created));
        replace(&mut self.scalable.entry(resource_id(body)).or_default().policies, "PolicyName", policy);
        "written".to_owned()
    }

    pub(in crate::platform) fn put_scheduled_action(&mut self, body: &Value) -> String {
        let actions = &mut self.scalable.entry(resource_id(body)).or_default().scheduled;
        replace(actions, "ScheduledActionName", body.clone());
        "written".to_owned()
    }
}

fn replace(all: &mut Vec<Value>, key: &str, one: Value) {
    all.retain(|known| known.get(key) != one.get(key));
    all.push(one);
}

fn resource_id(body: &Value) -> String {
    body.get("ResourceId").and_then(Value::as_str).unwrap_or_default().to_owned()
}
