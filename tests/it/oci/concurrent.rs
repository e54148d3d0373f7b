//! Hundreds of deliveries at once do what one would: Notifications promises no order, and no message only once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::handle::handle;
use stepladder::platform::Client as _;
use stepladder::policy::Policy;
use stepladder::report;
use tokio::sync::{Barrier, Mutex};

use super::emulators::{Request, deployment};
use super::function::{Function, until};
use super::tenancy::{Tenancy, only_outcome, operators_alarm, sample};

/// How many deliveries come at once.
const DELIVERIES: usize = 500;

/// How many where they are not all alike.
const MIXED: usize = 200;

/// What comes when everything is over.
const LATE: usize = 60;

/// As many containers as the platform starts for them; each has its own client, and knows nothing of the others.
const CONTAINERS: usize = 50;

/// As many of them as real processes.
const PROCESSES: usize = 8;

/// The pairs of the built-in rules.
const CPU_PAIR: &str = "model_deployment_low_cpu";
const MEM_PAIR: &str = "model_deployment_low_mem";

const FIRING: &str = "high-cpu.firing.json";

const SMALLEST: &str = "VM.Standard2.1";
const NEXT: &str = "VM.Standard2.2";

impl Tenancy {
    /// One whose deployment is as small as may be, along both axes.
    fn at_the_floor() -> Option<Self> {
        let mut churn = deployment();
        let settings = "/modelDeploymentConfigurationDetails/modelConfigurationDetails";
        let shape = churn.pointer_mut(&format!("{settings}/instanceConfiguration/instanceShapeName"));
        *shape.unwrap() = json!(SMALLEST);
        Self::with(&churn)
    }

    /// Hands all of them over at once, and returns what each was answered.
    fn storm(&self, bodies: Vec<Vec<u8>>) -> Vec<Value> {
        // A container answers one call at a time.
        let containers = std::iter::repeat_with(|| Arc::new(Mutex::new(self.emulator.cloud())));
        let containers: Vec<_> = containers.take(CONTAINERS).collect();
        let policy = Arc::new(Policy::built_in().unwrap());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let start = Arc::new(Barrier::new(bodies.len()));
            let deliver = |(number, body): (usize, Vec<u8>)| {
                let (container, policy) = (Arc::clone(&containers[number % CONTAINERS]), Arc::clone(&policy));
                let start = Arc::clone(&start);
                tokio::spawn(async move {
                    start.wait().await;
                    let cloud = container.lock().await;
                    cloud.begin(None);
                    let answer = handle(&body, &*cloud, &policy, Timestamp::now()).await.unwrap();
                    only_outcome(report::reply(&answer))
                })
            };
            let tasks: Vec<_> = bodies.into_iter().enumerate().map(deliver).collect();
            let mut records = Vec::new();
            for task in tasks {
                records.push(task.await.unwrap());
            }
            records
        })
    }

    /// The same from as many real processes as there are, each called again as soon as it has answered.
    fn storm_of_processes(&self, body: &[u8], times: usize) -> Vec<Value> {
        let functions: Vec<Function> = (0..PROCESSES).map(|_| self.emulator.function(&[])).collect();
        let begun = AtomicUsize::new(0);
        let (begun, start) = (&begun, &std::sync::Barrier::new(PROCESSES));
        std::thread::scope(|scope| {
            let call = |function: &Function| {
                let mut connection = function.connect();
                start.wait();
                let mut records = Vec::new();
                while begun.fetch_add(1, SeqCst) < times {
                    let answer = connection.call(body, &[]);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    records.push(only_outcome(answer.body));
                }
                records
            };
            let threads: Vec<_> =
                functions.iter().map(|function| scope.spawn(move || call(function))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn size(&self) -> (u64, String) {
        (self.instances(), self.shape())
    }

    /// The OCIDs of the alarms that were made as this pair.
    fn pairs_called(&self, name: &str) -> Vec<String> {
        let named = |alarm: &Value| alarm["freeformTags"]["stepladder:pair"] == name;
        let id = |alarm: Value| alarm["id"].as_str().unwrap().to_owned();
        self.pairs().into_iter().filter(named).map(id).collect()
    }

    /// The requests of an operation that were carried out.
    fn accepted(&self, operation: &str) -> Vec<Request> {
        let sent = self.emulator.requests_of(operation);
        sent.into_iter().filter(|request| (200..300).contains(&request.status)).collect()
    }
}

/// The bytes of a sample that this alarm has sent just now.
fn payload(name: &str, alarm: &str) -> Vec<u8> {
    sample(name, alarm).to_string().into_bytes()
}

/// How many records ended so, and the reasons of those that held.
fn endings(records: &[Value]) -> (usize, BTreeSet<&str>) {
    let applied = records.iter().filter(|record| record["result"] == "applied").count();
    let reasons = records.iter().filter_map(|record| record["decision"]["reason"].as_str());
    (applied, reasons.collect())
}

/// Nothing failed, so no delivery is retried.
fn all_are_answered(records: &[Value]) {
    let failed: Vec<&Value> =
        records.iter().filter(|record| record["result"] != "applied" && record["result"] != "held").collect();
    assert!(failed.is_empty(), "{} of {} failed, as {:#}", failed.len(), records.len(), failed[0]);
}

/// Exactly one change was requested and accepted, and all the others report why not.
fn one_has_changed_it(tenancy: &Tenancy, records: &[Value]) {
    all_are_answered(records);
    let (applied, reasons) = endings(records);
    let updates = tenancy.accepted("UpdateModelDeployment").len();
    assert_eq!((applied, updates), (1, 1), "{reasons:?}");
    assert!(reasons.is_subset(&["busy", "stale"].into()), "{reasons:?}");
}

#[test]
fn copies_of_one_message_add_one_instance() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    let firing = payload(FIRING, &tenancy.high);
    let records = tenancy.storm(vec![firing.clone(); DELIVERIES]);
    one_has_changed_it(&tenancy, &records);
    one_pair_was_made(&tenancy, CPU_PAIR);
    tenancy.finish();
    assert_eq!(tenancy.size(), (2, SMALLEST.to_owned()));
    // The rest of them come when it is done.
    let late = tenancy.storm(vec![firing; LATE]);
    assert_eq!(endings(&late), (0, ["stale"].into()));
    assert_eq!(tenancy.accepted("UpdateModelDeployment").len(), 1);
    one_pair_was_made(&tenancy, CPU_PAIR);
}

#[test]
fn processes_that_know_nothing_of_each_other_add_one_instance() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    let firing = payload(FIRING, &tenancy.high);
    let records = tenancy.storm_of_processes(&firing, DELIVERIES);
    assert_eq!(records.len(), DELIVERIES);
    one_has_changed_it(&tenancy, &records);
    one_pair_was_made(&tenancy, CPU_PAIR);
    tenancy.finish();
    assert_eq!(tenancy.size(), (2, SMALLEST.to_owned()));
    let late = tenancy.storm_of_processes(&firing, LATE);
    assert_eq!(endings(&late), (0, ["stale"].into()));
    assert_eq!(tenancy.accepted("UpdateModelDeployment").len(), 1);
}

#[test]
fn a_breach_and_its_repetition_add_one_instance() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    let firing = payload(FIRING, &tenancy.high);
    let repeat = payload("high-cpu.repeat.json", &tenancy.high);
    let both: Vec<Vec<u8>> = [firing, repeat].into_iter().cycle().take(MIXED).collect();
    let records = tenancy.storm(both.clone());
    one_has_changed_it(&tenancy, &records);
    one_pair_was_made(&tenancy, CPU_PAIR);
    tenancy.finish();
    assert_eq!(endings(&tenancy.storm(both[..LATE].to_vec())), (0, ["stale"].into()));
    assert_eq!(tenancy.size(), (2, SMALLEST.to_owned()));
}

#[test]
fn two_kinds_of_pressure_change_one_dimension_after_the_other() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    let mut alarm = operators_alarm(&tenancy.emulator);
    alarm["displayName"] = json!("model_deployment_high_mem");
    alarm["query"] = json!(alarm["query"].as_str().unwrap().replace("Cpu", "Memory"));
    let high_mem = tenancy.emulator.put_alarm(&alarm);
    let both = || [payload(FIRING, &tenancy.high), payload("high-mem.firing.json", &high_mem)];
    let first: Vec<Vec<u8>> = both().into_iter().cycle().take(MIXED).collect();
    let records = tenancy.storm(first.clone());
    one_has_changed_it(&tenancy, &records);
    tenancy.finish();
    let (more, larger) = ((2, SMALLEST.to_owned()), (1, NEXT.to_owned()));
    let (won, lost) = if tenancy.size() == more { (CPU_PAIR, MEM_PAIR) } else { (MEM_PAIR, CPU_PAIR) };
    assert!([more, larger].contains(&tenancy.size()), "{:?}", tenancy.size());
    // Both have data from before that. The loser may have written its pair, which is not needed yet.
    let late = tenancy.storm(first[..LATE].to_vec());
    assert_eq!(endings(&late), (0, ["stale"].into()));
    assert_eq!(tenancy.pairs_called(won).len(), 1);
    assert!(tenancy.pairs_called(lost).len() <= 1);
    // The pressure is still there when the data is new: now the other dimension changes, once.
    tenancy.finish_long_ago();
    let [cpu, mem] = both();
    let again = tenancy.storm(vec![if lost == MEM_PAIR { mem } else { cpu }; LATE]);
    all_are_answered(&again);
    assert_eq!((endings(&again).0, tenancy.accepted("UpdateModelDeployment").len()), (1, 2));
    tenancy.finish();
    assert_eq!(tenancy.size(), (2, NEXT.to_owned()));
    assert_eq!((tenancy.pairs_called(won).len(), tenancy.pairs_called(lost).len()), (1, 1));
}

#[test]
fn copies_of_a_low_alarm_take_one_step_down_and_the_pair_at_the_floor() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    let firing = payload(FIRING, &tenancy.high);
    assert_eq!(endings(&tenancy.storm(vec![firing])).0, 1);
    tenancy.finish_long_ago();
    tenancy.emulator.forget_requests();
    let pair = tenancy.pairs_called(CPU_PAIR).remove(0);
    let low = payload("low-cpu.repeat.json", &pair);
    let records = tenancy.storm(vec![low.clone(); DELIVERIES]);
    one_has_changed_it(&tenancy, &records);
    // Nobody has seen it at its floor yet.
    assert_eq!(tenancy.pairs_called(CPU_PAIR), [pair]);
    assert_eq!(tenancy.emulator.requests_of("DeleteAlarm").len(), 0);
    tenancy.finish();
    assert_eq!(tenancy.size(), (1, SMALLEST.to_owned()));
    let late = tenancy.storm(vec![low; LATE]);
    all_are_answered(&late);
    assert_eq!(endings(&late), (0, ["stale"].into()));
    assert_eq!(tenancy.pairs_called(CPU_PAIR), Vec::<String>::new());
    assert_eq!(tenancy.accepted("DeleteAlarm").len(), 1);
    assert_eq!(tenancy.accepted("UpdateModelDeployment").len(), 1);
}

#[rstest]
// The update itself records when it was requested.
#[case::stamped(true)]
// The service takes no stamp with it: only its work request has the time.
#[case::not_stamped(false)]
fn an_update_that_is_done_in_the_midst_of_it_is_not_taken_again(#[case] stamped: bool) {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    tenancy.emulator.set(&json!({ "update_seconds": 0.5, "tags_with_size": stamped }));
    let records = tenancy.storm(vec![payload(FIRING, &tenancy.high); MIXED]);
    one_has_changed_it(&tenancy, &records);
    assert!(endings(&records).1.contains("stale"), "it was done before the last of them came");
    assert_eq!(tenancy.size(), (2, SMALLEST.to_owned()));
    // A process that read the alarms before the change and the deployment after it may have created another pair. The
    // next observation deletes it.
    all_are_answered(&tenancy.storm(vec![payload(FIRING, &tenancy.high)]));
    assert_eq!(tenancy.pairs_called(CPU_PAIR).len(), 1);
}

#[test]
fn an_observation_in_two_halves_with_the_end_of_a_change_between_them_changes_nothing() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    // Only the work request shows the change, and that is read before it is completed.
    tenancy.emulator.set(&json!({ "tags_with_size": false }));
    let firing = payload(FIRING, &tenancy.high);
    one_has_changed_it(&tenancy, &tenancy.storm(vec![firing.clone()]));
    tenancy.emulator.forget_requests();
    tenancy.emulator.fail(&json!({ "operation": "GetModelDeployment", "hang": 3, "times": 1 }));
    let late = std::thread::scope(|scope| {
        let late = scope.spawn(|| tenancy.storm(vec![firing.clone()]));
        let read = || !tenancy.accepted("ListWorkRequests").is_empty();
        until("its work requests are read", read);
        tenancy.finish();
        late.join().unwrap()
    });
    assert_eq!(endings(&late), (0, ["busy"].into()));
    assert_eq!(tenancy.size(), (2, SMALLEST.to_owned()));
}

#[test]
fn after_both_tokens_are_spent_it_observes_again() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    // Others have made the pair with either token, and deleted it as one too many.
    let spent =
        json!({ "operation": "CreateAlarm", "status": 409, "code": "InvalidatedRetryToken", "times": 2 });
    tenancy.emulator.fail(&spent);
    one_has_changed_it(&tenancy, &tenancy.storm(vec![payload(FIRING, &tenancy.high)]));
    one_pair_was_made(&tenancy, CPU_PAIR);
}

/// However many requested it: they had one token, and it was created once.
fn one_pair_was_made(tenancy: &Tenancy, name: &str) {
    assert_eq!(tenancy.pairs_called(name).len(), 1);
    let asked: Vec<Request> = tenancy
        .accepted("CreateAlarm")
        .into_iter()
        .filter(|request| request.body["displayName"] == name)
        .collect();
    let tokens: BTreeSet<&Option<String>> = asked.iter().map(|request| &request.retry_token).collect();
    assert_eq!(tokens.len(), 1, "{} have asked", asked.len());
    assert_eq!(tenancy.accepted("DeleteAlarm").len(), 0);
}

#[test]
fn what_is_throttled_is_delivered_again_and_changes_nothing_more() {
    let Some(tenancy) = Tenancy::at_the_floor() else { return };
    // What Monitoring allows a whole tenancy.
    tenancy.emulator.set(&json!({ "alarm_calls_per_second": 10 }));
    let firing = payload(FIRING, &tenancy.high);
    let records = tenancy.storm(vec![firing.clone(); 2 * PROCESSES]);
    let again: Vec<&Value> = records.iter().filter(|record| record["result"] == "failed").collect();
    let is_throttled = |record: &&&Value| {
        record["error"]["kind"] == "throttled" && record["error"]["retryable"] == json!(true)
    };
    assert_eq!(again.iter().filter(is_throttled).count(), again.len(), "{again:#?}");
    assert!(tenancy.accepted("UpdateModelDeployment").len() <= 1);
    // The others of the tenancy are done; Notifications delivers again what has failed, and one more.
    tenancy.emulator.set(&json!({ "alarm_calls_per_second": null }));
    all_are_answered(&tenancy.storm(vec![firing; again.len() + 1]));
    assert_eq!(tenancy.accepted("UpdateModelDeployment").len(), 1);
    one_pair_was_made(&tenancy, CPU_PAIR);
}
