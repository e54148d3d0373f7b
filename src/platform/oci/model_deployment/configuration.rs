//! A model deployment's configuration: reads its size, and changes one setting of it.
//!
//! Deployments of one model and deployments of a group of models have the same settings at different paths.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::deployment::Owner;
use crate::size::{Axis, Flex, Size};

/// The member with the settings of a deployment of one model.
const OF_A_MODEL: &str = "modelConfigurationDetails";
/// The member with the settings of a deployment of a group of models.
const OF_A_GROUP: &str = "infrastructureConfigurationDetails";
/// The member with the group itself, which every update must contain.
const GROUP: &str = "modelGroupConfigurationDetails";

const COUNT: [&str; 2] = ["scalingPolicy", "instanceCount"];
const SHAPE: [&str; 2] = ["instanceConfiguration", "instanceShapeName"];
const FLEX: &str = "modelDeploymentInstanceShapeConfigDetails";
const BANDWIDTH: [&str; 1] = ["bandwidthMbps"];

/// The value at a path.
fn leaf_of<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(*name))
}

fn leaf_mut<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, name| value.get_mut(*name))
}

/// The size in a configuration, and which of its axes can be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfiguredSize {
    /// The configured size, with its bandwidth.
    pub size: Size,
    /// The axes that cannot be changed, with the reasons.
    pub fixed: BTreeMap<Axis, String>,
    /// The axes that the service itself scales.
    pub owners: BTreeMap<Axis, Owner>,
}

impl ConfiguredSize {
    /// The size for an evaluation of one axis. It has a bandwidth only for that axis.
    pub fn size_for(&self, axis: Axis) -> Size {
        let bandwidth_mbps = self.size.bandwidth_mbps.filter(|_| axis == Axis::Bandwidth);
        Size { bandwidth_mbps, ..self.size.clone() }
    }
}

/// Reads a configuration. `running` is the current number of instances, which a configuration with native autoscaling
/// does not contain.
pub fn read(configuration: &Value, running: Option<u32>) -> ConfiguredSize {
    let mut fixed = BTreeMap::new();
    let settings = settings(configuration).unwrap_or_else(|why| {
        fixed.extend([Axis::Instances, Axis::Shape, Axis::Bandwidth].map(|axis| (axis, why.clone())));
        &Value::Null
    });
    let count = leaf_of(settings, &COUNT).and_then(whole);
    let shape = leaf_of(settings, &SHAPE).and_then(Value::as_str);
    let flex = leaf_of(settings, &["instanceConfiguration", FLEX]).filter(|flex| !flex.is_null());
    let flex_size = flex.and_then(read_flex);
    let bandwidth = leaf_of(settings, &BANDWIDTH).and_then(whole);
    let owners = owners(settings);
    if count.is_none() && !owners.contains_key(&Axis::Instances) {
        let why = "its scaling policy has no `instanceCount`: expected `FIXED_SIZE`".to_owned();
        fixed.entry(Axis::Instances).or_insert(why);
    }
    if let (Some(flex), None) = (flex, flex_size) {
        let why = format!("its flexible shape is made `{flex}`: expected whole `ocpus` and `memoryInGBs`");
        fixed.entry(Axis::Shape).or_insert(why);
    }
    for (axis, leaf, exists) in [
        (Axis::Shape, SHAPE.join("/"), shape.is_some()),
        (Axis::Bandwidth, BANDWIDTH.join("/"), bandwidth.is_some()),
    ] {
        if !exists {
            fixed.entry(axis).or_insert_with(|| format!("its description has no `{leaf}`"));
        }
    }
    if flex.is_none() && shape.is_some_and(|shape| shape.ends_with(".Flex")) {
        let why = "its description does not report the OCPUs and memory of its flexible shape".to_owned();
        fixed.entry(Axis::Shape).or_insert(why);
    }
    let size = Size {
        instances: count.or(running).unwrap_or_default(),
        shape: shape.unwrap_or_default().to_owned(),
        flex: flex_size,
        bandwidth_mbps: bandwidth,
    };
    ConfiguredSize { size, fixed, owners }
}

/// The configuration of an update: the one that was read, with one setting changed, so that nothing else is reset. The
/// document is only built when the update is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    read: Arc<Value>,
    setting: ChangedSetting,
}

/// The setting that an update changes, with its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ChangedSetting {
    Count(u32),
    Bandwidth(u32),
    Shape(String, Option<Flex>),
}

impl ChangedSetting {
    fn path(&self) -> &'static [&'static str] {
        match self {
            Self::Count(_) => &COUNT,
            Self::Bandwidth(_) => &BANDWIDTH,
            Self::Shape(..) => &SHAPE,
        }
    }

    fn put(&self, settings: &mut Value) {
        let value = match self {
            Self::Count(number) | Self::Bandwidth(number) => json!(number),
            Self::Shape(name, _) => json!(name),
        };
        if let Some(leaf) = leaf_mut(settings, self.path()) {
            *leaf = value;
        }
        if let (Self::Shape(_, flex), Some(instance)) = (self, settings.get_mut("instanceConfiguration")) {
            set_flex(instance, *flex);
        }
    }
}

impl Update {
    /// The update that changes one axis to that of a size; `None` for the bandwidth of a size that has none. [`read`]
    /// reports an axis as fixed if the configuration has no setting for it.
    pub fn to(read: &Arc<Value>, axis: Axis, to: &Size) -> Option<Self> {
        let setting = match axis {
            Axis::Instances => ChangedSetting::Count(to.instances),
            Axis::Bandwidth => ChangedSetting::Bandwidth(to.bandwidth_mbps?),
            Axis::Shape => ChangedSetting::Shape(to.shape.clone(), to.flex),
        };
        Some(Self { read: Arc::clone(read), setting })
    }

    /// `modelDeploymentConfigurationDetails` of the request.
    pub fn body(&self) -> Value {
        let mut members = Map::new();
        if let Some(RequiredMembers { kind, name, settings, group }) = required_members(&self.read) {
            let mut settings = settings.clone();
            self.setting.put(&mut settings);
            members.insert("deploymentType".to_owned(), kind.clone());
            members.insert(name.to_owned(), settings);
            if let Some(group) = group {
                // A zero-downtime update.
                members.insert("updateType".to_owned(), json!("ZDT"));
                members.insert(GROUP.to_owned(), group.clone());
            }
        }
        Value::Object(members)
    }
}

/// What an update changes, in the API's own words.
impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = read(&self.read, None).size;
        match &self.setting {
            ChangedSetting::Count(count) => write!(f, "instanceCount {} → {count}", from.instances),
            ChangedSetting::Bandwidth(bandwidth) => {
                write!(f, "bandwidthMbps {} → {bandwidth}", from.bandwidth_mbps.unwrap_or_default())
            }
            ChangedSetting::Shape(shape, flex) => {
                let to = Size { flex: *flex, ..Size::new(0, shape) };
                write!(f, "instanceShapeName {} → {}", from.rung(), to.rung())
            }
        }
    }
}

/// Sets the size of a flexible shape, and removes it for a fixed shape, which does not accept one.
fn set_flex(instance: &mut Value, flex: Option<Flex>) {
    let Some(instance) = instance.as_object_mut() else { return };
    let Some(Flex { ocpus, memory_gib }) = flex else {
        instance.remove(FLEX);
        return;
    };
    // Its other members stay, such as the CPU baseline.
    let existing = instance.get(FLEX).filter(|existing| existing.is_object());
    let mut size = existing.cloned().unwrap_or_else(|| json!({}));
    size["ocpus"] = json!(ocpus);
    size["memoryInGBs"] = json!(memory_gib);
    instance.insert(FLEX.to_owned(), size);
}

/// The members of a configuration that every update must contain.
struct RequiredMembers<'a> {
    kind: &'a Value,
    /// The name of the member with the settings.
    name: &'static str,
    settings: &'a Value,
    /// The group, for a deployment of one.
    group: Option<&'a Value>,
}

/// `None` if one of them is missing.
fn required_members(configuration: &Value) -> Option<RequiredMembers<'_>> {
    let name = settings_name(configuration).ok()?;
    let group = if name == OF_A_GROUP { Some(configuration.get(GROUP)?) } else { None };
    Some(RequiredMembers {
        kind: configuration.get("deploymentType")?,
        name,
        settings: configuration.get(name)?,
        group,
    })
}

/// The name of the member with the settings of the size, or the reason why there is none.
fn settings_name(configuration: &Value) -> Result<&'static str, String> {
    let word = |path: &[&str]| leaf_of(configuration, path).and_then(Value::as_str).unwrap_or_default();
    match word(&["deploymentType"]) {
        "SINGLE_MODEL" => Ok(OF_A_MODEL),
        "MODEL_GROUP" => match word(&[OF_A_GROUP, "infrastructureType"]) {
            "INSTANCE_POOL" => Ok(OF_A_GROUP),
            other => Err(format!("its infrastructure is `{other}`: expected `INSTANCE_POOL`")),
        },
        other => Err(format!("its deployment type is `{other}`: expected `SINGLE_MODEL` or `MODEL_GROUP`")),
    }
}

fn settings(configuration: &Value) -> Result<&Value, String> {
    let name = settings_name(configuration)?;
    let member = |name| configuration.get(name).ok_or_else(|| format!("its description has no `{name}`"));
    if name == OF_A_GROUP {
        member(GROUP)?;
    }
    member(name)
}

/// The axes that the service itself scales.
fn owners(settings: &Value) -> BTreeMap<Axis, Owner> {
    let most = settings.get("maximumBandwidthMbps").filter(|most| !most.is_null());
    let balancer = most.map(|_| "the load balancer's own autoscaling (`maximumBandwidthMbps`)".to_owned());
    let all = [(Axis::Instances, autoscaling(settings)), (Axis::Bandwidth, balancer)];
    let owner = |who| Owner { who, can_be_suspended: false };
    all.into_iter().filter_map(|(axis, who)| Some((axis, owner(who?)))).collect()
}

/// The deployment's native autoscaling of the count; `None` without one. Even if it is switched off, the count cannot
/// be set while it exists.
fn autoscaling(settings: &Value) -> Option<String> {
    let policy = settings.get("scalingPolicy")?;
    let native = policy.get("policyType").and_then(Value::as_str) == Some("AUTOSCALING");
    let enabled = policy.get("isEnabled").and_then(Value::as_bool).unwrap_or(true);
    let word = if enabled { "" } else { ", which is switched off" };
    native.then(|| format!("the deployment's own `AUTOSCALING` policy{word}"))
}

fn read_flex(flex: &Value) -> Option<Flex> {
    let number = |key: &str| flex.get(key).and_then(whole);
    Some(Flex { ocpus: number("ocpus")?, memory_gib: number("memoryInGBs")? })
}

/// A whole number, which the API may write as `2.0`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
fn whole(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    fits.then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &[&str]) -> String {
        format!("/{}", names.join("/"))
    }

    fn model() -> Value {
        json!({
            "deploymentType": "SINGLE_MODEL",
            "modelConfigurationDetails": {
                "modelId": "m",
                "bandwidthMbps": 10,
                "maximumBandwidthMbps": null,
                "instanceConfiguration": {
                    "instanceShapeName": "VM.Standard.E4.Flex",
                    "modelDeploymentInstanceShapeConfigDetails": {
                        "ocpus": 2.0, "memoryInGBs": 32.0, "cpuBaseline": "BASELINE_1_1",
                    },
                    "subnetId": "s",
                },
                "scalingPolicy": { "policyType": "FIXED_SIZE", "instanceCount": 3 },
                "unheardOf": [1],
            },
            "environmentConfigurationDetails": { "environmentConfigurationType": "DEFAULT" },
        })
    }

    fn group() -> Value {
        let mut settings = model()["modelConfigurationDetails"].clone();
        settings["infrastructureType"] = json!("INSTANCE_POOL");
        json!({
            "deploymentType": "MODEL_GROUP",
            "modelGroupConfigurationDetails": { "modelGroupId": "g" },
            "infrastructureConfigurationDetails": settings,
        })
    }

    fn size() -> Size {
        let flex = Some(Flex { ocpus: 2, memory_gib: 32 });
        Size { instances: 3, shape: "VM.Standard.E4.Flex".to_owned(), flex, bandwidth_mbps: Some(10) }
    }

    /// The paths at which two documents differ.
    fn differences(a: &Value, b: &Value, at: &str, found: &mut Vec<String>) {
        match (a, b) {
            (Value::Object(one), Value::Object(other)) => {
                for key in one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))) {
                    let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                    differences(a, b, &format!("{at}/{key}"), found);
                }
            }
            _ if a != b => found.push(at.to_owned()),
            _ => {}
        }
    }

    #[test]
    fn an_update_changes_one_setting_and_resets_nothing() {
        let flex = Some(Flex { ocpus: 4, memory_gib: 64 });
        let shape_config = "/instanceConfiguration/modelDeploymentInstanceShapeConfigDetails";
        let rows: [(Axis, Size, Vec<String>); 4] = [
            (Axis::Instances, Size { instances: 4, ..size() }, vec![path(&COUNT)]),
            (Axis::Bandwidth, Size { bandwidth_mbps: Some(20), ..size() }, vec![path(&BANDWIDTH)]),
            // the size of a flexible shape is two numbers
            (
                Axis::Shape,
                Size { flex, ..size() },
                vec![format!("{shape_config}/memoryInGBs"), format!("{shape_config}/ocpus")],
            ),
            // a fixed shape has no such size
            (
                Axis::Shape,
                Size { flex: None, shape: "VM.Standard2.1".to_owned(), ..size() },
                vec![path(&SHAPE), shape_config.to_owned()],
            ),
        ];
        for (axis, to, expected) in rows {
            for (configuration, settings) in [(model(), OF_A_MODEL), (group(), OF_A_GROUP)] {
                let update = Update::to(&Arc::new(configuration.clone()), axis, &to).unwrap().body();
                let mut found = Vec::new();
                differences(&configuration[settings], &update[settings], "", &mut found);
                found.sort();
                let mut expected = expected.clone();
                expected.sort();
                assert_eq!(found, expected, "{axis}");
            }
        }
    }

    #[test]
    fn an_update_contains_the_required_members_and_no_others() {
        let keys = |value: Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let update = |read| Update::to(&Arc::new(read), Axis::Instances, &size()).unwrap().body();
        assert_eq!(keys(update(model())), ["deploymentType", OF_A_MODEL]);
        let of_a_group = keys(update(group()));
        assert_eq!(of_a_group, ["deploymentType", OF_A_GROUP, GROUP, "updateType"]);
    }

    #[test]
    fn the_size_is_read_from_both_kinds_of_configurations() {
        for configuration in [model(), group()] {
            let configured = read(&configuration, Some(7));
            assert_eq!(
                configured,
                ConfiguredSize { size: size(), fixed: BTreeMap::new(), owners: BTreeMap::new() }
            );
        }
    }

    #[test]
    fn a_fixed_axis_is_reported_with_the_reason() {
        let edited = |path: &str, value: Value| {
            let mut configuration = model();
            *configuration.pointer_mut(path).unwrap() = value;
            read(&configuration, Some(7))
        };
        let settings = "/modelConfigurationDetails";
        // native autoscaling owns the count, and the configuration does not contain it
        let native = json!({ "policyType": "AUTOSCALING", "isEnabled": true, "autoScalingPolicies": [] });
        let configured = edited(&format!("{settings}/scalingPolicy"), native);
        assert_eq!(configured.size.instances, 7);
        assert!(configured.owners[&Axis::Instances].who.contains("AUTOSCALING"), "{configured:?}");
        assert_eq!(configured.fixed, BTreeMap::new());
        // switched off, it still has no count that could be set
        let native = json!({ "policyType": "AUTOSCALING", "isEnabled": false });
        let configured = edited(&format!("{settings}/scalingPolicy"), native);
        assert!(configured.owners[&Axis::Instances].who.contains("switched off"), "{configured:?}");
        // a load balancer with a maximum bandwidth scales by itself
        let configured = edited(&format!("{settings}/maximumBandwidthMbps"), json!(20));
        assert!(configured.owners[&Axis::Bandwidth].who.contains("maximumBandwidthMbps"), "{configured:?}");
        // half a core is on no ladder
        let flex = json!({ "ocpus": 0.5, "memoryInGBs": 8 });
        let configured = edited(&format!("{settings}/instanceConfiguration/{FLEX}"), flex);
        assert!(configured.fixed[&Axis::Shape].contains("expected whole"), "{configured:?}");
        // on a managed cluster there are no instances
        let configured = edited("/deploymentType", json!("SINGLE_MODEL_FLEX"));
        assert_eq!(configured.fixed.len(), 3);
        assert!(configured.fixed[&Axis::Shape].contains("SINGLE_MODEL_FLEX"), "{configured:?}");
        let mut managed = group();
        managed[OF_A_GROUP]["infrastructureType"] = json!("MANAGED_COMPUTE_CLUSTER");
        assert_eq!(read(&managed, None).fixed.len(), 3);
        // an empty document does not panic
        assert_eq!(read(&Value::Null, None).fixed.len(), 3);
        // a bandwidth that is not known cannot be set
        let without = Size { bandwidth_mbps: None, ..size() };
        assert_eq!(Update::to(&Arc::new(model()), Axis::Bandwidth, &without), None);
        // an update cannot be built without the group
        let mut without_its_group = group();
        without_its_group.as_object_mut().unwrap().remove(GROUP);
        let configured = read(&without_its_group, None);
        assert_eq!(configured.fixed.len(), 3);
        assert!(configured.fixed[&Axis::Shape].contains(GROUP), "{configured:?}");
    }
}
