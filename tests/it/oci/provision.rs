//! The real command against the emulator: plan, apply, again, drift, what is in the way, and taking down.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::function::python;
use crate::cli::write;

const DEPLOYMENT: &str = "ocid1.datasciencemodeldeployment.oc1.iad.demo";

/// A topic of our own, besides the one that the emulator has.
const OURS: &str = "topic = \"pressure\"";

/// A running emulator, whose minutes never end. It stops when its standard input closes.
struct Emulator {
    child: Child,
    ready: Value,
    dir: TempDir,
}

impl Emulator {
    fn start() -> Option<Self> {
        python(&["--version"])?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(root.join("target/oci-venv/bin/python"))
            .args(["tests/emulators/oci/emulator.py", "--minute-seconds", "0"])
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"));
        Some(Self { child, ready, dir: TempDir::new().unwrap() })
    }

    fn word(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap()
    }

    /// Runs a verb on a policy whose table has these keys, too; returns the exit code and what it prints as JSON.
    fn run(&self, verb: &str, keys: &str, more: &[&str]) -> (i32, Value) {
        let (compartment, function) = (self.word("compartment"), self.word("function"));
        let policy = write(
            &self.dir,
            "stepladder.toml",
            format!(
                "[oci]\ncompartment = \"{compartment}\"\ndeployments = [\"{DEPLOYMENT}\"]\nfunction = \"{function}\"\n{keys}\n"
            ),
        );
        let output = Command::new(env!("CARGO_BIN_EXE_stepladder"))
            .args([verb, "--cloud", "oci", "--format", "json", "--policy", &policy])
            .args(more)
            .env_clear()
            .env("OCI_CONFIG_FILE", self.word("config"))
            .env("STEPLADDER_OCI_DATASCIENCE_ENDPOINT", self.word("datascience"))
            .env("STEPLADDER_OCI_MONITORING_ENDPOINT", self.word("monitoring"))
            .env("STEPLADDER_OCI_NOTIFICATION_ENDPOINT", self.word("notifications"))
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let shown = || format!("{told}\n{}", String::from_utf8_lossy(&output.stderr));
        let value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {}", shown()));
        (output.status.code().unwrap(), value)
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let host = self.word("control").strip_prefix("http://").unwrap();
        let body = body.to_string();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// What stands, as the service has it.
    fn state(&self) -> Value {
        self.control("GET", "/state", &json!({}))
    }

    /// Every operation that was asked for since the last time, reads included.
    fn asked(&self) -> Vec<String> {
        let requests = self.control("GET", "/requests", &json!({}));
        self.control("DELETE", "/requests", &json!({}));
        let requests = requests.as_array().unwrap();
        assert!(requests.iter().all(|request| request["sdk_equal"] == true), "signed as the SDK signs");
        requests.iter().map(|request| request["operation"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The calls of a report that are done, or else planned.
fn calls<'a>(report: &'a Value, status: &str) -> Vec<&'a str> {
    let steps = report["steps"].as_array().unwrap().iter().filter(|step| step["status"] == status);
    steps.map(|step| step["call"].as_str().unwrap()).collect()
}

/// How much stands there that is marked as ours.
fn marked(state: &Value, kind: &str) -> usize {
    let all = state[kind].as_array().unwrap();
    all.iter().filter(|one| one["freeformTags"]["stepladder:provisioned"] == "pressure").count()
}

#[test]
fn everything_is_set_up_once_put_right_and_taken_down() {
    let Some(emulator) = Emulator::start() else { return };
    let all = ["oci:CreateTopic", "oci:CreateSubscription", "oci:CreateAlarm", "oci:CreateAlarm"];
    let before = emulator.state();

    let (code, planned) = emulator.run("provision", OURS, &[]);
    assert_eq!((code, calls(&planned, "planned")), (0, all.to_vec()), "{planned:#}");
    assert_eq!(emulator.state(), before, "a plan changes nothing");

    let (code, applied) = emulator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, calls(&applied, "done")), (0, all.to_vec()), "{applied:#}");
    let stands = emulator.state();
    let ours = ["topics", "subscriptions", "alarms"].map(|kind| marked(&stands, kind));
    assert_eq!(ours, [1, 1, 2], "{stands:#}");
    let topic = &applied["configuration"]["STEPLADDER_ALARM_ACTION"];
    assert_eq!(stands["alarms"][0]["destinations"], json!([topic]));
    assert_eq!(stands["alarms"][0]["repeatNotificationDuration"], "PT5M");

    emulator.asked();
    let (code, again) = emulator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, &again["nothing_left"], &again["steps"]), (0, &json!(true), &json!([])));
    let reads = ["GetAlarm", "ListAlarms", "ListSubscriptions", "ListTopics"];
    let asked = emulator.asked();
    assert!(asked.iter().all(|operation| reads.contains(&operation.as_str())), "{asked:?}");
    assert_eq!(emulator.state(), stands);

    let alarm =
        "[[oci.alarm]]\nname = \"model_deployment_high_cpu\"\nmetric = \"CpuUtilization\"\nabove = 95";
    let (code, other) = emulator.run("provision", &format!("{OURS}\n{alarm}"), &["--apply"]);
    let done = ["oci:UpdateAlarm", "oci:DeleteAlarm"];
    assert_eq!((code, calls(&other, "done")), (0, done.to_vec()), "{other:#}");
    assert_eq!(other["steps"][0]["changes"][0]["field"], "query");
    let (code, back) = emulator.run("provision", OURS, &["--apply"]);
    let done = ["oci:UpdateAlarm", "oci:CreateAlarm"];
    assert_eq!((code, calls(&back, "done")), (0, done.to_vec()), "{back:#}");

    let (code, gone) = emulator.run("teardown", OURS, &["--apply"]);
    let reverse = ["oci:DeleteAlarm", "oci:DeleteAlarm", "oci:DeleteSubscription", "oci:DeleteTopic"];
    assert_eq!((code, calls(&gone, "done")), (0, reverse.to_vec()), "{gone:#}");
    assert_eq!(emulator.state(), before);
    let (code, again) = emulator.run("teardown", OURS, &["--apply"]);
    assert_eq!((code, &again["steps"]), (0, &json!([])));

    let (code, anew) = emulator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, &anew["nothing_left"]), (0, &json!(true)), "no spent token is in the way: {anew:#}");
}

#[test]
fn a_topic_of_somebody_else_is_in_the_way_or_used_as_it_is() {
    let Some(emulator) = Emulator::start() else { return };
    let before = emulator.state();
    // The emulator's own topic carries no tag of ours.
    let (code, refused) = emulator.run("provision", "", &["--apply"]);
    assert_eq!((code, refused["conflicts"].as_array().unwrap().len()), (1, 1), "{refused:#}");
    assert_eq!(emulator.state(), before);

    let topic = format!("topic = \"{}\"", emulator.word("topic"));
    let (code, used) = emulator.run("provision", &topic, &["--apply"]);
    let done = ["oci:CreateAlarm", "oci:CreateAlarm"];
    assert_eq!((code, calls(&used, "done")), (0, done.to_vec()), "its function is subscribed: {used:#}");
    let (code, gone) = emulator.run("teardown", &topic, &["--apply"]);
    assert_eq!((code, calls(&gone, "done").len()), (0, 2), "{gone:#}");
    assert_eq!(emulator.state(), before);

    let (code, missing) = emulator.run("provision", &topic.replace("emulator", "nothing"), &["--apply"]);
    assert_eq!((code, missing["conflicts"].as_array().unwrap().len()), (1, 1), "{missing:#}");
}

#[test]
fn what_failed_is_finished_by_the_next_run() {
    let Some(emulator) = Emulator::start() else { return };
    let fault = json!({ "operation": "CreateAlarm", "status": 400, "code": "LimitExceeded", "skip": 1 });
    emulator.control("POST", "/fail", &fault);
    let (code, broken) = emulator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, &broken["error"]["kind"]), (1, &json!("over_quota")), "{broken:#}");
    assert_eq!(calls(&broken, "done"), ["oci:CreateTopic", "oci:CreateSubscription", "oci:CreateAlarm"]);
    let (code, rest) = emulator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, calls(&rest, "done")), (0, vec!["oci:CreateAlarm"]), "{rest:#}");
}

#[test]
fn who_may_not_look_is_told_the_statement() {
    let Some(emulator) = Emulator::start() else { return };
    emulator.control("POST", "/deny", &json!({ "operation": "ListTopics", "denied": true }));
    let (code, denied) = emulator.run("provision", OURS, &[]);
    let message = denied["error"]["message"].as_str().unwrap();
    let statement = format!(
        "you need `Allow group <yours> to inspect ons-topics in compartment id {}`",
        emulator.word("compartment")
    );
    assert!(code == 1 && message.ends_with(&statement), "{code}: {message}");
}
