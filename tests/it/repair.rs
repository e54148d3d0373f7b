//! Crashes: a plan may stop before or after any call, and the next event repairs the state.

use rstest::rstest;
use stepladder::outcome::Ending;
use stepladder::platform::AlarmDefinition;
use stepladder::platform::simulated::{SimulatedCloud, SimulatedDeployment, World};
use stepladder::size::{Flex, Size};

use crate::support::{
    self, BANDWIDTH_PAIR, CHURN, CPU_PAIR, HIGH_BANDWIDTH, HIGH_CPU, HIGH_MEM, Interrupted, LOW_BANDWIDTH,
    LOW_CPU, LOW_MEM, MEM_PAIR, Side, VARIANT, built_in, heading, minute, notice, operations, pairs, pass,
    send, size,
};

/// A model deployment on a flexible shape, as small as it may be.
const FLEXIBLE: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidflexible";

/// The small world, and the flexible deployment.
fn cloud() -> SimulatedCloud {
    let cloud = support::cloud();
    let flex = Some(Flex { ocpus: 1, memory_gib: 6 });
    let metrics = [("CpuUtilization".to_owned(), 20.0)].into();
    let flexible =
        SimulatedDeployment { flex, metrics, ..SimulatedDeployment::new(1, "VM.Standard.E4.Flex") };
    cloud.with(|world| world.deployments.insert(FLEXIBLE.to_owned(), flexible));
    cloud
}

/// Hours after the beginning at which things happen. Every change is long done when the next event comes.
const CRASH: i64 = 10;
const NEXT: i64 = 11;
const LAST: i64 = 12;

/// The events before the interrupted one.
type Past = &'static [&'static str];

/// A deployment's past, replayed hour by hour.
fn after(past: Past, id: &str) -> SimulatedCloud {
    let cloud = cloud();
    for (hour, event) in past.iter().enumerate() {
        let hour = i64::try_from(hour).unwrap();
        match *event {
            EDITED => cloud.with(edit),
            alarm => assert_ne!(answer_alarm(alarm, id, hour, &cloud).result, Ending::Failed),
        }
        pass(&cloud, 60);
    }
    cloud.advance(minute(CRASH * 60));
    cloud
}

/// A past event: somebody edits the paired alarm at the console.
const EDITED: &str = "edited";

fn edit(world: &mut World) {
    for alarm in world.alarms.iter_mut().filter(|alarm| alarm.is_ours()) {
        alarm.revision += 1;
        if let AlarmDefinition::Oci(found) = &mut alarm.definition {
            found.query = found.query.replace("< 10", "< 99");
        }
        if let AlarmDefinition::Aws(found) = &mut alarm.definition {
            found.threshold = 399.0;
        }
    }
}

fn answer_alarm(alarm: &str, id: &str, hour: i64, cloud: &SimulatedCloud) -> stepladder::outcome::Outcome {
    send(&notice(alarm, id).at(minute(hour * 60)), cloud, &built_in())
}

fn pair_for(alarm: &str) -> &'static str {
    match alarm {
        memory if memory.contains("mem") => MEM_PAIR,
        bandwidth if bandwidth.contains("bandwidth") => BANDWIDTH_PAIR,
        _ => CPU_PAIR,
    }
}

/// The scale-up alarm and the scale-down alarm.
fn high_and_low(alarm: &str) -> (&'static str, &'static str) {
    match pair_for(alarm) {
        MEM_PAIR => (HIGH_MEM, LOW_MEM),
        BANDWIDTH_PAIR => (HIGH_BANDWIDTH, LOW_BANDWIDTH),
        _ => (HIGH_CPU, LOW_CPU),
    }
}

/// Whether a deployment is, or will be, above the floor on the axis of an alarm.
fn above_floor(cloud: &SimulatedCloud, id: &str, alarm: &str) -> bool {
    let lowest = ["VM.Standard2.1", "VM.Standard.E4.Flex:1:6"];
    let above = |size: &Size| match pair_for(alarm) {
        MEM_PAIR => !lowest.contains(&size.rung().as_ref()),
        BANDWIDTH_PAIR => size.bandwidth_mbps.is_some_and(|bandwidth| bandwidth > 10),
        _ => size.instances > 1,
    };
    [size(cloud, id), heading(cloud, id)].iter().any(above)
}

fn nothing_is_stranded(cloud: &SimulatedCloud, id: &str, alarm: &str, story: &str) {
    let existing = pairs(&cloud.snapshot(), id, pair_for(alarm)).len();
    assert!(existing <= 1, "{story}: {existing} pairs");
    assert!(existing == 1 || !above_floor(cloud, id, alarm), "{story}: nothing removes the capacity");
}

/// Checks the state after an event was answered and its change is done.
fn state_is_consistent(cloud: &SimulatedCloud, id: &str, alarm: &str, story: &str) {
    nothing_is_stranded(cloud, id, alarm, story);
    for pair in pairs(&cloud.snapshot(), id, pair_for(alarm)) {
        if let AlarmDefinition::Oci(found) = &pair.definition {
            assert!(found.query.ends_with("< 10"), "{story}: the pair is not as the policy defines it");
        }
        if let AlarmDefinition::Aws(found) = &pair.definition {
            let off = (found.threshold - 40.0).abs();
            assert!(off <= f64::EPSILON, "{story}: the pair is not as the policy defines it");
        }
    }
}

/// Interrupts the answer to an alarm before and after every call.
fn crashes(past: Past, id: &str, alarm: &str, then: impl Fn(&SimulatedCloud, &str)) {
    let whole = answer_alarm(alarm, id, CRASH, &after(past, id)).calls.len();
    assert!(whole > 0, "there is nothing to cut short");
    for calls in 0..whole {
        for side in [Side::Before, Side::After] {
            let cloud = after(past, id);
            let story = format!("{alarm} crashes {side:?} call {calls}");
            let now = notice(alarm, id).at(minute(CRASH * 60));
            let cut = send(&now, &Interrupted::after(calls, side, &cloud), &built_in());
            assert!(cut.result == Ending::Failed && cut.is_retryable(), "{story}");
            nothing_is_stranded(&cloud, id, alarm, &story);
            then(&cloud, &story);
        }
    }
}

#[rstest]
// The first step up: the pair is new.
#[case::first_up_by_cpu(&[], CHURN, HIGH_CPU)]
#[case::first_up_by_mem(&[], CHURN, HIGH_MEM)]
#[case::first_up_on_sagemaker(&[], VARIANT, HIGH_CPU)]
// A further step up: the pair exists.
#[case::second_up_by_cpu(&[HIGH_CPU], CHURN, HIGH_CPU)]
#[case::second_up_on_sagemaker(&[HIGH_CPU], VARIANT, HIGH_CPU)]
// By bandwidth, and by the size of a flexible shape.
#[case::first_up_by_bandwidth(&[], CHURN, HIGH_BANDWIDTH)]
#[case::second_up_by_bandwidth(&[HIGH_BANDWIDTH], CHURN, HIGH_BANDWIDTH)]
#[case::first_up_by_flex(&[], FLEXIBLE, HIGH_MEM)]
#[case::second_up_by_flex(&[HIGH_MEM], FLEXIBLE, HIGH_MEM)]
// Down, but not to the floor, and down to it.
#[case::down_by_cpu(&[HIGH_CPU, HIGH_CPU], CHURN, LOW_CPU)]
#[case::down_to_the_floor_by_cpu(&[HIGH_CPU], CHURN, LOW_CPU)]
#[case::down_to_the_floor_by_mem(&[HIGH_MEM], CHURN, LOW_MEM)]
#[case::down_on_sagemaker(&[HIGH_CPU], VARIANT, LOW_CPU)]
#[case::down_by_bandwidth(&[HIGH_BANDWIDTH, HIGH_BANDWIDTH], CHURN, LOW_BANDWIDTH)]
#[case::down_to_the_floor_by_bandwidth(&[HIGH_BANDWIDTH], CHURN, LOW_BANDWIDTH)]
#[case::down_by_flex(&[HIGH_MEM, HIGH_MEM], FLEXIBLE, LOW_MEM)]
#[case::down_to_the_floor_by_flex(&[HIGH_MEM], FLEXIBLE, LOW_MEM)]
// Settled at the floor: the pair is deleted.
#[case::deletion_by_cpu(&[HIGH_CPU, LOW_CPU], CHURN, LOW_CPU)]
#[case::deletion_by_mem(&[HIGH_MEM, LOW_MEM], CHURN, LOW_MEM)]
#[case::deletion_on_sagemaker(&[HIGH_CPU, LOW_CPU], VARIANT, LOW_CPU)]
#[case::deletion_by_bandwidth(&[HIGH_BANDWIDTH, LOW_BANDWIDTH], CHURN, LOW_BANDWIDTH)]
#[case::deletion_by_flex(&[HIGH_MEM, LOW_MEM], FLEXIBLE, LOW_MEM)]
// Somebody has edited the pair: the next update rewrites it.
#[case::rewritten_going_up(&[HIGH_CPU, EDITED], CHURN, HIGH_CPU)]
#[case::rewritten_going_down(&[HIGH_CPU, HIGH_CPU, EDITED], CHURN, LOW_CPU)]
#[case::rewritten_by_mem(&[HIGH_MEM, EDITED], CHURN, HIGH_MEM)]
#[case::rewritten_on_sagemaker(&[HIGH_CPU, EDITED], VARIANT, HIGH_CPU)]
#[case::rewritten_by_bandwidth(&[HIGH_BANDWIDTH, EDITED], CHURN, HIGH_BANDWIDTH)]
#[case::rewritten_by_flex(&[HIGH_MEM, HIGH_MEM, EDITED], FLEXIBLE, LOW_MEM)]
// Up again after the pair was deleted.
#[case::up_again(&[HIGH_CPU, LOW_CPU, LOW_CPU], CHURN, HIGH_CPU)]
#[case::up_again_on_sagemaker(&[HIGH_CPU, LOW_CPU, LOW_CPU], VARIANT, HIGH_CPU)]
#[case::up_again_by_bandwidth(&[HIGH_BANDWIDTH, LOW_BANDWIDTH, LOW_BANDWIDTH], CHURN, HIGH_BANDWIDTH)]
// Two axes, each with its pair.
#[case::beside_another_axis(&[HIGH_CPU, HIGH_BANDWIDTH], CHURN, HIGH_MEM)]
fn the_next_event_repairs_a_crash(
    #[case] past: Past,
    #[case] id: &str,
    #[case] alarm: &str,
    #[values(true, false)] load_stays: bool,
) {
    let (high, low) = high_and_low(alarm);
    let next = if load_stays { high } else { low };
    crashes(past, id, alarm, |cloud, story| {
        cloud.advance(minute(NEXT * 60));
        let before = heading(cloud, id);
        let outcome = answer_alarm(next, id, NEXT, cloud);
        assert_ne!(outcome.result, Ending::Failed, "{story}, then {next}: {outcome:?}");
        state_is_consistent(cloud, id, alarm, story);
        // It moves one step in the direction of the next alarm, unless it is at that limit.
        assert_eq!(
            heading(cloud, id) == before,
            !load_stays && !above_floor(cloud, id, alarm),
            "{story}, then {next}"
        );
        cloud.advance(minute(LAST * 60));
        let last = answer_alarm(low, id, LAST, cloud);
        assert_ne!(last.result, Ending::Failed, "{story}, then {next}, then {low}: {last:?}");
        state_is_consistent(cloud, id, alarm, story);
        scales_down_to_the_floor(cloud, id, low, story);
    });
}

/// In every case, scale-down alarms scale it down to the floor, and the last one deletes the pair.
fn scales_down_to_the_floor(cloud: &SimulatedCloud, id: &str, low: &str, story: &str) {
    for hour in LAST + 1..LAST + 6 {
        cloud.advance(minute(hour * 60));
        answer_alarm(low, id, hour, cloud);
    }
    assert!(!above_floor(cloud, id, low), "{story}: it never came down");
    assert_eq!(pairs(&cloud.snapshot(), id, pair_for(low)), [], "{story}");
}

#[rstest]
// The platform delivers the same event again at once: it is completed, never applied twice.
#[case::up_by_cpu(&[], CHURN, HIGH_CPU)]
#[case::up_by_mem(&[], CHURN, HIGH_MEM)]
#[case::up_on_sagemaker(&[], VARIANT, HIGH_CPU)]
#[case::down_by_cpu(&[HIGH_CPU, HIGH_CPU], CHURN, LOW_CPU)]
#[case::up_by_bandwidth(&[], CHURN, HIGH_BANDWIDTH)]
#[case::down_by_bandwidth(&[HIGH_BANDWIDTH, HIGH_BANDWIDTH], CHURN, LOW_BANDWIDTH)]
#[case::up_by_flex(&[], FLEXIBLE, HIGH_MEM)]
#[case::down_by_flex(&[HIGH_MEM, HIGH_MEM], FLEXIBLE, LOW_MEM)]
#[case::deletion_by_bandwidth(&[HIGH_BANDWIDTH, LOW_BANDWIDTH], CHURN, LOW_BANDWIDTH)]
#[case::deletion(&[HIGH_CPU, LOW_CPU], CHURN, LOW_CPU)]
#[case::deletion_on_sagemaker(&[HIGH_CPU, LOW_CPU], VARIANT, LOW_CPU)]
#[case::rewritten(&[HIGH_CPU, EDITED], CHURN, HIGH_CPU)]
#[case::rewritten_on_sagemaker(&[HIGH_CPU, EDITED], VARIANT, HIGH_CPU)]
fn a_redelivery_finishes_what_was_cut_short(#[case] past: Past, #[case] id: &str, #[case] alarm: &str) {
    let whole = after(past, id);
    answer_alarm(alarm, id, CRASH, &whole);
    crashes(past, id, alarm, |cloud, story| {
        let again = answer_alarm(alarm, id, CRASH, cloud);
        assert_ne!(again.result, Ending::Failed, "{story}: {again:?}");
        let (done, wanted) = (cloud.snapshot(), whole.snapshot());
        assert_eq!(done.deployments, wanted.deployments, "{story}");
        assert_eq!(definitions(&done), definitions(&wanted), "{story}");
    });
}

fn definitions(world: &World) -> Vec<&AlarmDefinition> {
    world.alarms.iter().map(|alarm| &alarm.definition).collect()
}

#[test]
fn a_crash_between_pair_and_capacity_leaves_a_pair_that_removes_itself() {
    let cloud = cloud();
    let cut = send(&notice(HIGH_CPU, CHURN), &Interrupted::after(1, Side::Before, &cloud), &built_in());
    assert_eq!(cut.result, Ending::Failed);
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR).len(), 1);
    // The load is gone before the next notice: the pair itself fires, under its own name.
    let low = crate::support::Notice::new(CPU_PAIR, CHURN).at(minute(30));
    let outcome = send(&low, &cloud, &built_in());
    assert_eq!(operations(&outcome), ["oci:DeleteAlarm"]);
    assert_eq!(pairs(&cloud.snapshot(), CHURN, CPU_PAIR), []);
}
