//! The dimensions of what an alarm measures, as far as people need them to understand it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::field::text;

/// How many metrics or streams are kept: the first of them show what kind of thing an alarm is about.
const MOST: usize = 10;

/// How many dimensions of one metric are kept. CloudWatch allows 30, OCI 20.
const MOST_OF_ONE: usize = 30;

/// The longest text that is kept, in bytes. OCIDs have 255.
const LONGEST: usize = 255;

/// One metric's dimensions, by their names.
pub(super) type Dimensions = BTreeMap<String, String>;

/// The dimensions of several metrics or streams, without the empty and the equal ones.
pub(super) fn all<'a>(written: impl IntoIterator<Item = &'a Value>) -> Vec<Dimensions> {
    let mut all = Vec::new();
    for dimensions in written.into_iter().map(one) {
        if all.len() < MOST && !dimensions.is_empty() && !all.contains(&dimensions) {
            all.push(dimensions);
        }
    }
    all
}

/// One dimension as it is written.
pub(super) struct Dimension<'a> {
    pub(super) name: &'a str,
    /// `None` where it is no text.
    pub(super) value: Option<&'a str>,
}

/// The dimensions of one metric as they are written: a map, or a list of `{name, value}` in either case.
pub(super) fn of_one(written: &Value) -> impl Iterator<Item = Dimension<'_>> {
    let in_map = written.as_object().into_iter().flatten();
    let in_map = in_map.map(|(name, _)| Dimension { name, value: text(written, &[name]) });
    let in_list = written.as_array().into_iter().flatten();
    let in_list = in_list.filter_map(|entry| {
        let name = text(entry, &["name", "Name"])?;
        Some(Dimension { name, value: text(entry, &["value", "Value"]) })
    });
    in_map.chain(in_list)
}

fn one(written: &Value) -> Dimensions {
    let named = of_one(written).filter_map(|Dimension { name, value }| Some((name, value?)));
    let short = named.filter(|(name, value)| name.len() <= LONGEST && value.len() <= LONGEST);
    short.take(MOST_OF_ONE).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dimensions_are_read_in_every_spelling() {
        let churn = BTreeMap::from([("EndpointName".to_owned(), "churn".to_owned())]);
        for written in [
            json!({"EndpointName": "churn"}),
            json!([{"name": "EndpointName", "value": "churn"}]),
            json!([{"Name": "EndpointName", "Value": "churn"}, {"Name": "x"}, 3]),
        ] {
            assert_eq!(one(&written), churn, "{written}");
        }
        for none in [json!(null), json!("x"), json!([]), json!({"a": 5})] {
            assert!(one(&none).is_empty(), "{none}");
        }
    }

    #[test]
    fn only_the_first_different_ones_are_kept_and_no_endless_text() {
        let of = |number: usize| json!({"n": number.to_string()});
        let written: Vec<Value> = [of(1), json!({}), of(1)].into_iter().chain((2..100).map(of)).collect();
        assert_eq!(all(&written).len(), MOST);
        let many: Value = (0..100).map(|n| (format!("d{n}"), json!("x"))).collect();
        assert_eq!(one(&many).len(), MOST_OF_ONE);
        assert!(one(&json!({"a": "x".repeat(256), "b".repeat(256): "x"})).is_empty());
    }
}
