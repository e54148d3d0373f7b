//! Globs on names of alarms: plain ones, and those of the built-in rules, which match whole words only.

use std::collections::BTreeSet;
use std::fmt;

use wildmatch::WildMatch;

use super::globs::is_exact;

/// A glob on names of alarms. Case does not matter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NameGlob {
    glob: WildMatch,
    /// Whether its text must be in the name as whole words: no operator chose the name for a built-in rule, so
    /// `tensorflow-cpu` must not be a `low-cpu`.
    whole_words: bool,
}

impl NameGlob {
    /// A glob as an operator writes it: it matches wherever its text allows.
    pub(super) fn new(glob: &str) -> Self {
        Self { glob: WildMatch::new_case_insensitive(glob), whole_words: false }
    }

    /// A glob of a built-in rule: one text, with `*` at its ends alone.
    pub(super) fn of_whole_words(glob: &str) -> Self {
        Self { whole_words: true, ..Self::new(glob) }
    }

    /// Whether it matches a name.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.glob.matches(name) && (!self.whole_words || has_words(name, &self.glob.to_string()))
    }

    /// Whether every name that the other matches is matched by this one, as far as the globs alone decide that.
    pub(super) fn covers(&self, other: &Self) -> bool {
        (other.whole_words || !self.whole_words) && self.matches(&other.to_string())
    }

    /// Whether it matches one name and no other.
    pub(super) fn is_one_name(&self) -> bool {
        is_exact(&self.glob)
    }
}

impl fmt::Display for NameGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.glob.fmt(f)
    }
}

/// Whether the text of a glob is in a name as whole words: a word begins before it, and one ends after it.
fn has_words(name: &str, glob: &str) -> bool {
    let edges = word_edges(name);
    let name = name.to_ascii_lowercase();
    let text = glob.trim_matches('*');
    name.match_indices(text).any(|(at, _)| edges.contains(&at) && edges.contains(&(at + text.len())))
}

/// The places in a name where a word begins or ends: between letters, digits and everything else, and where a capital
/// begins a word, as in `HighCPU` and `CPUHigh`. A single capital before it is part of its word, as in `TensorFLow`.
fn word_edges(name: &str) -> BTreeSet<usize> {
    let mut edges = BTreeSet::from([0, name.len()]);
    let mut after = name.chars().skip(1);
    let mut before = None;
    let mut letters = 0;
    for (at, c) in name.char_indices() {
        let next_is_small = after.next().is_some_and(char::is_lowercase);
        let begins_word = |before: char| match (Kind::of(before), Kind::of(c)) {
            (Kind::Letter, Kind::Letter) if before.is_lowercase() => c.is_uppercase(),
            (Kind::Letter, Kind::Letter) => c.is_uppercase() && next_is_small && letters > 1,
            (before, kind) => before != kind,
        };
        if before.is_some_and(begins_word) {
            edges.insert(at);
            letters = 0;
        }
        letters += 1;
        before = Some(c);
    }
    edges
}

/// What separates words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Digit,
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        if c.is_alphabetic() {
            Self::Letter
        } else if c.is_numeric() {
            Self::Digit
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_glob_is_in_the_name_as_whole_words() {
        let low = NameGlob::of_whole_words("*low-cpu*");
        for name in
            ["low-cpu", "churn-LOW-CPU", "churn low-cpu (prod)", "a.low-cpu/2", "x1low-cpu2", "é-low-cpu"]
        {
            assert!(low.matches(name), "{name}");
        }
        for name in [
            "tensorflow-cpu",
            "TensorFlow-cpu",
            "TensorFLow-cpu",
            "bellow-cpu",
            "low-cpus",
            "low-cpufreq",
            "slow-cpu",
            "low_cpu",
            "élow-cpu",
            "low-cpué",
            "flow-cpu-low-mem",
        ] {
            assert!(!low.matches(name), "{name}");
        }
        let joined = NameGlob::of_whole_words("*lowcpu*");
        for name in [
            "lowcpu",
            "LowCPU",
            "lowCpu",
            "ChurnLowCPUAlarm",
            "CPULowCPU",
            "LOWCPU-1",
            "churn.LowCPUUtilization",
        ] {
            assert!(joined.matches(name), "{name}");
        }
        for name in
            ["TensorFlowCPU", "TENSORFLOWCPU", "tensorflowCpu", "yellowCPU", "lowcpus", "LowCpus", "XLowCPU"]
        {
            assert!(!joined.matches(name), "{name}");
        }
    }

    #[test]
    fn a_glob_without_a_star_at_its_start_or_end_begins_or_ends_the_name() {
        let suffix = NameGlob::of_whole_words("*model_deployment_low_cpu");
        assert!(
            suffix.matches("churn-model_deployment_low_cpu") && suffix.matches("model_deployment_low_cpu")
        );
        assert!(
            !suffix.matches("churn-model_deployment_low_cpu_2")
                && !suffix.matches("supermodel_deployment_low_cpu")
        );
    }

    #[test]
    fn a_glob_of_an_operator_matches_anywhere() {
        let low = NameGlob::new("*low-cpu*");
        assert!(low.matches("tensorflow-cpu") && low.matches("LOW-CPUS"));
    }

    #[test]
    fn whole_words_are_narrower_than_the_same_glob_of_an_operator() {
        let (anywhere, words) = (NameGlob::new("*low-cpu*"), NameGlob::of_whole_words("*low-cpu*"));
        assert!(anywhere.covers(&words) && words.covers(&words) && !words.covers(&anywhere));
        assert!(words.covers(&NameGlob::of_whole_words("*model-low-cpu")));
    }
}
