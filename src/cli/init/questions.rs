//! The questions of `stepladder init`: one line each, with a default.

use std::io::{self, BufRead, Write};

use clap::ValueEnum;

use super::draft::InitMetric;
use super::{InitOptions, InitPlatform};

/// Asks for what no option sets. An empty answer takes the default.
pub(super) fn ask(
    options: &mut InitOptions,
    answers: &mut impl BufRead,
    terminal: &mut impl Write,
) -> io::Result<()> {
    let mut terminal = Terminal { answers, output: terminal };
    let platform = match options.platform {
        Some(platform) => platform,
        None => terminal.word("Platform: aws or oci", "aws", read_word::<InitPlatform>)?,
    };
    options.platform = Some(platform);
    if options.metrics.is_empty() {
        let offered: Vec<&str> = InitMetric::all(platform).map(InitMetric::word).collect();
        let usual = InitMetric::USUAL.map(InitMetric::word).join(",");
        let read = |answer: &str| read_metrics(answer, platform);
        options.metrics =
            terminal.word(&format!("Metrics of your alarms: {}", offered.join(", ")), &usual, read)?;
    }
    if options.min.is_none() {
        let read = |answer: &str| read_count(answer, 1);
        let (min, _) = options.bounds();
        options.min = Some(terminal.word("Fewest instances", &min.to_string(), read)?);
    }
    if options.max.is_none() {
        let (min, max) = options.bounds();
        options.max =
            Some(terminal.word("Most instances", &max.to_string(), |answer| read_count(answer, min))?);
    }
    if options.target.is_none() {
        let read = |answer: &str| Ok(answer.to_owned());
        let target =
            terminal.word("Deployments that may change, as a glob", platform.every_target(), read)?;
        options.target = Some(target);
    }
    Ok(())
}

struct Terminal<'a, R, W> {
    answers: &'a mut R,
    output: &'a mut W,
}

impl<R: BufRead, W: Write> Terminal<'_, R, W> {
    /// Asks until an answer can be read. The end of the input takes the default.
    fn word<T>(
        &mut self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> io::Result<T> {
        loop {
            write!(self.output, "{question} [{default}] ")?;
            self.output.flush()?;
            let mut line = String::new();
            let is_over = self.answers.read_line(&mut line)? == 0;
            let answer = line.trim();
            match read(if answer.is_empty() { default } else { answer }) {
                Ok(value) => return Ok(value),
                Err(message) if is_over => return Err(io::Error::other(message)),
                Err(message) => writeln!(self.output, "{message}")?,
            }
        }
    }
}

fn read_word<T: ValueEnum>(answer: &str) -> Result<T, String> {
    T::from_str(answer, true).map_err(|_| {
        let known: Vec<String> = T::value_variants()
            .iter()
            .filter_map(|value| Some(format!("`{}`", value.to_possible_value()?.get_name())))
            .collect();
        format!("expected {}, found `{answer}`", known.join(" or "))
    })
}

fn read_metrics(answer: &str, platform: InitPlatform) -> Result<Vec<InitMetric>, String> {
    let words = answer.split([',', ' ']).filter(|word| !word.is_empty());
    let read = |word: &str| {
        let metric = read_word::<InitMetric>(word)?;
        if metric.is_of(platform) { Ok(metric) } else { Err(super::unoffered(metric, platform)) }
    };
    words.map(read).collect()
}

fn read_count(answer: &str, least: u32) -> Result<u32, String> {
    let count = answer.parse().ok().filter(|count| *count >= least);
    count.ok_or_else(|| format!("expected a whole number from {least}, found `{answer}`"))
}
