//! A queue's batch in the real function: which messages are named for another delivery, whatever happens.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::function::Function;
use super::horizontal::{Account, sample};
use crate::support::batch;

/// The most attempts that the SDK makes at one call.
const ATTEMPTS: u32 = 3;

/// Longer than any invocation here.
const ANSWER: Duration = Duration::from_mins(2);

/// A message of the topic, as SQS holds it.
fn queued(alarm: &[u8]) -> Vec<u8> {
    let event: Value = serde_json::from_slice(alarm).unwrap();
    event["Records"][0]["Sns"].to_string().into_bytes()
}

fn high_on(endpoint: &str) -> Vec<u8> {
    let high = String::from_utf8(sample("sns.high-cpu.firing.json")).unwrap();
    queued(high.replace("\\\"churn\\\"", &format!("\\\"{endpoint}\\\"")).as_bytes())
}

fn results(reply: &Value) -> Vec<&str> {
    reply["outcomes"].as_array().unwrap().iter().map(|one| one["result"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn one_of_three_messages_is_delivered_again() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    // The first message uses them up, attempt by attempt.
    account.emulators.fail("DescribeEndpoint", 503, ATTEMPTS, "ServiceUnavailable");
    let others = high_on("other");
    let messages: [(&str, &[u8]); 3] =
        [("fails", &others), ("unreadable", b"all is well"), ("scales", &high_on("churn"))];
    let reply = function.invoke(batch(&messages).to_string().as_bytes());
    assert_eq!(reply["batchItemFailures"], json!([{ "itemIdentifier": "fails" }]), "{reply:#}");
    assert_eq!(results(&reply), ["failed", "applied"], "{reply:#}");
    assert_eq!(reply["outcomes"][0]["error"]["retryable"], true);
    assert_eq!(account.settle().await, 2);
    let log = function.log();
    let is_counted = |line: &str| {
        serde_json::from_str::<Value>(line)
            .is_ok_and(|line| line["Rejected"] == 1 && line["kind"] == "not_an_alarm")
    };
    // `null` has shown that the function answers; it was rejected, too.
    assert!(log.lines().any(|line| is_counted(line) && line.contains("all is well")), "{log}");

    // The message by itself, once the service is well again: there will never be such an endpoint.
    let reply = function.invoke(batch(&messages[..1]).to_string().as_bytes());
    assert_eq!(reply["batchItemFailures"], json!([]), "{reply:#}");
    assert_eq!(reply["outcomes"][0]["error"]["kind"], "not_found");
}

/// What the function answers to one event that must be answered within so much time. Nothing there answers its
/// own calls.
fn invoked(payload: &Value, time: Duration, policy: &str) -> (String, Value) {
    let runtime = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut function = Command::new(env!("CARGO_BIN_EXE_stepladder-lambda"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime.local_addr().unwrap().to_string())
        .envs([
            ("AWS_LAMBDA_FUNCTION_NAME", "stepladder"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("STEPLADDER_POLICY", policy),
        ])
        .env("AWS_ENDPOINT_URL", format!("http://{}", silent.local_addr().unwrap()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (send, report) = mpsc::channel();
    let payload = payload.to_string();
    std::thread::spawn(move || {
        let _ = send.send(serve_one(&runtime, &payload, time));
    });
    let report = report.recv_timeout(ANSWER);
    function.kill().unwrap();
    function.wait().unwrap();
    report.expect("the function answers")
}

/// Lambda's runtime interface: hands out one event, and returns the path and the body of the answer to it.
fn serve_one(runtime: &TcpListener, payload: &str, time: Duration) -> (String, Value) {
    loop {
        let (mut stream, _) = runtime.accept().unwrap();
        let (request, body) = read_request(&stream);
        if !request.starts_with("GET") {
            let path = request.split(' ').nth(1).unwrap().to_owned();
            return (path, serde_json::from_slice(&body).unwrap());
        }
        let deadline = Timestamp::now().as_millisecond() + i64::try_from(time.as_millis()).unwrap();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:111122223333:function:stepladder\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{payload}",
            payload.len()
        )
        .unwrap();
    }
}

pub(super) fn read_request(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut lines = BufReader::new(stream);
    let (mut request, mut length, mut chunked) = (String::new(), 0, false);
    lines.read_line(&mut request).unwrap();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(digits) = line.strip_prefix("content-length:") {
            length = digits.trim().parse().unwrap();
        }
        chunked |= line == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).unwrap();
    if chunked {
        loop {
            let mut size = String::new();
            lines.read_line(&mut size).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            lines.read_exact(&mut chunk).unwrap();
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    (request, body)
}

fn three_messages() -> Value {
    // Held without an observation, and so answered at once.
    let cleared = String::from_utf8(sample("sns.high-cpu.firing.json")).unwrap();
    let cleared = cleared
        .replace("NewStateValue\\\":\\\"ALARM", "NewStateValue\\\":\\\"INSUFFICIENT_DATA")
        .into_bytes();
    batch(&[
        ("answered", &queued(&cleared)),
        ("waits", &high_on("churn")),
        ("not reached", &high_on("other")),
    ])
}

#[test]
fn when_time_is_up_only_the_unanswered_messages_are_named() {
    let (path, reply) = invoked(&three_messages(), Duration::from_secs(5), "");
    assert!(path.ends_with("/1/response"), "{path}: {reply:#}");
    assert_eq!(
        reply["batchItemFailures"],
        json!([{ "itemIdentifier": "not reached" }, { "itemIdentifier": "waits" }]),
        "{reply:#}"
    );
    assert_eq!(results(&reply), ["held"]);
}

#[test]
fn a_policy_that_cannot_be_used_fails_the_whole_batch() {
    let mut messages = three_messages();
    // Not even a queued tick is swallowed.
    messages["Records"][0]["body"] = json!("{\"stepladder\": \"tick\"}");
    let (path, error) = invoked(&messages, Duration::from_secs(30), "mode = \"acts\"");
    assert!(path.ends_with("/1/error"), "{path}: {error:#}");
    assert_eq!(error["errorType"], "Permanent", "{error:#}");
    assert!(error["errorMessage"].as_str().unwrap().contains("did you mean `act`?"), "{error:#}");
}
