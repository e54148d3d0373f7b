//! Sequences of events about one deployment, each with one to three alarms, against a small model of what must follow.
//!
//! The model knows a deployment on OCI whose updates take five minutes, and the rules that need no policy file: one
//! more or fewer instance, the next rung up or down. It reports for each alarm what is decided, and which pairs are
//! left.

use jiff::SignedDuration;
use stepladder::alarm::Transition;
use stepladder::policy::Policy;

use super::situation::Random;
use super::{compare, number};
use crate::support::{
    CHURN, CPU_PAIR, HIGH_CPU, HIGH_MEM, LOW_CPU, LOW_MEM, MEM_PAIR, Notice, OCI_RUNGS, answer, at, batch,
    cloud_with, notice, pairs, policy, reason,
};

/// How many sequences are tried.
const SEQUENCES: u64 = 60;

/// The minutes that an update takes, that a scale-down alarm waits after a change, and that an alarm's data reaches back.
const UPDATE: i64 = 5;
const COOLDOWN: i64 = 5;
const WINDOW: i64 = 5;

const MAX: usize = 4;

/// A number of instances and a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    instances: usize,
    rung: usize,
}

/// The deployment as it must be; times are minutes.
#[derive(Debug)]
struct Model {
    now: i64,
    place: Place,
    /// The place that an update leads to, and when it is complete.
    next: Option<(Place, i64)>,
    changed: Option<i64>,
    /// The pairs of the count and of the shape.
    pairs: [bool; 2],
}

/// One alarm of an event.
#[derive(Debug, Clone, Copy)]
struct Sent {
    alarm: &'static str,
    transition: Transition,
    /// When its data ends, in minutes from the beginning.
    at: i64,
}

impl Sent {
    fn is_high(self) -> bool {
        [HIGH_CPU, HIGH_MEM].contains(&self.alarm)
    }

    fn is_of_count(self) -> bool {
        [HIGH_CPU, LOW_CPU].contains(&self.alarm)
    }

    fn fires(self) -> bool {
        matches!(self.transition, Transition::Firing | Transition::Repeat)
    }
}

impl Model {
    fn pass(&mut self, minutes: i64) {
        self.now += minutes;
        if let Some((place, completes)) = self.next.filter(|(_, completes)| *completes <= self.now) {
            (self.place, self.next, self.changed) = (place, None, Some(completes));
        }
    }

    /// The alarms of one event, in the order in which they are answered, with what is decided about each.
    fn event(&mut self, sent: &[Sent]) -> Vec<(&'static str, &'static str)> {
        let (high, low): (Vec<Sent>, Vec<Sent>) = sent.iter().partition(|sent| sent.is_high());
        let mut has_resized = false;
        // Scale-ups that were needed and not made: of the count, and of the shape.
        let mut short = [false, false];
        let mut decided = Vec::new();
        for sent in high.into_iter().chain(low) {
            let stops = !sent.is_high() && (short[0] || (short[1] && !sent.is_of_count()));
            let reason = if !sent.fires() {
                "not_firing"
            } else if has_resized || stops {
                "superseded"
            } else {
                let reason = self.decide(sent);
                has_resized |= reason == "resize";
                if sent.is_high() && ["at_ceiling", "cooling_down"].contains(&reason) {
                    short[usize::from(!sent.is_of_count())] = true;
                }
                reason
            };
            decided.push((sent.alarm, reason));
        }
        decided
    }

    fn decide(&mut self, sent: Sent) -> &'static str {
        let Place { instances, rung } = self.place;
        let reason = if self.next.is_some() {
            "busy"
        } else if self.changed.is_some_and(|changed| sent.at.min(self.now) - WINDOW < changed) {
            "stale"
        } else if !sent.is_high() && self.changed.is_some_and(|changed| self.now < changed + COOLDOWN) {
            "cooling_down"
        } else {
            match sent.alarm {
                HIGH_CPU if instances == MAX => "at_ceiling",
                HIGH_MEM if rung == OCI_RUNGS.len() - 1 => "at_ceiling",
                LOW_CPU if instances == 1 => "at_floor",
                LOW_MEM if rung == 0 => "at_floor",
                _ => "resize",
            }
        };
        if reason == "resize" {
            let place = match sent.alarm {
                HIGH_CPU => Place { instances: instances + 1, rung },
                LOW_CPU => Place { instances: instances - 1, rung },
                HIGH_MEM => Place { instances, rung: rung + 1 },
                _ => Place { instances, rung: rung - 1 },
            };
            self.next = Some((place, self.now + UPDATE));
        }
        self.repair(sent, reason);
        reason
    }

    /// The pair of the alarm's rule exists above the floor, and is gone where a scale-down alarm finds the floor.
    fn repair(&mut self, sent: Sent, reason: &str) {
        let heading = self.next.map_or(self.place, |(place, _)| place);
        let height = |place: Place| if sent.is_of_count() { place.instances - 1 } else { place.rung };
        let pair = &mut self.pairs[usize::from(!sent.is_of_count())];
        if height(heading) > 0 || (reason != "resize" && height(self.place) > 0) {
            // While it is changing, only the process that changes it writes a new pair.
            *pair |= reason != "busy";
        } else if self.next.is_none() && !sent.is_high() {
            *pair = false;
        }
    }
}

fn event(random: &mut Random, now: i64) -> Vec<Sent> {
    let mut alarms = vec![HIGH_CPU, LOW_CPU, HIGH_MEM, LOW_MEM];
    let count = random.pick(&[1, 1, 1, 2, 2, 3]);
    let mut sent = Vec::new();
    for _ in 0..count {
        let alarm = random.pick(&alarms);
        alarms.retain(|other| *other != alarm);
        let transition = random.pick(&[
            Transition::Firing,
            Transition::Firing,
            Transition::Firing,
            Transition::Repeat,
            Transition::Cleared,
        ]);
        sent.push(Sent { alarm, transition, at: now - i64::from(random.pick(&[0_u32, 0, 0, 0, 1, 4, 6])) });
    }
    sent
}

fn payload(sent: &[Sent]) -> Vec<u8> {
    let bodies: Vec<Vec<u8>> = sent
        .iter()
        .map(|sent| {
            let at = at(0) + SignedDuration::from_mins(sent.at);
            let notice: Notice = notice(sent.alarm, CHURN).with_transition(sent.transition).at(at);
            notice.body()
        })
        .collect();
    let messages: Vec<(&str, &[u8])> = bodies.iter().map(|body| ("message", body.as_slice())).collect();
    batch(&messages).to_string().into_bytes()
}

/// Runs one sequence, and returns how many decisions it had.
fn sequence(seed: u64, policy: &Policy) -> usize {
    let random = &mut Random::new(seed);
    let place = Place {
        instances: usize::try_from(random.between(1, 4)).unwrap(),
        rung: usize::try_from(random.between(0, 5)).unwrap(),
    };
    let cloud = cloud_with(CHURN, u32::try_from(place.instances).unwrap(), OCI_RUNGS[place.rung]);
    let mut model = Model { now: 0, place, next: None, changed: None, pairs: [false, false] };
    let (mut decisions, mut history) = (0, Vec::new());
    for _ in 0..40 {
        let minutes = i64::from(random.pick(&[0_u32, 1, 3, 5, 6, 11]));
        model.pass(minutes);
        let now = at(0) + SignedDuration::from_mins(model.now);
        cloud.advance(now);
        let sent = event(random, model.now);
        history.push((minutes, sent.clone()));
        let expected = model.event(&sent);
        let outcomes = answer(&payload(&sent), &cloud, policy, now).outcomes;
        let decided: Vec<_> =
            outcomes.iter().map(|outcome| (outcome.alarm.name.to_string(), reason(outcome))).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(alarm, reason)| (alarm.to_owned(), reason)).collect();
        let world = cloud.snapshot();
        let exist = [CPU_PAIR, MEM_PAIR].map(|pair| !pairs(&world, CHURN, pair).is_empty());
        let story = || format!("seed {seed}, from {place:?}, minutes and alarms: {history:#?}");
        assert_eq!(decided, expected, "{}", story());
        let calls: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.calls).collect();
        assert_eq!(exist, model.pairs, "pairs of the count and the shape, {calls:#?}; {}", story());
        for outcome in &outcomes {
            let faults = compare::record_faults(&outcome.decision, &outcome.checks);
            assert_eq!(faults, Vec::<String>::new(), "{}", story());
        }
        decisions += outcomes.len();
    }
    decisions
}

#[test]
fn every_sequence_of_events_follows_the_rules() {
    let first = number("STEPLADDER_ORACLE_SEED", 1);
    let policy = policy(&format!("[defaults]\ninstances = {{ min = 1, max = {MAX} }}"));
    let decisions: usize = (first..first + SEQUENCES).map(|seed| sequence(seed, &policy)).sum();
    assert!(decisions >= 3000, "{decisions} decisions");
}
