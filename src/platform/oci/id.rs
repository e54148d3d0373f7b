//! Ids of OCI: model deployments, alarms' names and topics. Only this file creates them.

use crate::alarm::AlarmName;
use crate::platform::Destination;
use crate::target::{TargetId, TargetKind};

/// A Data Science model deployment.
pub const MODEL_DEPLOYMENT: TargetKind = TargetKind::new("oci_model_deployment");

/// OCI's limit on the length of an OCID, in bytes.
const LONGEST_OCID: usize = 255;

/// A model deployment by its OCID, or by the placeholder of a test message; `None` for a text that could escape from
/// the path of a URL or from the quotes of a query.
///
/// ```
/// use stepladder::platform::oci::id;
/// assert!(id::model_deployment("ocid1.datasciencemodeldeployment.oc1.iad.example").is_some());
/// assert_eq!(id::model_deployment("../20190101/models"), None);
/// ```
pub fn model_deployment(ocid: &str) -> Option<TargetId> {
    is_usable(ocid).then(|| TargetId::new(MODEL_DEPLOYMENT, ocid.to_owned()))?
}

/// Reads the id of a target; `None` where it is not the OCID of a model deployment.
pub fn read(id: &str) -> Option<TargetId> {
    let rest = id.strip_prefix("ocid1.datasciencemodeldeployment.")?;
    model_deployment(id).filter(|_| !rest.is_empty())
}

/// Whether an id is safe in the path of a URL and inside the quotes of a query.
pub fn is_usable(id: &str) -> bool {
    let harmless = |c: char| c.is_ascii_graphic() && !r#"/?#%\"'"#.contains(c);
    // An OCID without a region has two dots in a row, which cannot be a path segment `..`.
    let no_parent = id != "." && (is_ocid(id) || !id.contains(".."));
    !id.is_empty() && id.len() <= LONGEST_OCID && id.chars().all(harmless) && no_parent
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
/// The OCID is not that of a topic; the text says what was expected.
pub fn topic(id: &str) -> Option<Result<Destination, String>> {
    id.starts_with("ocid1.").then(|| {
        let expected = "expected a topic's OCID, `ocid1.onstopic.…`";
        if is_topic(id) { Ok(Destination::Oci(id.to_owned())) } else { Err(expected.to_owned()) }
    })
}

fn is_topic(ocid: &str) -> bool {
    let parts: Vec<&str> = ocid.split('.').collect();
    // `ocid1.onstopic.<realm>.<region>.<unique>`: the region may be empty, and there may be more parts before the last.
    let of_a_topic = parts.get(1) == Some(&"onstopic") && parts.len() >= 5;
    let plain = ocid.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    of_a_topic && plain && parts.last().is_some_and(|unique| !unique.is_empty())
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
            "a/b", "a?b", "a#b", "a%2fb", "a b", "a\tb", "a\0b", "..", "a..b", ".", "a\\b", "a\"b", "a'b",
            "é",
        ] {
            assert!(!is_usable(bad), "{bad:?}");
        }
    }
}
