//! The text of a new policy: its keys, and comments that explain each of them.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::json;
use stepladder::policy::Mode;

use super::InitPlatform;

/// What the alarms of a new policy measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum InitMetric {
    /// Adds instances under CPU pressure
    Cpu,
    /// Moves to a larger shape under memory pressure
    Memory,
    /// Adds instances when requests become many
    Requests,
    /// Adds instances under GPU pressure
    Gpu,
    /// Raises the bandwidth of the load balancer; OCI only
    Bandwidth,
}

impl InitMetric {
    /// What a new policy has by default.
    pub(super) const USUAL: [Self; 2] = [Self::Cpu, Self::Memory];

    /// Every metric that a platform publishes.
    pub(super) fn all(platform: InitPlatform) -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied().filter(move |metric| metric.is_of(platform))
    }

    pub(super) fn is_of(self, platform: InitPlatform) -> bool {
        platform == InitPlatform::Oci || self != Self::Bandwidth
    }

    /// Its word on the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Requests => "requests",
            Self::Gpu => "gpu",
            Self::Bandwidth => "bandwidth",
        }
    }

    /// The words that the names of its alarms have for it. The first is that of Oracle's guide and of template.yaml.
    fn alarm_words(self) -> &'static [&'static str] {
        match self {
            Self::Cpu => &["cpu"],
            Self::Memory => &["mem", "memory"],
            Self::Requests => &["requests"],
            Self::Gpu => &["gpu"],
            Self::Bandwidth => &["bandwidth"],
        }
    }

    /// The first of those words.
    fn alarm_word(self) -> &'static str {
        self.alarm_words().first().copied().unwrap_or_default()
    }

    /// Globs that match every name which a built-in rule matches: what this rule misses would be answered by that one.
    fn alarm_globs(self) -> Vec<String> {
        let word = self.alarm_word();
        let ends =
            self.alarm_words().iter().flat_map(|word| [format!("*{word}?high*"), format!("*{word}high*")]);
        [format!("*high?{word}*"), format!("*high{word}*")].into_iter().chain(ends).collect()
    }

    /// Its name on a platform.
    fn name(self, platform: InitPlatform) -> &'static str {
        match (platform, self) {
            (InitPlatform::Aws, Self::Cpu) => "CPUUtilization",
            (InitPlatform::Aws, Self::Requests) => "InvocationsPerInstance",
            (InitPlatform::Aws, Self::Gpu) => "GPUUtilization",
            (InitPlatform::Oci, Self::Cpu) => "CpuUtilization",
            (InitPlatform::Oci, Self::Requests) => "PredictRequestCount",
            (InitPlatform::Oci, Self::Gpu) => "GPUCoreUtilization",
            (_, Self::Memory) => "MemoryUtilization",
            (_, Self::Bandwidth) => "PredictBandwidth",
        }
    }
}

/// What a new policy contains.
pub(super) struct Draft {
    pub(super) platform: InitPlatform,
    pub(super) metrics: Vec<InitMetric>,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) target: String,
    pub(super) mode: Mode,
}

impl Draft {
    /// The policy.
    pub(super) fn text(&self) -> String {
        let rules = self.metrics.iter().map(|metric| self.rule(*metric));
        let provisioned = match self.platform {
            InitPlatform::Aws => String::new(),
            InitPlatform::Oci => self.provisioned(),
        };
        [self.head(), rules.collect(), provisioned].concat()
    }

    /// The policy in a few words.
    pub(super) fn summary(&self) -> String {
        let Self { metrics, min, max, target, mode, .. } = self;
        let words: Vec<&str> = metrics.iter().map(|metric| metric.word()).collect();
        format!("{}; {min} to {max} instances of `{target}`; mode `{mode}`", words.join(", "))
    }

    fn head(&self) -> String {
        let Self { min, max, mode, .. } = self;
        let (deployments, reference) = match self.platform {
            InitPlatform::Aws => ("SageMaker endpoints", "docs/aws.md"),
            InitPlatform::Oci => ("OCI model deployments", "docs/oci.md"),
        };
        let of_mode = match mode {
            Mode::Observe => {
                "# `observe` decides and records, and sends no call. Change it to `act` when the records are as you expect."
            }
            Mode::Act => "# `act` sends the calls. `observe` decides and records only.",
        };
        // JSON's strings are TOML's, too.
        let target = json!(self.target);
        format!(
            "# stepladder's policy for {deployments}. docs/policy.md explains every key, {reference} the installation.

{of_mode}
mode = \"{mode}\"

# The deployments that may change, by globs on their ids. No other deployment ever changes.
targets = [{target}]

[defaults]
# Never fewer and never more instances, whatever fires.
instances = {{ min = {min}, max = {max} }}
# The time after a change in which no other change follows it, by direction.
cooldown = {{ up = \"0s\", down = \"5m\" }}
# No change makes a deployment cost more than this, in USD an hour by the ladders' prices.
# max_hourly_cost = 10.0
"
        )
    }

    fn rule(&self, metric: InitMetric) -> String {
        let (what, axis, change) = match metric {
            InitMetric::Cpu => ("CPU pressure adds an instance.", "instances", "step  = 1"),
            InitMetric::Memory => {
                ("Memory pressure moves to the next shape of its ladder.", "shape", "step  = 1")
            }
            InitMetric::Gpu => ("GPU pressure adds an instance.", "instances", "step  = 1"),
            InitMetric::Bandwidth => ("Traffic raises the bandwidth.", "bandwidth", "step  = 1"),
            InitMetric::Requests if self.platform == InitPlatform::Aws => (
                "Requests decide the count: 600 for each instance and minute. Measure what one instance can do.",
                "instances",
                "track = 600\nscale_up_threshold = 700",
            ),
            InitMetric::Requests => (
                "Requests add an instance. Their number is that of the deployment: measure what is few and what is many.",
                "instances",
                "step  = 1\nscale_up_threshold = 3000",
            ),
        };
        let (word, name, below) = (metric.alarm_word(), metric.name(self.platform), below(metric));
        let (alarm, globs) = (self.alarm(metric), metric.alarm_globs().join("\", \""));
        let repeat = match self.platform {
            InitPlatform::Aws => "",
            InitPlatform::Oci => ", repeat = \"5m\"",
        };
        format!(
            "
# {what}
# Create an alarm whose name has `high_{word}` or `high-{word}` in it: {alarm}
[[rule]]
alarm = [\"{globs}\"]
axis  = \"{axis}\"
{change}
# stepladder creates this alarm before the first step up. While it fires, the deployment scales down again.
pair  = {{ alarm = \"low_{word}\", metric = \"{name}\", below = {below}, window = \"5m\"{repeat} }}
"
        )
    }

    /// The alarm that the operator creates, in words.
    fn alarm(&self, metric: InitMetric) -> String {
        let name = metric.name(self.platform);
        match (self.platform, metric) {
            (InitPlatform::Aws, InitMetric::Cpu) => {
                format!("`{name}`, Average, above 80 for each vCPU, as 320 for four.")
            }
            (InitPlatform::Aws, InitMetric::Gpu) => {
                format!("`{name}`, Average, above 80 for each GPU, as 320 for four.")
            }
            (InitPlatform::Aws, InitMetric::Requests) => {
                format!("`{name}`, Sum over one minute, above 700.")
            }
            (InitPlatform::Aws, _) => format!("`{name}`, Average, above 80."),
            (InitPlatform::Oci, InitMetric::Requests) => {
                format!("`{name}[1m].sum() > 3000`.")
            }
            (InitPlatform::Oci, _) => {
                format!("`{name}[5m].mean() > 80`.")
            }
        }
    }

    /// The table of what `stepladder provision` sets up, as a comment: it needs OCIDs.
    fn provisioned(&self) -> String {
        let mut text = "
# `stepladder provision --cloud oci` creates these alarms and their topic. Replace the OCIDs and remove the `#`.
# [oci]
# compartment = \"ocid1.compartment.oc1..example\"
# function    = \"ocid1.fnfunc.oc1.iad.example\"
# deployments = [\"ocid1.datasciencemodeldeployment.oc1.iad.example\"]
"
        .to_owned();
        for metric in &self.metrics {
            let (word, name) = (metric.alarm_word(), metric.name(self.platform));
            let numbers = match metric {
                InitMetric::Requests => {
                    "\n# statistic = \"sum\"\n# window = \"1m\"\n# scale_up_threshold = 3000"
                }
                InitMetric::Cpu | InitMetric::Memory | InitMetric::Gpu | InitMetric::Bandwidth => {
                    "\n# statistic = \"mean\""
                }
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "#\n# [[oci.alarm]]\n# name   = \"model_deployment_high_{word}\"\n# metric = \"{name}\"{numbers}\n"
            );
        }
        text
    }
}

/// What its pair fires below. Twice as much load must stay under the threshold of the scale-up alarm.
fn below(metric: InitMetric) -> u32 {
    match metric {
        InitMetric::Requests => 300,
        InitMetric::Cpu | InitMetric::Memory | InitMetric::Gpu | InitMetric::Bandwidth => 20,
    }
}
