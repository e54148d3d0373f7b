//! The targets that an alarm names, wherever it is described: in a message, in an event, or by `DescribeAlarms`.

use std::collections::BTreeSet;

use super::id;
use crate::target::{TargetId, described_ids};

/// How the dimensions of one metric, or the attributes of one contributor, name a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Names<'a> {
    /// `EndpointName`.
    pub endpoint: Option<&'a str>,
    /// `VariantName`.
    pub variant: Option<&'a str>,
    /// The account that publishes the metric; `None` for the alarm's own.
    pub account: Option<&'a str>,
}

impl Names<'_> {
    /// The same, with what is missing taken from the other.
    fn or(self, other: Self) -> Self {
        Self {
            endpoint: self.endpoint.or(other.endpoint),
            variant: self.variant.or(other.variant),
            account: self.account.or(other.account),
        }
    }

    /// The target, if both names exist and SageMaker allows them.
    fn target(self) -> Option<TargetId> {
        id::variant(self.endpoint?, self.variant?)
    }
}

/// Every part of an alarm that may name a target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming<'a> {
    /// The account of the alarm itself; empty where it is unknown.
    pub account: &'a str,
    /// What each of its metrics names.
    pub metrics: &'a [Names<'a>],
    /// What the contributor names.
    pub contributor: Names<'a>,
    /// Its description.
    pub description: &'a str,
}

/// What an alarm names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The targets, each once, in the alarm's order.
    pub targets: Vec<TargetId>,
    /// The account of a metric of these targets, where that is not known to be the alarm's own.
    pub foreign_account: Option<String>,
}

impl Naming<'_> {
    /// The targets of the contributor, else of the metrics, else of the description. A description that was copied with
    /// an alarm never overrides what the alarm measures.
    pub fn read(self) -> Named {
        let of_metrics = self.metrics.iter().map(|metric| self.contributor.or(*metric));
        let all: Vec<Names> = of_metrics.chain([self.contributor]).collect();
        let mut seen = BTreeSet::new();
        let mut targets: Vec<TargetId> = all.iter().filter_map(|names| names.target()).collect();
        targets.retain(|target| seen.insert(target.clone()));
        let described = if targets.is_empty() { self.described(&all) } else { None };
        // A description completes what the dimensions name, so that they are about the target, too.
        let is_completed = described.is_some();
        let names_it = |names: &&Names| {
            names.target().is_some() || is_completed && names.endpoint.or(names.variant).is_some()
        };
        targets.extend(described);
        let naming = all.iter().filter(names_it);
        let foreign = naming.filter_map(|names| names.account).find(|account| *account != self.account);
        Named { targets, foreign_account: foreign.map(str::to_owned) }
    }

    /// The target of the description's first line `stepladder: target=<id>`; `None` where a dimension contradicts it,
    /// because a metric of one endpoint does not resize another.
    fn described(&self, all: &[Names]) -> Option<TargetId> {
        let target = described_ids(self.description).next().and_then(id::read)?;
        let (endpoint, variant) = id::endpoint_and_variant(&target)?;
        let agrees = |named: Vec<&str>, name: &str| named.is_empty() || named.contains(&name);
        let agrees_with_all = agrees(all.iter().filter_map(|names| names.endpoint).collect(), endpoint)
            && agrees(all.iter().filter_map(|names| names.variant).collect(), variant);
        agrees_with_all.then_some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "111122223333";
    const OTHER: &str = "444455556666";
    const LINE: &str = "Wakes it.\nstepladder: target=endpoint/churn/variant/blue";

    fn names<'a>(endpoint: Option<&'a str>, variant: Option<&'a str>, account: Option<&'a str>) -> Names<'a> {
        Names { endpoint, variant, account }
    }

    fn of(metrics: &[Names<'_>], contributor: Names<'_>, description: &str) -> (String, Option<String>) {
        let Named { targets, foreign_account } =
            Naming { account: OWN, metrics, contributor, description }.read();
        let targets: Vec<&str> = targets.iter().map(TargetId::as_str).collect();
        (targets.join(" "), foreign_account)
    }

    fn targets(metrics: &[Names<'_>], contributor: Names<'_>, description: &str) -> String {
        of(metrics, contributor, description).0
    }

    #[test]
    fn what_is_measured_comes_before_the_description() {
        let none = Names::default();
        let blue = names(Some("churn"), Some("blue"), None);
        let green = names(Some("fraud"), Some("green"), None);
        assert_eq!(targets(&[green], none, LINE), "endpoint/fraud/variant/green");
        assert_eq!(
            targets(&[green, blue, green], none, ""),
            "endpoint/fraud/variant/green endpoint/churn/variant/blue"
        );
        assert_eq!(targets(&[green], blue, ""), "endpoint/churn/variant/blue");
        // a contributor of one name completes those of the metrics
        let variant = names(None, Some("blue"), None);
        assert_eq!(targets(&[green], variant, ""), "endpoint/fraud/variant/blue");
    }

    #[test]
    fn the_description_counts_where_nothing_else_names_a_target() {
        let none = Names::default();
        let id = "endpoint/churn/variant/blue";
        assert_eq!(targets(&[], none, LINE), id);
        assert_eq!(targets(&[none, none], none, LINE), id);
        assert_eq!(targets(&[names(Some("churn"), None, None)], none, LINE), id);
        assert_eq!(targets(&[], names(Some("churn"), None, None), LINE), id);
        // copied to the alarm of another endpoint, or of another variant
        assert_eq!(targets(&[names(Some("fraud"), None, None)], none, LINE), "");
        assert_eq!(targets(&[names(None, Some("green"), None)], none, LINE), "");
        // the first line counts, also one that cannot be read
        assert_eq!(targets(&[], none, &format!("stepladder: target=endpoint/x\n{LINE}")), "");
        assert_eq!(targets(&[], none, &format!("{LINE}\nstepladder: target=endpoint/a/variant/b")), id);
    }

    #[test]
    fn the_account_of_a_metric_is_reported_where_it_is_not_the_alarms() {
        let none = Names::default();
        let in_account = |account| names(Some("churn"), Some("blue"), Some(account));
        let own = names(Some("churn"), Some("blue"), None);
        let foreign = Some(OTHER.to_owned());
        assert_eq!(of(&[in_account(OTHER)], none, "").1, foreign);
        assert_eq!(of(&[in_account(OWN), own], none, "").1, None);
        assert_eq!(of(&[own, in_account(OTHER)], none, "").1, foreign);
        assert_eq!(of(&[], in_account(OTHER), "").1, foreign);
        // the contributor has the names, and the query belongs to another account
        assert_eq!(of(&[names(None, None, Some(OTHER))], own, "").1, foreign);
        // the endpoint that the description completes belongs to another account
        assert_eq!(of(&[names(Some("churn"), None, Some(OTHER))], none, LINE).1, foreign);
        assert_eq!(of(&[names(None, Some("blue"), Some(OTHER))], none, LINE).1, foreign);
        assert_eq!(of(&[names(Some("churn"), None, Some(OWN))], none, LINE).1, None);
        // another account's load may scale an endpoint that the description names
        assert_eq!(of(&[names(None, None, Some(OTHER))], none, LINE).1, None);
        // without an account of its own, the owner of the metric is unknown
        let unknown = Naming { metrics: &[in_account(OWN)], ..Naming::default() }.read();
        assert_eq!(unknown.foreign_account, Some(OWN.to_owned()));
    }
}
