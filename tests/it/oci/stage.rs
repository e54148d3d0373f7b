//! Plays a load on the whole loop, in minutes of a second each, prints what happens as it happens, and draws it.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stepladder::policy::Policy;
use stepladder::size::Size;
use tempfile::NamedTempFile;

use super::agent::Agent;
use super::emulators::{DEPLOYMENT, Emulator, Pace, deployment, root};
use super::tenancy::operators_alarm;
use crate::chart;
use crate::narrator::Narrator;
use crate::story::{Act, Alarm, Sample, Script};

/// A minute takes a second, and an update three: OCI's takes ten minutes and more, but the story is in a hurry.
const PACE: Pace = Pace { update_seconds: 3.0, minute_seconds: 1.0 };

/// The deployment is observed so often, and its metric set: often enough that no minute has an old one only.
const EVERY: Duration = Duration::from_millis(250);
/// What an act waits for must be seen so often in a row.
const SURE: usize = 12;
/// The longest that an act may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// How it ended.
pub(super) struct Ending {
    /// The sizes along the axis, one after the other.
    pub(super) sizes: Vec<String>,
    /// What each resize answered: the alarm's name, and the type of its message.
    pub(super) resizes: Vec<[String; 2]>,
    /// The alarms that are left.
    pub(super) alarms: Vec<String>,
    /// How many updates were requested.
    pub(super) updates: usize,
    /// Whether each request was signed as Oracle's SDK signs it.
    pub(super) all_signed: bool,
}

/// Plays a script to its end. `None` where the emulator is not installed.
pub(super) fn play(script: &Script<'_>) -> Option<Ending> {
    let emulator = Emulator::start_at(PACE)?;
    let mut document = deployment();
    document["modelDeploymentConfigurationDetails"]["modelConfigurationDetails"]["instanceConfiguration"]["instanceShapeName"] =
        json!(script.shape);
    emulator.put(&document);
    let mut policy = NamedTempFile::new().unwrap();
    policy.write_all(script.policy.as_bytes()).unwrap();
    let agent = Agent::start(&emulator, &[("STEPLADDER_POLICY", policy.path().to_str().unwrap())]);
    emulator.deliver_to(agent.url());
    let mut stage = Stage {
        script,
        _agent: agent,
        emulator,
        _policy: policy,
        narrator: Narrator::new(script.name),
        samples: Vec::new(),
        printed: 0,
        resizes: Vec::new(),
    };
    stage.put_high_alarm();
    for act in &script.acts {
        stage.play(act);
    }
    Some(stage.end())
}

/// Everything that takes part, and what was seen of it.
struct Stage<'a> {
    script: &'a Script<'a>,
    // They stop in this order, each before what it talks to.
    _agent: Agent,
    emulator: Emulator,
    _policy: NamedTempFile,
    narrator: Narrator,
    samples: Vec<Sample>,
    /// So many deliveries have been printed.
    printed: usize,
    resizes: Vec<[String; 2]>,
}

impl Stage<'_> {
    fn play(&mut self, act: &Act) {
        self.narrator.print(&format!("── {}: {} {}", act.name, act.load, self.script.load));
        let deadline = Instant::now() + PATIENCE;
        let mut sure = 0;
        while sure < SURE {
            assert!(Instant::now() < deadline, "`{}` does not end: {:#}", act.name, self.emulator.state());
            let sample = self.observe(act);
            self.emulator.gauge(DEPLOYMENT, self.script.metric, sample.measured);
            if self.script.metric != "CpuUtilization" {
                // A smaller shape must carry its cores, too.
                self.emulator.gauge(DEPLOYMENT, "CpuUtilization", 20.0);
            }
            // First why, then what.
            self.record();
            self.narrator.changes(self.script, self.samples.last(), &sample);
            sure = if (act.until)(&sample) { sure + 1 } else { 0 };
            self.samples.push(sample);
            std::thread::sleep(EVERY);
        }
    }

    /// The scale-up alarm, as an operator would make it.
    fn put_high_alarm(&self) {
        let Script { metric, alarm, above, .. } = self.script;
        let query =
            format!("{metric}[1m]{{resourceId = \"{DEPLOYMENT}\"}}.groupBy(resourceId).mean() > {above}");
        let mut details = operators_alarm(&self.emulator);
        details["displayName"] = json!(alarm);
        details["query"] = json!(query);
        self.emulator.put_alarm(&details);
    }

    fn observe(&self, act: &Act) -> Sample {
        let mut state = self.emulator.state();
        let document = state["deployments"][DEPLOYMENT]["document"].take();
        let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap().to_owned();
        let shape = text(
            "/modelDeploymentConfigurationDetails/modelConfigurationDetails/instanceConfiguration/\
             instanceShapeName",
        );
        let running = document["modelDeploymentSystemData"]["currentInstanceCount"].as_u64().unwrap();
        let size = Size::new(u32::try_from(running).unwrap(), shape);
        let ladders = Policy::built_in().unwrap().ladders;
        let rung = ladders.rung(&size.shape).unwrap();
        Sample {
            at: self.narrator.at(),
            act: act.name,
            load: act.load,
            measured: (self.script.measured)(act.load, &size, &rung),
            size,
            alarms: state["alarms"].as_array().unwrap().iter().map(named).collect(),
            leftovers: Vec::new(),
            settled: text("/lifecycleState") == "ACTIVE",
        }
    }

    /// Keeps what the function has answered to messages.
    fn record(&mut self) {
        let deliveries = self.emulator.deliveries();
        for delivery in deliveries.iter().skip(self.printed) {
            assert_eq!(delivery["status"], 200, "{delivery:#}");
            let answer: Value = serde_json::from_str(delivery["answer"].as_str().unwrap()).unwrap();
            let message: Value = serde_json::from_str(delivery["body"].as_str().unwrap()).unwrap();
            let outcome = &answer["outcomes"][0];
            assert_ne!(outcome["result"], "failed", "{outcome:#}");
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            if outcome["result"] == "applied" {
                self.resizes.push([word(&outcome["alarm"]["name"]), word(&message["type"])]);
            }
            self.narrator.outcome(&word(&message["type"]), outcome);
        }
        self.printed = deliveries.len();
    }

    fn end(self) -> Ending {
        let file = chart::draw(self.script, &self.samples);
        self.narrator.print(&format!("drawn in {}", file.strip_prefix(root()).unwrap().display()));
        let requests = self.emulator.requests();
        let last = self.samples.last().unwrap();
        Ending {
            sizes: self.script.levels(&self.samples),
            resizes: self.resizes,
            alarms: last.alarms.keys().cloned().collect(),
            updates: requests.iter().filter(|one| one.operation == "UpdateModelDeployment").count(),
            all_signed: requests.iter().all(|one| one.sdk_equal == Some(true)),
        }
    }
}

/// An alarm by its name; its threshold ends its query.
fn named(alarm: &Value) -> (String, Alarm) {
    let text = |key: &str| alarm[key].as_str().unwrap().to_owned();
    let threshold = text("query").rsplit(' ').next().unwrap().parse().unwrap();
    (text("displayName"), Alarm { state: text("status"), threshold })
}
