//! How simulated alarms fire: CloudWatch once per transition, OCI again and again, each in its own
//! service's words.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::world::{World, WorldAlarm};
use crate::call::{AlarmDefinition, CloudwatchAlarm, OciAlarm};
use crate::platform::oci::mql;

/// Both services evaluate alarms once a minute.
const TICK: SignedDuration = SignedDuration::from_mins(1);

/// The clock may be moved by years; alarms are evaluated over the last week of it at most.
const LONGEST_WATCH: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What an alarm sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// When.
    pub at: Timestamp,
    /// The payload as its service writes it.
    pub body: Vec<u8>,
}

/// What an evaluation found.
enum AlarmEvent {
    Fired,
    Repeated,
    Cleared,
}

impl World {
    pub(super) fn advance(&mut self, to: Timestamp) -> Vec<Delivery> {
        let mut notices = Vec::new();
        if let Some(begin) = to.checked_sub(LONGEST_WATCH).ok().filter(|begin| *begin > self.clock) {
            self.set_clock(begin);
        }
        while let Some(next) = self.clock.checked_add(TICK).ok().filter(|next| *next <= to) {
            self.set_clock(next);
            self.evaluate(&mut notices);
        }
        if to > self.clock {
            self.set_clock(to);
        }
        notices
    }

    fn set_clock(&mut self, now: Timestamp) {
        self.clock = now;
        for found in self.deployments.values_mut() {
            found.settle(now);
        }
        self.settle_endpoints(now);
    }

    fn evaluate(&mut self, notices: &mut Vec<Delivery>) {
        let now = self.clock;
        for alarm in &mut self.alarms {
            let Some(measured) = Measured::of(&alarm.definition) else { continue };
            let value = self.deployments.get(&measured.target).and_then(|d| d.metrics.get(measured.metric));
            // No data changes nothing: neither service calls it a breach, or the end of one.
            let Some(value) = value.copied() else { continue };
            if let Some(change) =
                alarm.observe(now, measured.breached_by(value), measured.window, measured.repeat)
            {
                let body = match &alarm.definition {
                    AlarmDefinition::Oci(definition) => oci_message(alarm, definition, &change, now, value),
                    AlarmDefinition::Cloudwatch(definition) => sns_message(definition, &change, now, value),
                };
                notices.push(Delivery { at: now, body: body.to_string().into_bytes() });
            }
        }
    }
}

impl WorldAlarm {
    fn observe(
        &mut self,
        now: Timestamp,
        breached: bool,
        window: SignedDuration,
        repeat: Option<SignedDuration>,
    ) -> Option<AlarmEvent> {
        if !breached {
            self.breaching_since = None;
            return self.notified.take().map(|_| AlarmEvent::Cleared);
        }
        let since = *self.breaching_since.get_or_insert(now);
        match self.notified {
            None if now.duration_since(since) >= window => {
                self.notified = Some(now);
                Some(AlarmEvent::Fired)
            }
            Some(last) if repeat.is_some_and(|repeat| now.duration_since(last) >= repeat) => {
                self.notified = Some(now);
                Some(AlarmEvent::Repeated)
            }
            _ => None,
        }
    }
}

/// What an alarm's definition says that it measures.
struct Measured<'a> {
    target: String,
    metric: &'a str,
    above: bool,
    threshold: f64,
    window: SignedDuration,
    repeat: Option<SignedDuration>,
}

impl<'a> Measured<'a> {
    fn of(definition: &'a AlarmDefinition) -> Option<Self> {
        match definition {
            AlarmDefinition::Oci(alarm) => {
                let comparison = mql::comparison(&alarm.query)?;
                Some(Self {
                    target: (*mql::resource_ids(&alarm.query).first()?).to_owned(),
                    metric: mql::metric(&alarm.query)?,
                    above: comparison.side == mql::Side::Above,
                    threshold: comparison.threshold,
                    window: mql::window(&alarm.query)?,
                    repeat: alarm.repeat.as_deref().and_then(|text| text.parse().ok()),
                })
            }
            AlarmDefinition::Cloudwatch(alarm) => Some(Self {
                target: format!(
                    "endpoint/{}/variant/{}",
                    alarm.dimensions.get("EndpointName")?,
                    alarm.dimensions.get("VariantName")?
                ),
                metric: &alarm.metric,
                above: alarm.comparison.starts_with("Greater"),
                threshold: alarm.threshold,
                window: window(definition)?,
                repeat: None,
            }),
        }
    }

    fn breached_by(&self, value: f64) -> bool {
        if self.above { value > self.threshold } else { value < self.threshold }
    }
}

/// How long the data reaches back that an alarm is evaluated on.
pub(super) fn window(definition: &AlarmDefinition) -> Option<SignedDuration> {
    match definition {
        AlarmDefinition::Oci(alarm) => mql::window(&alarm.query),
        AlarmDefinition::Cloudwatch(alarm) => alarm.window(),
    }
}

fn oci_message(
    known: &WorldAlarm,
    alarm: &OciAlarm,
    change: &AlarmEvent,
    now: Timestamp,
    value: f64,
) -> Value {
    let (kind, status) = match change {
        AlarmEvent::Fired => ("OK_TO_FIRING", "FIRING"),
        AlarmEvent::Repeated => ("REPEAT", "FIRING"),
        AlarmEvent::Cleared => ("FIRING_TO_OK", "OK"),
    };
    json!({
        "dedupeKey": known.id,
        "title": alarm.name,
        "type": kind,
        "severity": alarm.severity,
        "timestampEpochMillis": now.as_millisecond(),
        "timestamp": now.to_string(),
        "alarmMetaData": [{
            "id": known.id,
            "status": status,
            "severity": alarm.severity,
            "namespace": alarm.namespace,
            "query": alarm.query,
            "totalMetricsFiring": 1,
            "dimensions": [{ "resourceId": mql::resource_ids(&alarm.query).first() }],
            "metricValues": [{ mql::metric(&alarm.query).unwrap_or("metric"): value.to_string() }],
        }],
        "version": 1.5,
    })
}

fn sns_message(alarm: &CloudwatchAlarm, change: &AlarmEvent, now: Timestamp, value: f64) -> Value {
    let (from, to) = match change {
        AlarmEvent::Fired | AlarmEvent::Repeated => ("OK", "ALARM"),
        AlarmEvent::Cleared => ("ALARM", "OK"),
    };
    let dimensions: Vec<Value> =
        alarm.dimensions.iter().map(|(name, value)| json!({ "value": value, "name": name })).collect();
    json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": "111122223333",
        "NewStateValue": to,
        "OldStateValue": from,
        "NewStateReason": format!("Threshold Crossed: 1 datapoint [{value}] against the threshold ({})", alarm.threshold),
        "StateChangeTime": now.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string(),
        "Region": "US East (N. Virginia)",
        "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:111122223333:alarm:{}", alarm.name),
        "AlarmActions": alarm.actions,
        "Trigger": {
            "MetricName": alarm.metric,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": alarm.statistic.to_uppercase(),
            "Dimensions": dimensions,
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.missing_data,
        },
    })
}
