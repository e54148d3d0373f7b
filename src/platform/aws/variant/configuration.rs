//! Endpoint configurations: immutable, so a change of the instance type needs a modified copy.
//!
//! A copy is made from the API's whole document, so that it keeps members which this version does not know. A copy's
//! name is derived from its content: creating it twice creates one. Everybody can foresee such a name, so what exists under
//! it is compared before it is used. A copy whose name is taken gets one that nobody can foresee.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::platform::aws::variant::Endpoint;
use crate::tags::{PREFIX, Tags};

/// The tags that mark a copy as ours: the endpoint that it was made for, and the original configuration.
pub const TAG_ENDPOINT: &str = "stepladder:endpoint";
/// See [`TAG_ENDPOINT`].
pub const TAG_ORIGINAL: &str = "stepladder:original";

/// The tag with the type that a variant was deployed with; the variant's name follows. Each copy inherits it, so that
/// the type is known even if the original has been deleted.
const TAG_DEPLOYED: &str = "stepladder:deployed/";

/// The members that `DescribeEndpointConfig` returns and `CreateEndpointConfig` does not accept.
const READ_ONLY: [&str; 3] = ["EndpointConfigName", "EndpointConfigArn", "CreationTime"];

/// SageMaker's limit on the length of a configuration's name, in bytes.
const LONGEST_NAME: usize = 63;

/// The member for the size of a variant's volume.
const VOLUME: &str = "VolumeSizeInGB";

/// The configuration to make active next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NextConfiguration {
    pub(super) name: String,
    /// The body that creates it; `None` if it is the original, which exists.
    pub(super) body: Option<Value>,
    pub(super) notes: Vec<String>,
}

/// The active configuration with another type for one variant: the original if it has the same content, otherwise a
/// copy.
pub(super) fn next(
    endpoint: &Endpoint,
    endpoint_name: &str,
    variant: &str,
    shape: &str,
    now: Timestamp,
) -> NextConfiguration {
    let mut body = writable(&endpoint.configuration);
    let mut notes = Vec::new();
    if let Some(entry) = variants_mut(&mut body).iter_mut().find(|entry| is_named(entry, variant)) {
        let original = endpoint.original.as_ref().and_then(|original| find(original, variant));
        set_type(entry, shape, original, &mut notes);
    }
    if let Some(original) = &endpoint.original
        && writable(original) == body
    {
        return NextConfiguration { name: name(original).to_owned(), body: None, notes };
    }
    let mut name = name_for(endpoint_name, shape, &body);
    if endpoint.taken.contains(&name) {
        let free = name_for(endpoint_name, shape, &json!([&body, now.to_string()]));
        notes.push(format!(
            "somebody else's configuration is called `{name}`, so the copy is called `{free}`"
        ));
        name = free;
    }
    if let Value::Object(members) = &mut body {
        members.insert("EndpointConfigName".to_owned(), json!(name));
        members.insert("Tags".to_owned(), tags(endpoint, endpoint_name, variant));
    }
    NextConfiguration { name, body: Some(body), notes }
}

/// Whether what exists under a copy's name is that copy: the same content, and the same tags of stepladder.
pub fn is_the_copy(existing: &Value, existing_tags: &Tags, body: &Value) -> bool {
    let ours = |tags: &Tags| -> Tags {
        tags.iter()
            .filter(|(key, _)| key.starts_with(PREFIX))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let mut content = writable(body);
    let tags = content.as_object_mut().and_then(|members| members.remove("Tags")).unwrap_or_default();
    let tags = tags.as_array().map(Vec::as_slice).unwrap_or_default();
    is_equal(&writable(existing), &content) && ours(existing_tags) == ours(&tags_from(tags))
}

/// Whether two documents have the same content. A service may write a number in another way than it was sent.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| is_equal(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_equal(one, other))
        }
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

/// Sets a variant's type. Families with local storage refuse `VolumeSizeInGB`, so it is removed for them, and restored
/// for a type that accepts it.
fn set_type(entry: &mut Value, shape: &str, original: Option<&Value>, notes: &mut Vec<String>) {
    let Value::Object(members) = entry else { return };
    members.insert("InstanceType".to_owned(), json!(shape));
    if brings_storage(shape) {
        if let Some(size) = members.remove(VOLUME) {
            notes.push(format!("`{shape}` brings its own storage: the volume of {size} GB is left out"));
        }
    } else if let Some(size) =
        original.and_then(|original| original.get(VOLUME)).filter(|size| !size.is_null())
    {
        members.entry(VOLUME).or_insert_with(|| size.clone());
    }
}

/// Families with local storage, for which `VolumeSizeInGB` is refused: those with a `d` in their name, and some
/// accelerated ones.
fn brings_storage(shape: &str) -> bool {
    let family = shape.strip_prefix("ml.").unwrap_or(shape).split('.').next().unwrap_or_default();
    family.contains('d') || ["g5", "g6", "trn1"].iter().any(|start| family.starts_with(start))
}

/// The members of a configuration that `CreateEndpointConfig` accepts.
fn writable(document: &Value) -> Value {
    let mut copy = without_nulls(document);
    if let Value::Object(members) = &mut copy {
        members.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
    }
    copy
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The tags of a copy: those of its source, except the reserved ones of AWS. A copy of a copy inherits our tags about
/// the original.
fn tags(endpoint: &Endpoint, endpoint_name: &str, variant: &str) -> Value {
    let ours = is_copy(endpoint, endpoint_name);
    let original = endpoint.configuration_tags.get(TAG_ORIGINAL).filter(|_| ours);
    let original = original.map_or_else(|| name(&endpoint.configuration), String::as_str);
    let inherited = |key: &str| ours && key.starts_with(TAG_DEPLOYED);
    let reserved = |key: &str| key.starts_with("aws:") || (key.starts_with(PREFIX) && !inherited(key));
    let mut tags: Tags = endpoint.configuration_tags.clone();
    tags.retain(|key, _| !reserved(key));
    tags.insert(TAG_ENDPOINT.to_owned(), endpoint_name.to_owned());
    tags.insert(TAG_ORIGINAL.to_owned(), original.to_owned());
    if let Some(deployed) = floor(endpoint, endpoint_name, variant) {
        tags.insert(format!("{TAG_DEPLOYED}{variant}"), deployed.to_owned());
    }
    tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Whether the active configuration is stepladder's copy for this endpoint. Somebody else's copy of it has another
/// name.
fn is_copy(endpoint: &Endpoint, endpoint_name: &str) -> bool {
    name(&endpoint.configuration).starts_with(&prefix(endpoint_name))
        && is_ours(&endpoint.configuration_tags, endpoint_name)
}

/// The common prefix of the names of all copies for one endpoint.
///
/// ```
/// use stepladder::platform::aws::variant::configuration::prefix;
/// assert!(prefix("churn").starts_with("stepladder-churn-"));
/// assert_ne!(prefix("a-name-that-is-too-long-1"), prefix("a-name-that-is-too-long-2"));
/// ```
pub fn prefix(endpoint: &str) -> String {
    let short: String = endpoint.chars().take(16).collect();
    format!("stepladder-{short}-{}-", digest(endpoint.as_bytes(), 6))
}

/// The name of a copy: the endpoint, the type, and a digest of the whole content.
fn name_for(endpoint: &str, shape: &str, body: &Value) -> String {
    let shape = shape.replace(['.', '_'], "-");
    let content = digest(body.to_string().as_bytes(), 8);
    let before = prefix(endpoint);
    let room = LONGEST_NAME.saturating_sub(before.len() + 1 + content.len());
    let shape: String = shape.chars().take(room).collect();
    format!("{before}{shape}-{content}")
}

fn digest(bytes: &[u8], letters: usize) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes).iter().take(letters.div_ceil(2)) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(letters);
    text
}

/// Whether a configuration's tags mark it as a copy for this endpoint.
pub fn is_ours(tags: &Tags, endpoint: &str) -> bool {
    tags.get(TAG_ENDPOINT).is_some_and(|owner| owner == endpoint)
}

/// A configuration's name.
pub fn name(document: &Value) -> &str {
    document.get("EndpointConfigName").and_then(Value::as_str).unwrap_or_default()
}

/// The type of a variant's instances; `None` for a variant without one.
pub fn shape_of<'a>(document: &'a Value, variant: &str) -> Option<&'a str> {
    find(document, variant)?.get("InstanceType")?.as_str()
}

/// The type that the operator deployed a variant with: from the tag of a copy, else from the active configuration.
pub fn floor<'a>(endpoint: &'a Endpoint, endpoint_name: &str, variant: &str) -> Option<&'a str> {
    let deployed = endpoint.configuration_tags.get(&format!("{TAG_DEPLOYED}{variant}"));
    let deployed = deployed.filter(|_| is_copy(endpoint, endpoint_name));
    deployed.map(String::as_str).or_else(|| shape_of(&endpoint.configuration, variant))
}

/// A production variant's entry in a configuration.
pub fn find<'a>(document: &'a Value, variant: &str) -> Option<&'a Value> {
    listed(document, "ProductionVariants").iter().find(|entry| is_named(entry, variant))
}

/// The most tags of others on a configuration. AWS allows 50 tags; a copy adds two, and one for each changed variant.
const MOST_COPIED_TAGS: usize = 46;
/// The most tags of others on an endpoint: room is kept for the record of a step, and of two infeasible types.
pub(super) const MOST_OTHER_TAGS: usize = 47;

/// Why a variant's type cannot be changed; `None` if it can.
pub fn why_fixed(endpoint: &Endpoint, variant: &str) -> Option<String> {
    let others = |tags: &Tags| tags.keys().filter(|key| !key.starts_with(PREFIX)).count();
    let document = &endpoint.configuration;
    if document.is_null() {
        return Some("its endpoint's configuration has been deleted, so there is nothing to copy".to_owned());
    }
    if others(&endpoint.configuration_tags) > MOST_COPIED_TAGS || others(&endpoint.tags) > MOST_OTHER_TAGS {
        return Some("the endpoint, or its configuration, has no room for another tag".to_owned());
    }
    let entry = find(document, variant)?;
    let why = if has(entry, "ServerlessConfig") {
        "the variant is serverless"
    } else if !pools(entry).is_empty() {
        "its instance pools name its types"
    } else if enables_managed_scaling(entry) {
        "its managed instance scaling owns its instances"
    } else if !has(entry, "ModelName") {
        "it hosts inference components, which are scaled by their copies"
    } else if !listed(document, "ShadowProductionVariants").is_empty() {
        "a shadow variant is being compared with it on this type"
    } else if !has(entry, "InstanceType") {
        "SageMaker reports no type for it"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// Whether a variant's entry has a member that is not null.
pub(super) fn has(entry: &Value, member: &str) -> bool {
    entry.get(member).is_some_and(|value| !value.is_null())
}

/// The instance pools of a variant's entry.
pub(super) fn pools(entry: &Value) -> &[Value] {
    listed(entry, "InstancePools")
}

/// Whether a variant's entry enables SageMaker's managed instance scaling.
pub(super) fn enables_managed_scaling(entry: &Value) -> bool {
    entry.pointer("/ManagedInstanceScaling/Status").and_then(Value::as_str) == Some("ENABLED")
}

fn listed<'a>(document: &'a Value, member: &str) -> &'a [Value] {
    document.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn variants_mut(body: &mut Value) -> &mut [Value] {
    let found = body.get_mut("ProductionVariants").and_then(Value::as_array_mut);
    found.map(Vec::as_mut_slice).unwrap_or_default()
}

fn is_named(entry: &Value, variant: &str) -> bool {
    entry.get("VariantName").and_then(Value::as_str) == Some(variant)
}

/// Reads tags from the API's list of `{Key, Value}`.
pub fn tags_from(listed: &[Value]) -> Tags {
    let text = |tag: &Value, field: &str| tag.get(field).and_then(Value::as_str).map(str::to_owned);
    listed.iter().filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(shape: &str) -> Value {
        json!({
            "EndpointConfigName": "churn", "EndpointConfigArn": "arn", "CreationTime": 1.0,
            "KmsKeyId": "key", "Unheard": { "of": [1, 2.5, "x"] }, "VpcConfig": null,
            "ProductionVariants": [
                { "VariantName": "a", "ModelName": "m", "InstanceType": shape, "VolumeSizeInGB": 30 },
                { "VariantName": "b", "ModelName": "m", "InstanceType": "ml.c5.large" },
            ],
        })
    }

    fn endpoint(configuration: Value) -> Endpoint {
        Endpoint { configuration, ..Endpoint::default() }
    }

    fn step(endpoint: &Endpoint, shape: &str) -> NextConfiguration {
        next(endpoint, "churn", "a", shape, Timestamp::UNIX_EPOCH)
    }

    /// The endpoint after the copy became active.
    fn after(endpoint: Endpoint, next: &NextConfiguration) -> Endpoint {
        let mut configuration = next.body.clone().unwrap();
        let configuration_tags = tags_from(listed(&configuration, "Tags"));
        configuration.as_object_mut().unwrap().remove("Tags");
        let original = endpoint.original.clone().or(Some(endpoint.configuration));
        Endpoint { configuration, configuration_tags, original, ..Endpoint::default() }
    }

    #[test]
    fn a_copy_differs_in_nothing_but_the_type() {
        let copy = step(&endpoint(configuration("ml.m5.large")), "ml.m5.xlarge").body.unwrap();
        let mut expected = configuration("ml.m5.xlarge");
        let expected = expected.as_object_mut().unwrap();
        expected.retain(|name, value| !READ_ONLY.contains(&name.as_str()) && !value.is_null());
        let mut copy = copy.as_object().unwrap().clone();
        assert!(copy.remove("Tags").is_some() && copy.remove("EndpointConfigName").is_some());
        assert_eq!(&copy, expected);
    }

    #[test]
    fn names_follow_from_the_content_and_fit() {
        let plain = endpoint(configuration("ml.m5.large"));
        let up = step(&plain, "ml.m5.xlarge");
        assert_eq!(up, step(&plain, "ml.m5.xlarge"), "the same step twice is one copy");
        assert_ne!(up.name, step(&plain, "ml.m5.2xlarge").name);
        let mut other = plain.clone();
        other.configuration["Unheard"] = json!(1);
        assert_ne!(up.name, step(&other, "ml.m5.xlarge").name, "another content, another name");
        let long = "x".repeat(63);
        for shape in ["ml.m5.large", "ml.p4de.24xlarge", "ml.something-much-longer.1000xlarge"] {
            let name = next(&plain, &long, "a", shape, Timestamp::UNIX_EPOCH).name;
            assert!(name.len() <= LONGEST_NAME, "{name}");
            assert!(name.starts_with(&prefix(&long)) && !name.ends_with('-'), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_taken_is_left_to_its_owner() {
        let plain = endpoint(configuration("ml.m5.large"));
        let foreseen = step(&plain, "ml.m5.xlarge").name;
        let taken = Endpoint { taken: vec![foreseen.clone()], ..plain };
        let at = |second| next(&taken, "churn", "a", "ml.m5.xlarge", Timestamp::from_second(second).unwrap());
        assert!(at(1).name.starts_with(&prefix("churn")) && at(1).name.len() <= LONGEST_NAME);
        assert!(at(1).name != foreseen && at(1).name != at(2).name, "{at:?}", at = at(1));
        assert!(at(1).notes[0].contains(&foreseen));
    }

    #[test]
    fn only_the_copy_itself_is_used_under_its_name() {
        let body = step(&endpoint(configuration("ml.m5.large")), "ml.m5.xlarge").body.unwrap();
        let tags = tags_from(listed(&body, "Tags"));
        // As the service describes it: with read-only members, without tags, and a number in another form.
        let described = |edit: &dyn Fn(&mut Value)| {
            let mut described = body.clone();
            described.as_object_mut().unwrap().remove("Tags");
            described["CreationTime"] = json!(2.0);
            described["ProductionVariants"][0][VOLUME] = json!(30.0);
            edit(&mut described);
            described
        };
        assert!(is_the_copy(&described(&|_| {}), &tags, &body));
        let edits: [&dyn Fn(&mut Value); 6] = [
            &|found| found["ProductionVariants"][0]["ModelName"] = json!("evil"),
            &|found| found["ProductionVariants"][1]["ModelName"] = json!("evil"),
            &|found| found["ProductionVariants"][0][VOLUME] = json!(16000),
            &|found| found["DataCaptureConfig"] = json!({ "DestinationS3Uri": "s3://elsewhere" }),
            &|found| found["KmsKeyId"] = Value::Null,
            &|found| found["ProductionVariants"] = json!([]),
        ];
        for edit in edits {
            let found = described(edit);
            assert!(!is_the_copy(&found, &tags, &body), "{found}");
        }
        let mut forged = tags.clone();
        forged.insert(TAG_ORIGINAL.to_owned(), "elsewhere".to_owned());
        assert!(!is_the_copy(&described(&|_| {}), &forged, &body));
        forged = tags.clone();
        forged.insert("team".to_owned(), "another".to_owned());
        assert!(is_the_copy(&described(&|_| {}), &forged, &body), "tags of others do not matter");
    }

    #[test]
    fn scaling_down_returns_to_the_original_itself() {
        let start = endpoint(configuration("ml.m5.large"));
        let up = step(&start, "ml.m5.xlarge");
        let higher = after(start, &up);
        let further = step(&higher, "ml.m5.2xlarge");
        let tags = tags_from(listed(further.body.as_ref().unwrap(), "Tags"));
        assert_eq!(tags.get(TAG_ORIGINAL).map(String::as_str), Some("churn"));
        let highest = after(higher, &further);
        assert_eq!(
            step(&highest, "ml.m5.large"),
            NextConfiguration { name: "churn".to_owned(), body: None, notes: vec![] }
        );
        // the original has been deleted: its type is still known, and copied
        let orphan = Endpoint { original: None, ..highest };
        assert_eq!(floor(&orphan, "churn", "a"), Some("ml.m5.large"));
        let down = after(orphan.clone(), &step(&orphan, "ml.m5.large"));
        assert_eq!(down.configuration_tags.get(TAG_ORIGINAL).map(String::as_str), Some("churn"));
        assert_eq!(floor(&down, "churn", "a"), Some("ml.m5.large"));
        // a copy that somebody else made is theirs
        let mut theirs = orphan;
        theirs.configuration["EndpointConfigName"] = json!("mine");
        assert_eq!(floor(&theirs, "churn", "a"), Some("ml.m5.2xlarge"));
    }

    #[test]
    fn a_volume_is_removed_where_it_is_refused_and_restored() {
        let volume =
            |next: &NextConfiguration| find(next.body.as_ref().unwrap(), "a").unwrap().get(VOLUME).cloned();
        let start = endpoint(configuration("ml.m5.large"));
        let refused = step(&start, "ml.g5.xlarge");
        assert_eq!(volume(&refused), None);
        assert!(refused.notes[0].contains("30 GB"));
        let back = step(&after(start, &refused), "ml.m5.xlarge");
        assert_eq!(volume(&back), Some(json!(30)));
    }

    #[test]
    fn tags_are_copied_except_those_of_aws_and_stepladder() {
        let tags = [("team", "ml"), ("aws:cloudformation:stack", "s"), ("stepladder:endpoint", "old")];
        let configuration_tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let start = Endpoint { configuration_tags, ..endpoint(configuration("ml.m5.large")) };
        let copied = tags_from(listed(&step(&start, "ml.m5.xlarge").body.unwrap(), "Tags"));
        let deployed = "stepladder:deployed/a";
        let expected =
            [("team", "ml"), (TAG_ENDPOINT, "churn"), (TAG_ORIGINAL, "churn"), (deployed, "ml.m5.large")];
        assert_eq!(copied, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn some_types_cannot_be_changed() {
        let with = |members: Value| {
            let mut document = configuration("ml.m5.large");
            let entry = document["ProductionVariants"][0].as_object_mut().unwrap();
            entry.extend(members.as_object().unwrap().clone());
            endpoint(document)
        };
        let rows = [
            (with(json!({ "ServerlessConfig": { "MaxConcurrency": 5 } })), "serverless"),
            (with(json!({ "InstancePools": [{ "InstanceType": "ml.m5.large" }] })), "pools"),
            (with(json!({ "ManagedInstanceScaling": { "Status": "ENABLED" } })), "managed"),
            (with(json!({ "ModelName": null })), "inference components"),
            (with(json!({ "InstanceType": null })), "no type"),
        ];
        for (document, why) in rows {
            assert!(why_fixed(&document, "a").unwrap().contains(why), "{why}");
        }
        let mut shadowed = configuration("ml.m5.large");
        shadowed["ShadowProductionVariants"] = json!([{ "VariantName": "shadow" }]);
        assert!(why_fixed(&endpoint(shadowed), "a").unwrap().contains("shadow"));
        // deleted under the endpoint
        assert!(why_fixed(&endpoint(Value::Null), "a").unwrap().contains("deleted"));
        // no room for a tag, on either
        let many = |count: usize| (0..count).map(|number| (number.to_string(), String::new())).collect();
        let crowded = Endpoint { tags: many(48), ..endpoint(configuration("ml.m5.large")) };
        assert!(why_fixed(&crowded, "a").unwrap().contains("no room"));
        let crowded = Endpoint { configuration_tags: many(49), ..endpoint(configuration("ml.m5.large")) };
        assert!(why_fixed(&crowded, "a").unwrap().contains("no room"));
        // what is switched off, or empty, does not prevent a change
        let idle = with(json!({ "ManagedInstanceScaling": { "Status": "DISABLED" }, "InstancePools": [] }));
        assert_eq!(why_fixed(&idle, "a"), None);
        assert_eq!(why_fixed(&endpoint(configuration("ml.m5.large")), "a"), None);
    }
}
