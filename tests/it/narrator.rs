//! Prints the events of a story on standard output, and its current state on a terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, stderr};
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;

use crate::story::{Sample, Script, clock};

/// Prints one story. Several stories may print at the same time.
pub(crate) struct Narrator {
    name: &'static str,
    begun: Instant,
    /// The last answer to each alarm, so that an unchanged answer is not printed at every tick.
    answers: BTreeMap<String, String>,
}

impl Narrator {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, begun: Instant::now(), answers: BTreeMap::new() }
    }

    /// Seconds since the story began.
    pub(crate) fn at(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    pub(crate) fn print(&self, text: &str) {
        let clock = clock(self.at());
        clear_progress();
        for (i, line) in text.lines().enumerate() {
            let clock = if i == 0 { &clock } else { "" };
            println!("{:<10} {clock:>5}  {line}", self.name);
        }
    }

    /// Prints changed alarms, a changed size, and the start of a change.
    pub(crate) fn changes(&self, script: &Script, before: Option<&Sample>, now: &Sample) {
        let Sample { load, measured, size, .. } = now;
        let metric = format!("{} at {measured:.0}", script.metric);
        if before.is_none_or(|before| before.size != *size) {
            self.print(&format!("runs {size}, {metric}"));
        }
        let none = BTreeMap::new();
        let old = before.map_or(&none, |before| &before.alarms);
        for (name, alarm) in &now.alarms {
            if old.get(name).is_none_or(|old| old.state != alarm.state) {
                self.print(&format!("{} `{name}`", alarm.state));
            }
        }
        for name in old.keys().filter(|name| !now.alarms.contains_key(*name)) {
            self.print(&format!("deleted `{name}`"));
        }
        if !now.settled && before.is_some_and(|before| before.settled) {
            self.print("is being changed");
        }
        self.progress(&format!("{load} {}, {metric}, {size}", script.load));
    }

    /// Prints a new decision: its trigger, its reason and the calls.
    pub(crate) fn outcome(&mut self, by: &str, outcome: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let decision = &outcome["decision"];
        let sent: Vec<String> =
            outcome["calls"].as_array().into_iter().flatten().map(|call| text(&call["detail"])).collect();
        let answer = format!("{decision}{sent:?}");
        let last = self.answers.insert(text(&outcome["alarm"]["name"]), answer.clone());
        let is_routine = decision["reason"] == "not_firing" && sent.is_empty();
        if last == Some(answer) || is_routine {
            return;
        }
        let decided = decision["reason"].as_str().map_or("resize".to_owned(), |why| format!("hold, {why}"));
        let mut lines = vec![format!("{by}: {decided}"), format!("  because {}", text(&outcome["because"]))];
        lines.extend(sent.iter().map(|call| format!("  sent: {call}")));
        self.print(&lines.join("\n"));
    }

    fn progress(&self, line: &str) {
        let line = format!("{} {} {line}", self.name, clock(self.at()));
        progress(|lines| lines.insert(self.name, line));
    }
}

impl Drop for Narrator {
    fn drop(&mut self) {
        progress(|lines| lines.remove(self.name));
    }
}

/// The last line of a terminal, shared by all running stories.
fn progress<T>(change: impl FnOnce(&mut BTreeMap<&'static str, String>) -> T) {
    static LINES: Mutex<BTreeMap<&str, String>> = Mutex::new(BTreeMap::new());
    if stderr().is_terminal() {
        let mut lines = LINES.lock().unwrap();
        change(&mut lines);
        let all: Vec<&str> = lines.values().map(String::as_str).collect();
        eprint!("\r\x1b[K{}", all.join(" │ "));
    }
}

fn clear_progress() {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
