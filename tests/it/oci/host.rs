//! The Fn contract, held against the real program, and Oracle's own kit held against the same questions.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use super::function::{Function, program, python, until};

const CLEARED: &[u8] = include_bytes!("../../../events/oci/high-cpu.cleared.json");
const FIRING: &[u8] = include_bytes!("../../../events/oci/high-cpu.firing.json");

/// What an operator may write by mistake.
const BROKEN_POLICY: (&str, &str) = ("STEPLADDER_POLICY", "mode = 'perhaps'");

#[rstest]
// Nothing to do is an answer.
#[case(CLEARED, "/outcomes/0/decision/reason", "not_firing")]
// No cloud is configured: another delivery would not help.
#[case(FIRING, "/outcomes/0/error/kind", "unconfigured")]
// No payload at all.
#[case(b"", "/error/kind", "empty")]
// No JSON.
#[case(b"{", "/error/kind", "not_json")]
// Another kind of message.
#[case(b"{}", "/error/kind", "not_an_alarm")]
// More than is ever read, by a byte and by far.
#[case(&vec![b' '; 1_048_577], "/error/kind", "too_large")]
#[case(&vec![b'1'; 5_000_000], "/error/kind", "too_large")]
fn what_would_fail_again_is_handled(#[case] body: &[u8], #[case] at: &str, #[case] said: &str) {
    let function = Function::start();
    let answer = function.call(body, &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body.pointer(at), Some(&json!(said)), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let version = concat!("stepladder/", env!("CARGO_PKG_VERSION"));
    assert_eq!(answer.header("fn-fdk-version"), Some(version));
    assert_eq!(answer.header("fn-http-status"), None);
}

#[test]
fn a_policy_that_cannot_be_used_fails_every_call() {
    let function = Function::start_with(&[BROKEN_POLICY]);
    let mut connection = function.connect();
    for _ in 0..2 {
        let answer = connection.call(CLEARED, &[]);
        assert_eq!((answer.status, &answer.body["error"]["kind"]), (502, &json!("policy")), "{answer:?}");
        assert!(answer.body["error"]["message"].as_str().unwrap().contains("STEPLADDER_POLICY"));
    }
    assert_eq!(
        function.stderr().matches("policy `STEPLADDER_POLICY` is not valid").count(),
        2,
        "{}",
        function.stderr()
    );
}

#[test]
fn a_function_that_observes_logs_it_once_and_shows_it_in_each_record() {
    let function = Function::start_with(&[("STEPLADDER_MODE", "observe")]);
    for _ in 0..2 {
        let answer = function.call(CLEARED, &[]);
        assert_eq!(answer.body["outcomes"][0]["mode"], "observe", "{answer:?}");
    }
    let logged = function.stdout();
    assert_eq!(logged.matches("to act, set `STEPLADDER_MODE` to `act`").count(), 1, "{logged}");
    let acts = Function::start_with(&[("STEPLADDER_MODE", "act")]);
    assert_eq!(acts.call(CLEARED, &[]).body["outcomes"][0].get("mode"), None);
    assert!(!acts.stdout().contains("observes"), "{}", acts.stdout());
}

#[rstest]
// Long ago.
#[case("2026-01-01T00:00:00Z", 504)]
// With another offset, as an agent elsewhere may write it.
#[case("2026-01-01T00:00:00+05:30", 504)]
// In time.
#[case("9999-12-30T00:00:00Z", 200)]
// No time: as good as none.
#[case("soon", 200)]
fn nothing_is_begun_after_the_deadline(#[case] deadline: &str, #[case] status: u16) {
    let function = Function::start();
    let answer = function.call(CLEARED, &[("Fn-Deadline", deadline)]);
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(function.stdout().contains("not_firing"), status == 200, "{}", function.stdout());
    assert_eq!(function.stderr().contains("time_is_up"), status == 504, "{}", function.stderr());
}

#[rstest]
// Another path.
#[case("POST /invoke")]
// Another method.
#[case("PUT /call")]
// One that has no body.
#[case("GET /call")]
fn what_is_no_call_fails_and_harms_nothing(#[case] asked: &str) {
    let function = Function::start();
    let mut connection = function.connect();
    connection
        .send(format!("{asked} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes());
    let answer = connection.answer();
    assert_eq!((answer.status, &answer.body["error"]["kind"]), (502, &json!("not_a_call")), "{answer:?}");
    assert_eq!(connection.call(CLEARED, &[]).status, 200);
}

#[test]
fn chunks_may_come_in_pieces() {
    let function = Function::start();
    let mut connection = function.connect();
    connection.send(b"POST /call HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (at, piece) in CLEARED.chunks(400).enumerate() {
        // An extension and a number in capitals are allowed, and a piece may end anywhere.
        connection.send(format!("{:X};piece={at}\r\n", piece.len()).as_bytes());
        let (first, second) = piece.split_at(7);
        connection.send(first);
        connection.send(second);
        connection.send(b"\r\n");
    }
    connection.send(b"0\r\nTrailer: too\r\n\r\n");
    assert_eq!(connection.answer().body["outcomes"][0]["result"], "held");
    assert_eq!(connection.call(CLEARED, &[]).status, 200);
}

#[rstest]
// No HTTP.
#[case(b"\x16\x03\x01 this is no request\r\n\r\n")]
// A chunk of no length.
#[case(b"POST /call HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nlong\r\n")]
fn garbage_ends_its_connection_only(#[case] garbage: &[u8]) {
    let function = Function::start();
    let mut connection = function.connect();
    connection.send(garbage);
    assert!(!connection.rest().contains("HTTP/1.1 200"));
    assert_eq!(function.call(CLEARED, &[]).status, 200);
}

/// Bytes that begin as a call and end as anything: cut, doubled, or with others put in. No randomness, so that a failure is
/// found again.
#[test]
fn anything_on_the_socket_harms_its_own_connection_only() {
    let function = Function::start();
    let head = format!("POST /call HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", CLEARED.len());
    let call = [head.as_bytes(), CLEARED].concat();
    let mut seed = 1_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for _ in 0..50 {
        let mut bytes = call.clone();
        for _ in 0..next(4) {
            let at = next(bytes.len());
            let piece: Vec<u8> = (0..next(9)).map(|_| u8::try_from(next(256)).unwrap()).collect();
            bytes.splice(at..at, piece);
        }
        bytes.truncate(next(bytes.len()) + 1);
        function.connect().send(&bytes);
    }
    assert_eq!(function.call(CLEARED, &[]).status, 200);
}

#[test]
fn a_caller_who_hangs_up_harms_nothing() {
    let function = Function::start();
    let mut connection = function.connect();
    connection.send(b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
    drop(connection);
    assert_eq!(function.call(CLEARED, &[]).status, 200);
}

#[test]
fn a_newer_connection_takes_the_place_of_an_idle_one() {
    let function = Function::start();
    let mut unused = function.connect();
    let mut used = function.connect();
    assert_eq!(unused.rest(), "");
    assert_eq!(used.call(CLEARED, &[]).status, 200);
    let mut newer = function.connect();
    assert_eq!(newer.call(CLEARED, &[]).status, 200);
    assert_eq!(used.rest(), "");
}

#[test]
fn a_call_under_way_is_answered_before_a_newer_connection() {
    let function = Function::start();
    let mut first = function.connect();
    first.send(b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{");
    // A body has a time limit, and nothing else has one here.
    until("the first is being read", || waits_with_a_timer(function.id()));
    let mut newer = function.connect();
    newer.send(b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
    first.send(b"}");
    assert_eq!(first.answer().body["error"]["kind"], "not_an_alarm");
    assert_eq!(newer.answer().body["error"]["kind"], "not_an_alarm");
}

const HALF: &[u8] = b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{";

#[test]
fn a_body_that_never_comes_delays_no_other_connection() {
    let function = Function::start();
    let mut slow: Vec<_> = (0..3).map(|_| function.connect()).collect();
    for connection in &mut slow {
        connection.send(HALF);
    }
    let mut connection = function.connect();
    for _ in 0..2 {
        assert_eq!(connection.call(CLEARED, &[]).status, 200);
    }
}

#[test]
fn a_body_that_never_comes_is_answered_before_the_deadline() {
    let function = Function::start();
    let mut connection = function.connect();
    let head = "POST /call HTTP/1.1\r\nHost: localhost\r\nFn-Deadline: 2026-01-01T00:00:00Z\r\nContent-Length: 2\r\n\r\n{";
    connection.send(head.as_bytes());
    let answer = connection.answer();
    assert_eq!((answer.status, &answer.body["error"]["kind"]), (504, &json!("time_is_up")), "{answer:?}");
    assert_eq!(connection.rest(), "");
    assert_eq!(function.call(CLEARED, &[]).status, 200);
}

#[test]
fn a_body_that_never_comes_does_not_keep_it_from_ending() {
    let function = Function::start();
    let (mut one, mut other) = (function.connect(), function.connect());
    one.send(HALF);
    other.send(HALF);
    until("they are being read", || waits_with_a_timer(function.id()));
    let (status, left) = function.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn nothing_is_left_to_run_between_two_calls() {
    let function = Function::start();
    let mut connection = function.connect();
    for event in [CLEARED, FIRING] {
        connection.call(event, &[]);
        until("it waits for nothing but calls", || waits_without_a_timer(function.id()));
        assert_eq!(std::fs::read_dir(format!("/proc/{}/task", function.id())).unwrap().count(), 1);
    }
}

/// Whether a process waits for input only: in the kernel's words, for ever.
fn waits_without_a_timer(process: u32) -> bool {
    waits(process).is_some_and(|timeout| timeout.ends_with("ffffffff"))
}

/// Whether a process waits for input or for a moment.
fn waits_with_a_timer(process: u32) -> bool {
    waits(process).is_some_and(|timeout| timeout.starts_with("0x") && !timeout.ends_with("ffffffff"))
}

/// How long a process waits at most; `None` while it runs.
fn waits(process: u32) -> Option<String> {
    let asleep = std::fs::read_to_string(format!("/proc/{process}/syscall")).unwrap();
    // The call's number and its arguments: which queue, where to, how many, and how long.
    asleep.split(' ').nth(4).map(str::to_owned)
}

#[test]
fn lines_stand_after_their_frame_in_both_streams() {
    let frame = [("FN_LOGFRAME_NAME", "fn-frame"), ("FN_LOGFRAME_HDR", "Opc-Request-Id")];
    let function = Function::start_with(&frame);
    for id in ["first", "second"] {
        function.call(FIRING, &[("opc-request-id", id)]);
    }
    // Without the header there is no frame.
    function.call(b"", &[]);
    for printed in [function.stdout(), function.stderr()] {
        let framed: Vec<&str> = printed.split("\nfn-frame=").collect();
        assert_eq!((framed.len(), framed[0]), (3, ""), "{printed}");
        for (lines, id) in framed[1..].iter().zip(["first\n", "second\n"]) {
            let lines = lines.strip_prefix(id).unwrap_or_else(|| panic!("{printed}"));
            assert!(lines.contains("unconfigured"), "{printed}");
        }
    }
}

#[rstest]
// As Notifications sends it.
#[case("")]
// As a gateway hands it on.
#[case("Fn-Http-H-")]
fn the_log_says_which_message_it_was(#[case] prefix: &str) {
    let function = Function::start();
    let (id, topic) = (format!("{prefix}X-OCI-NS-MessageId"), format!("{prefix}X-OCI-NS-TopicOcid"));
    function
        .call(CLEARED, &[("Fn-Call-Id", "call-1"), (&id, "message-1"), (&topic, "ocid1.onstopic.oc1.iad.a")]);
    let lines: Vec<Value> =
        function.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = json!({ "call": "call-1", "message": "message-1", "topic": "ocid1.onstopic.oc1.iad.a" });
    assert_eq!(lines[0]["invocation"], expected);
    assert_eq!(lines[1]["result"], "held");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn the_log_does_not_repeat_the_payload() {
    let function = Function::start();
    let mut event: Value = serde_json::from_slice(FIRING).unwrap();
    event["body"] = json!("do-not-repeat-this");
    function.call(event.to_string().as_bytes(), &[("Authorization", "do-not-repeat-this")]);
    function.call(b"[\"do-not-repeat-this\"", &[]);
    for printed in [function.stdout(), function.stderr()] {
        assert!(!printed.contains("do-not-repeat"), "{printed}");
    }
}

#[rstest]
#[case::handled(&[], 200)]
#[case::failed(&[BROKEN_POLICY], 502)]
fn behind_a_gateway_the_status_is_in_a_header(#[case] environment: &[(&str, &str)], #[case] status: u16) {
    let function = Function::start_with(environment);
    let answer = function.call(CLEARED, &[("Fn-Intent", "httprequest")]);
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("fn-http-status"), Some(status.to_string().as_str()));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn the_socket_is_a_link_to_one_that_all_may_use() {
    let scratch = tempfile::tempdir().unwrap();
    // What an earlier container left: a link, and a file where the socket belongs.
    symlink("phonylsnr.sock", scratch.path().join("lsnr.sock")).unwrap();
    std::fs::write(scratch.path().join("phonylsnr.sock"), "").unwrap();
    let function = Function::start_in(scratch, &[]);
    let link = function.socket();
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("phonylsnr.sock"));
    let found = std::fs::metadata(&link).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o666);
    assert_eq!(function.call(CLEARED, &[]).status, 200);
}

#[rstest]
// No variable names it.
#[case("FN_LISTENER", "", "`FN_LISTENER` is not set")]
// Another kind of socket.
#[case("FN_LISTENER", "tcp:127.0.0.1:8080", "`tcp:127.0.0.1:8080`")]
// A path that begins with letters of the scheme is still a path.
#[case("FN_LISTENER", "unix:unix/lsnr.sock", "`unix/phonylsnr.sock`")]
// A directory.
#[case("FN_LISTENER", "unix:/tmp/", "expected `unix:` and the path of a file")]
// No such directory.
#[case("FN_LISTENER", "unix:/nowhere/lsnr.sock", "the directory must be there")]
// Longer than an address may be.
#[case("FN_LISTENER", &format!("unix:/{}/lsnr.sock", "x".repeat(92)), "108 bytes")]
// The old way to call functions.
#[case("FN_FORMAT", "json", "`FN_FORMAT` is `json`")]
fn it_does_not_start_without_a_way_to_be_called(#[case] name: &str, #[case] value: &str, #[case] said: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let ended = program(&scratch.path().join("lsnr.sock")).env(name, value).output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(said), "{stderr}");
}

#[test]
fn it_ends_on_a_signal_and_removes_its_files() {
    let function = Function::start();
    let mut idle = function.connect();
    idle.call(CLEARED, &[]);
    let (status, left) = function.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(left.is_empty(), "{left:?}");
}

/// The same requests to stepladder's function and to one made with Oracle's own kit, so that no request is more than
/// the real agent sends.
#[rstest]
#[case::ours(&[env!("CARGO_BIN_EXE_stepladder-oci")])]
#[case::oracles(&["target/oci-venv/bin/python", "tests/emulators/oci/reference_function.py"])]
fn it_keeps_the_contract(#[case] command: &[&str]) {
    passes(&[&["tests/emulators/oci/contract.py"], command].concat());
}

#[test]
fn the_agent_is_as_strict_as_the_real_one() {
    passes(&["tests/emulators/oci/test_agent.py"]);
}

fn passes(arguments: &[&str]) {
    let Some(done) = python(arguments) else { return };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
