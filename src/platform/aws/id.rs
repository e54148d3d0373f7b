//! Ids of AWS: endpoints and their variants, alarms' names, accounts and topics. Only this file creates them.

use crate::alarm::AlarmName;
use crate::platform::Destination;
use crate::target::{TargetId, TargetKind};

/// One production variant of a SageMaker endpoint.
pub const VARIANT: TargetKind = TargetKind::new("sagemaker_variant");

/// CloudWatch's limit on the length of an alarm's name, in characters.
const LONGEST_ALARM_NAME: usize = 255;

/// SageMaker's limit on the length of the names of endpoints and variants, in bytes.
const LONGEST_NAME: usize = 63;

/// The variant with these two names; `None` where SageMaker does not allow one of them.
///
/// ```
/// use stepladder::platform::aws::id;
/// let target = id::variant("churn", "AllTraffic").unwrap();
/// assert_eq!(target.to_string(), "endpoint/churn/variant/AllTraffic");
/// assert_eq!(id::endpoint_and_variant(&target), Some(("churn", "AllTraffic")));
/// assert_eq!(id::variant("churn/../x", "AllTraffic"), None);
/// ```
pub fn variant(endpoint: &str, variant: &str) -> Option<TargetId> {
    let legal = is_name(endpoint) && is_name(variant);
    legal.then(|| TargetId::new(VARIANT, format!("endpoint/{endpoint}/variant/{variant}")))?
}

/// An endpoint with all its variants; `None` where SageMaker does not allow the name.
pub fn endpoint(name: &str) -> Option<TargetId> {
    is_name(name).then(|| TargetId::new(VARIANT, format!("endpoint/{name}")))?
}

/// Reads the id of a target; `None` where it is not an id of AWS.
///
/// ```
/// use stepladder::platform::aws::id;
/// assert_eq!(id::read("endpoint/churn/variant/AllTraffic"), id::variant("churn", "AllTraffic"));
/// assert_eq!(id::read("endpoint/churn"), None);
/// ```
pub fn read(id: &str) -> Option<TargetId> {
    let (endpoint, name) = split(id)?;
    variant(endpoint, name)
}

/// The two names inside a variant's id; `None` for any other id.
pub fn endpoint_and_variant(target: &TargetId) -> Option<(&str, &str)> {
    split(target.as_str()).filter(|_| target.kind() == VARIANT)
}

fn split(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix("endpoint/")?.split_once("/variant/")
}

/// Whether SageMaker allows a name. Names become part of paths and queries, so nothing else is accepted.
pub fn is_name(name: &str) -> bool {
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= LONGEST_NAME
        && ends_well(name.chars().next())
        && ends_well(name.chars().last())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// An alarm's name; `None` for one that CloudWatch does not allow.
pub fn alarm_name(name: &str) -> Option<AlarmName> {
    AlarmName::new(name).filter(|_| name.chars().nth(LONGEST_ALARM_NAME).is_none())
}

/// Whether a text is the id of an AWS account.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// SNS's limit on the length of a topic's name, in bytes.
const LONGEST_TOPIC: usize = 256;

/// The topic with an ARN, as the destination of notices; `None` for a text that is not an ARN.
///
/// # Errors
///
/// The ARN is not that of a standard SNS topic; the text names what was expected.
pub fn topic(id: &str) -> Option<Result<Destination, String>> {
    id.starts_with("arn:").then(|| {
        let expected = "expected the ARN of a standard SNS topic, `arn:aws:sns:<region>:<account>:<name>`";
        if is_topic(id) { Ok(Destination::Aws(id.to_owned())) } else { Err(expected.to_owned()) }
    })
}

fn is_topic(arn: &str) -> bool {
    let fields: Vec<&str> = arn.split(':').collect();
    let [_, partition, service, region, account, name] = fields.as_slice() else { return false };
    // A FIFO topic has a dot in its name. It needs a group id for each message, and delivers to queues only.
    let named = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let placed = partition.starts_with("aws") && !region.is_empty();
    placed && *service == "sns" && is_account(account) && named && (1..=LONGEST_TOPIC).contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_sagemaker_allows() {
        for good in ["churn", "a", "a--b", "0-1", &"a".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "a/b", "a b", "é", "a.b", &"a".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn an_id_is_read_only_in_the_exact_form() {
        assert!(read("endpoint/churn/variant/blue").is_some());
        for none in [
            "endpoint/churn/variant/blue/x",
            "endpoint/churn/variant/",
            "endpoint/../variant/blue",
            "endpoint/churn/variant/b\"lue",
            "endpoint/{churn}/variant/blue",
            "Endpoint/churn/variant/blue",
            " endpoint/churn/variant/blue",
            "endpoint/churn/variant/blue\n",
            "endpoint/churn",
            "churn",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
