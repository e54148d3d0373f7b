//! Reads the configuration file that OCI's SDKs and command line share: profiles with one key each.

use std::collections::HashMap;

/// The profile whose values the others inherit.
pub(super) const DEFAULT: &str = "DEFAULT";

/// The values of a profile, with keys in lower case; `None` if the file has no such profile.
pub(super) fn profile(text: &str, name: &str) -> Option<HashMap<String, String>> {
    let mut values = HashMap::new();
    let mut found = false;
    // Inherited values come first, wherever their section is in the file.
    for wanted in [DEFAULT, name] {
        let mut section = "";
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = header.trim();
                found |= section == name;
            } else if let Some((key, value)) = line.split_once(['=', ':'])
                && section == wanted
            {
                values.insert(key.trim().to_lowercase(), value.trim().to_owned());
            }
        }
    }
    found.then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_as_other_tools_read_them() {
        let text = "\
# mine
[other]
region: eu-frankfurt-1
USER = u = 2
[DEFAULT]
user=u1
; tenancy=t0
tenancy = t1
  fingerprint =aa:bb
nonsense
";
        let rows = [
            ("DEFAULT", "user", Some("u1")),
            // a comment is none
            ("DEFAULT", "tenancy", Some("t1")),
            // an indented key, and a value with colons
            ("DEFAULT", "fingerprint", Some("aa:bb")),
            // another profile's value
            ("DEFAULT", "region", None),
            ("other", "region", Some("eu-frankfurt-1")),
            // its own value wins, although the inherited one comes later in the file; the key is in capitals
            ("other", "user", Some("u = 2")),
            ("other", "tenancy", Some("t1")),
        ];
        for (name, key, expected) in rows {
            let values = profile(text, name).unwrap();
            assert_eq!(values.get(key).map(String::as_str), expected, "{name} {key}");
        }
        assert!(profile(text, "third").is_none());
        assert!(profile("", DEFAULT).is_none());
    }
}
