//! Who must be allowed to do what, as OCI's policy statements, derived from the calls. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::Operation;
use crate::platform::oci::call::OPERATIONS;
use crate::platform::oci::model_deployment;
use crate::platform::oci::provision::{Desired, Topic};

/// OCI's verbs; each includes those before it.
const VERBS: [&str; 4] = ["inspect", "read", "use", "manage"];

/// Whom statements are about. A dynamic group of that name is for an administrator to create.
const FUNCTIONS: &str = "dynamic-group stepladder";
const OPERATORS: &str = "group <yours>";

/// What a person sends besides the operations that are an operator's own.
pub const OPERATORS_TOO: &[&str] = &["oci:CreateAlarm", "oci:UpdateAlarm", "oci:DeleteAlarm"];

/// The reads that it takes to see what exists.
pub const READS: &[Operation] = &[
    Operation::new("oci:ListTopics", &["inspect ons-topics"]),
    Operation::new("oci:GetTopic", &["read ons-topics"]),
    Operation::new("oci:ListSubscriptions", &["inspect ons-subscriptions"]),
    Operation::new("oci:ListAlarms", &["inspect alarms"]),
    // An alarm shows what it measures.
    Operation::new("oci:GetAlarm", &["read alarms", "read metrics"]),
];

/// The permission that each operation of the function needs, where the verb that grants it grants others, too: to
/// delete deployments, to call their models, or to move alarms. See
/// <https://docs.oracle.com/en-us/iaas/Content/Identity/policyreference/monitoringpolicyreference.htm> and
/// <https://docs.oracle.com/en-us/iaas/Content/data-science/using/policies.htm>.
pub const REQUESTED: &[(&str, &str)] = &[
    ("oci:GetModelDeployment", "DATA_SCIENCE_MODEL_DEPLOYMENT_READ"),
    ("oci:UpdateModelDeployment", "DATA_SCIENCE_MODEL_DEPLOYMENT_UPDATE"),
    ("oci:ListAlarms", "ALARM_INSPECT"),
    ("oci:GetAlarm", "ALARM_READ"),
    ("oci:CreateAlarm", "ALARM_CREATE"),
    ("oci:UpdateAlarm", "ALARM_UPDATE"),
    ("oci:DeleteAlarm", "ALARM_DELETE"),
];

/// What an administrator has to grant. Stepladder grants nothing itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The matching rule of the function's dynamic group.
    pub matching_rule: String,
    /// What the function's dynamic group must be allowed.
    pub function: Vec<String>,
    /// What the operator who provisions must be allowed.
    pub operator: Vec<String>,
}

impl Access {
    /// What this policy takes.
    pub fn of(wanted: &Desired) -> Self {
        let all = |whom: &str, needs: Vec<String>| -> Vec<String> {
            needs.iter().flat_map(|need| statements(wanted, whom, need)).collect()
        };
        let mut function: Vec<String> = strongest(of_function())
            .iter()
            .flat_map(|need| {
                let condition = condition(need);
                let unconditional = statements(wanted, FUNCTIONS, need).into_iter();
                unconditional.map(move |statement| statement + &condition)
            })
            .collect();
        let topics = wanted.notifies.iter().map(|id| of_topic(id));
        function.extend(topics.map(|place| statement(FUNCTIONS, "use ons-topics", &place)));
        let mut seen = BTreeSet::new();
        function.retain(|statement| seen.insert(statement.clone()));
        Self {
            matching_rule: format!("resource.id = '{}'", wanted.function),
            function,
            operator: all(OPERATORS, strongest(of_operator())),
        }
    }

    /// The statement without which a person was refused an operation.
    pub fn lacking(wanted: &Desired, operation: &str) -> Option<String> {
        let found = OPERATIONS.iter().chain(READS).find(|known| known.name == operation)?;
        Some(statements(wanted, OPERATORS, found.permission()).join("` and `"))
    }
}

/// One for each place where the permission is needed.
fn statements(wanted: &Desired, whom: &str, need: &str) -> Vec<String> {
    // Nobody creates or deletes a topic that is given.
    let need = match (&wanted.topic, need) {
        (Topic::Given(_), "manage ons-topics") => "use ons-topics",
        _ => need,
    };
    places(wanted, need).iter().map(|place| statement(whom, need, place)).collect()
}

fn statement(whom: &str, need: &str, place: &str) -> String {
    format!("Allow {whom} to {need} in {place}")
}

/// The condition that leaves of a verb only what the function sends; empty for a verb that holds nothing else.
fn condition(need: &str) -> String {
    if !need.starts_with("manage ") {
        return String::new();
    }
    let requested_by = |operation: &Operation| {
        let is_for = operation.permissions.contains(&need);
        REQUESTED.iter().find(|(name, _)| is_for && *name == operation.name)
    };
    let requested: BTreeSet<&str> =
        function_operations().filter_map(requested_by).map(|(_, permission)| *permission).collect();
    let each: Vec<String> =
        requested.iter().map(|permission| format!("request.permission = '{permission}'")).collect();
    if each.is_empty() { String::new() } else { format!(" where any {{{}}}", each.join(", ")) }
}

fn function_operations() -> impl Iterator<Item = &'static Operation> {
    let sent = OPERATIONS.iter().filter(|operation| !operation.is_operators_own);
    sent.chain(model_deployment::TARGET.reads)
}

/// Every permission that the function needs, once per operation.
pub fn of_function() -> Vec<&'static str> {
    function_operations().flat_map(|operation| operation.permissions).copied().collect()
}

/// Every permission that a person needs to provision and to tear down, once per operation.
pub fn of_operator() -> Vec<&'static str> {
    let sent = |operation: &&Operation| operation.is_operators_own || OPERATORS_TOO.contains(&operation.name);
    OPERATIONS.iter().filter(sent).chain(READS).flat_map(|operation| operation.permissions).copied().collect()
}

/// One permission per kind of resource: the strongest, because it includes the others.
fn strongest(permissions: Vec<&str>) -> Vec<String> {
    let mut by_resource: BTreeMap<&str, usize> = BTreeMap::new();
    for permission in permissions {
        let Some((verb, resource)) = permission.split_once(' ') else { continue };
        let rank = VERBS.iter().position(|known| *known == verb).unwrap_or(VERBS.len() - 1);
        by_resource.entry(resource).and_modify(|known| *known = rank.max(*known)).or_insert(rank);
    }
    let statement_of = |(resource, rank): (&str, usize)| {
        let verb = VERBS.get(rank).copied().unwrap_or_default();
        format!("{verb} {resource}")
    };
    by_resource.into_iter().map(statement_of).collect()
}

/// Where a permission is needed.
fn places(wanted: &Desired, permission: &str) -> Vec<String> {
    let ids = match (permission.split_once(' ').map_or("", |(_, resource)| resource), &wanted.topic) {
        // The policy does not name the function's compartment, and to read it would take one more permission.
        ("fn-invocation", _) => return vec!["compartment <of the function>".to_owned()],
        ("ons-topics", Topic::Given(id)) => return vec![of_topic(id)],
        ("alarms", _) => wanted.alarm_homes(),
        (resource, _) if resource == "metrics" || resource.starts_with("data-science-") => {
            vec![wanted.metric_compartment.as_str()]
        }
        _ => vec![wanted.compartment.as_str()],
    };
    let place = |id: &str| {
        if id.starts_with("ocid1.tenancy.") { "tenancy".to_owned() } else { format!("compartment id {id}") }
    };
    ids.into_iter().map(place).collect()
}

/// Where a topic is that the policy knows by its OCID: anywhere.
fn of_topic(id: &str) -> String {
    format!("compartment <of topic {id}>")
}
