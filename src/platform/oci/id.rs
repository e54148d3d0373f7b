//! Ids of OCI: model deployments, alarms' names and topics. Only this file creates them.

use crate::alarm::AlarmName;
use crate::platform::Destination;
use crate::target::{TargetId, TargetKind};

/// A Data Science model deployment.
pub const MODEL_DEPLOYMENT: TargetKind = TargetKind::new("oci_model_deployment");

/// OCI's limit on the length of an OCID, in bytes.
const LONGEST_OCID: usize = 255;

/// The type in the OCID of a model deployment.
const TYPE: &str = "datasciencemodeldeployment";

/// A model deployment by its OCID, or by the placeholder of a test message; `None` for any other text. An id becomes part
/// of paths and queries, so nothing else is accepted.
///
/// ```
/// use stepladder::platform::oci::id;
/// assert!(id::model_deployment("ocid1.datasciencemodeldeployment.oc1.iad.example").is_some());
/// assert_eq!(id::model_deployment("ocid1.loadbalancer.oc1.iad.example"), None);
/// assert_eq!(id::model_deployment("../20190101/models"), None);
/// ```
pub fn model_deployment(ocid: &str) -> Option<TargetId> {
    let is_one = has_ocid_form(ocid) && type_of(ocid).is_some_and(|kind| kind.eq_ignore_ascii_case(TYPE));
    (is_one || is_placeholder(ocid)).then(|| TargetId::new(MODEL_DEPLOYMENT, ocid.to_owned()))?
}

/// Whether a text has the form of an OCID: `ocid1.<type>.<realm>.[region].[more.]<unique>`, of letters, digits, `-` and
/// `_`.
fn has_ocid_form(text: &str) -> bool {
    let is_part = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let parts: Vec<&str> = text.split('.').collect();
    let [first, kind, realm, _region, .., unique] = parts.as_slice() else { return false };
    let has_all =
        first.eq_ignore_ascii_case("ocid1") && [kind, realm, unique].iter().all(|part| !part.is_empty());
    has_all && text.len() <= LONGEST_OCID && parts.iter().all(|part| is_part(part))
}

/// The type of a resource, by its OCID.
fn type_of(ocid: &str) -> Option<&str> {
    ocid.split('.').nth(1)
}

/// Whether a text is a placeholder, as in Oracle's test messages: `<YOUR_MODEL_DEPLOYMENT_OCID>`.
fn is_placeholder(text: &str) -> bool {
    let inner =
        text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).filter(|inner| !inner.is_empty());
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    inner.is_some_and(|inner| inner.len() < LONGEST_OCID && inner.chars().all(is_part))
}

/// Reads the id of a target; `None` where it is not the OCID of a model deployment.
pub fn read(id: &str) -> Option<TargetId> {
    // The API accepts the lower case only.
    id.strip_prefix("ocid1.")?.strip_prefix(TYPE)?;
    model_deployment(id)
}

/// Whether the id of any resource is harmless in a record and in a log.
pub fn is_usable(id: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.:@+=~,".contains(c);
    // An OCID without a region has two dots in a row, which cannot be a path segment `..`.
    let no_parent = id != "." && (is_ocid(id) || !id.contains(".."));
    let is_plain = !id.is_empty() && id.len() <= LONGEST_OCID && id.chars().all(harmless) && no_parent;
    is_plain || is_placeholder(id)
}

/// Whether an id is the OCID of a model deployment, by its type alone.
pub fn names_model_deployment(id: &str) -> bool {
    is_ocid(id) && type_of(id).is_some_and(|kind| kind.eq_ignore_ascii_case(TYPE))
}

/// Whether an id begins like an OCID.
pub fn is_ocid(id: &str) -> bool {
    id.split_once('.').is_some_and(|(first, _)| first.eq_ignore_ascii_case("ocid1"))
}

/// An alarm's name, which is the title of its message; `None` if it is empty or too long.
pub fn alarm_name(title: &str) -> Option<AlarmName> {
    AlarmName::new(title)
}

/// The topic with an OCID, as the destination of notices; `None` for a text that is not an OCID.
///
/// # Errors
///
/// The OCID is not that of a topic; the text names what was expected.
pub fn topic(id: &str) -> Option<Result<Destination, String>> {
    id.starts_with("ocid1.").then(|| {
        let expected = "expected a topic's OCID, `ocid1.onstopic.…`";
        if is_topic(id) { Ok(Destination::Oci(id.to_owned())) } else { Err(expected.to_owned()) }
    })
}

fn is_topic(ocid: &str) -> bool {
    has_ocid_form(ocid) && type_of(ocid) == Some("onstopic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_escape_from_a_path_or_a_query() {
        assert!(is_usable("ocid1.datasciencemodeldeployment.oc1.iad.example"));
        assert!(is_usable("ocid1.datasciencemodeldeployment.oc1..example"));
        assert!(is_usable("<YOUR_ID>"));
        assert!(is_usable(&"a".repeat(255)));
        assert!(!is_usable(&"a".repeat(256)));
        for bad in [
            "a/b",
            "a?b",
            "a#b",
            "a%2fb",
            "a b",
            "a\tb",
            "a\0b",
            "..",
            "a..b",
            ".",
            "a\\b",
            "a\"b",
            "a'b",
            "é",
            "a{b",
            "a}b",
            "a(b",
            "a>b",
            "<your id>",
            "<>",
        ] {
            assert!(!is_usable(bad), "{bad:?}");
        }
    }

    #[test]
    fn only_the_ocid_of_a_model_deployment_is_one() {
        for good in [
            "ocid1.datasciencemodeldeployment.oc1.iad.example",
            "ocid1.datasciencemodeldeployment.oc1..example",
            "ocid1.datasciencemodeldeployment.oc19.eu-frankfurt-2.future_use.example-1",
            "ocid1.dataScienceModelDeployment.oc1.iad.Example",
            "<YOUR_MODEL_DEPLOYMENT_OCID>",
        ] {
            assert!(model_deployment(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "example",
            "ocid1.datasciencemodeldeployment",
            "ocid1.datasciencemodeldeployment.oc1.iad",
            "ocid1.datasciencemodeldeployment.oc1.iad.",
            "ocid1.datasciencemodeldeployment..iad.example",
            "ocid1.datasciencemodel.oc1.iad.example",
            "ocid2.datasciencemodeldeployment.oc1.iad.example",
            "ocid1.datasciencemodeldeployment.oc1.iad.exam\"ple",
            "ocid1.datasciencemodeldeployment.oc1.iad.a\"}.max()>0||CpuUtilization[1m]{a=\"b",
            "ocid1.datasciencemodeldeployment.oc1.iad.a}b",
            "ocid1.datasciencemodeldeployment.oc1.iad.a{b",
            "ocid1.datasciencemodeldeployment.oc1.iad.a/b",
            "ocid1.datasciencemodeldeployment.oc1.iad.a b",
            "ocid1.datasciencemodeldeployment.oc1.iad.a>0",
            "ocid1.datasciencemodeldeployment.oc1.iad.é",
            "<your id>",
        ] {
            assert_eq!(model_deployment(bad), None, "{bad:?}");
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read("<YOUR_MODEL_DEPLOYMENT_OCID>"), None, "a placeholder is in messages alone");
        let long = format!("ocid1.datasciencemodeldeployment.oc1.iad.{}", "a".repeat(LONGEST_OCID));
        assert_eq!(read(&long), None);
    }
}
