//! Compares every decision with an oracle: a second reading of the rules, which shares no code with the first.
//!
//! Policies, deployments and alarms are random, from a seed. A difference is made as small as it can be, and printed
//! with the policy that it takes. `STEPLADDER_ORACLE_SEED` starts elsewhere, and `STEPLADDER_ORACLE_POLICIES` sets how
//! many policies are tried.

mod compare;
mod rules;
mod sequence;
mod situation;

use std::env;

use compare::differences;
pub(crate) use compare::record_faults;
use situation::{Random, Situation};

/// The alarms about each policy. Reading a policy takes longer than all else.
const ALARMS: u32 = 80;

/// How many policies are tried: at least 50,000 decisions with [`ALARMS`].
const POLICIES: u64 = 700;

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_decision_follows_the_rules() {
    let (first, policies) =
        (number("STEPLADDER_ORACLE_SEED", 1), number("STEPLADDER_ORACLE_POLICIES", POLICIES));
    let mut decided = 0;
    for seed in first..first + policies {
        let mut random = Random::new(seed);
        let policy = situation::policy(&mut random);
        for _ in 0..ALARMS {
            let situation = Situation { policy: policy.clone(), ..Situation::any(&mut random, &policy) };
            if !differences(&situation).is_empty() {
                let smallest = smallest(situation);
                panic!("seed {seed}: {}\n{smallest}", differences(&smallest).join("\n"));
            }
            decided += 1;
        }
    }
    assert!(policies < POLICIES || decided >= 50_000, "{decided} decisions");
}

/// The same difference with as little as possible: each part is made ordinary, and stays so where a difference is left.
fn smallest(mut situation: Situation) -> Situation {
    loop {
        let simpler = situation::simpler(&situation).into_iter().find(|one| !differences(one).is_empty());
        match simpler {
            Some(simpler) => situation = simpler,
            None => return situation,
        }
    }
}
