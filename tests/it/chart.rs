//! Draws a story: the load, the metric against its thresholds, the size, and the alarms, over one time axis.

use std::collections::BTreeSet;
use std::fs::create_dir_all;
use std::ops::Range;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::story::{Alarm, Sample, Script, clock};

const SIZE: (u32, u32) = (1000, 860);
/// The height of each panel but the metric's, which has the rest.
const LOAD_PANEL: u32 = 130;
const SIZE_PANEL: u32 = 170;
const ALARM_PANEL: u32 = 210;
const MARGIN: u32 = 14;
/// The same in every panel, so that the times are aligned.
const LABELS: u32 = 130;

const INK: RGBColor = RGBColor(50, 55, 65);
const FAINT: RGBColor = RGBColor(228, 231, 236);
const BLUE: RGBColor = RGBColor(31, 97, 176);
const HIGH: RGBColor = RGBColor(200, 55, 45);
const LOW: RGBColor = RGBColor(20, 135, 105);

/// Between a line and what is written at it, as a share of the time axis.
const GAP: f64 = 0.006;
/// The times between two ticks, in seconds, of which the first is taken that leaves room between them.
const TICKS: [f64; 5] = [5.0, 10.0, 30.0, 60.0, 7200.0];
/// What takes longer has its times in hours and minutes, in seconds.
const LONG: f64 = 7200.0;
/// There is room for so many.
const MOST_TICKS: f64 = 12.0;

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Times, RangedCoordf64>>;

/// The time axis, from the beginning to so many seconds.
struct Times(f64);

impl Ranged for Times {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, at: &f64, limits: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(at, limits)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let apart = TICKS.into_iter().find(|tick| self.0 / tick <= MOST_TICKS).unwrap_or(self.0);
        let ticks = std::iter::successors(Some(0.0), |last| Some(last + apart));
        ticks.take_while(|at| *at <= self.0).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.0
    }
}

impl ValueFormatter<f64> for Times {
    fn format(at: &f64) -> String {
        clock(*at)
    }
}

/// A time of an axis that ends then.
fn label(at: f64, end: f64) -> String {
    if end > LONG { clock(at / 60.0) } else { clock(at) }
}

/// Draws it below `target/`, and returns where.
pub(crate) fn draw(script: &Script, samples: &[Sample]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(script.folder);
    create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}.svg", script.name));
    draw_to(&file, script, samples);
    file
}

/// Draws it to this file.
pub(crate) fn draw_to(file: &Path, script: &Script, samples: &[Sample]) {
    let whole = SVGBackend::new(file, SIZE).into_drawing_area();
    whole.fill(&WHITE).unwrap();
    let (upper, alarms) = whole.split_vertically(SIZE.1 - ALARM_PANEL);
    let (load, lower) = upper.split_vertically(LOAD_PANEL);
    let (metric, size) = lower.split_vertically(SIZE.1 - LOAD_PANEL - ALARM_PANEL - SIZE_PANEL);
    draw_load(&load, script, samples);
    draw_metric(&metric, script, samples);
    draw_size(&size, script, samples);
    draw_alarms(&alarms, script, samples);
    whole.present().unwrap();
}

fn draw_load(panel: &Panel, script: &Script, samples: &[Sample]) {
    let most = samples.iter().map(|sample| sample.load).fold(0.0, f64::max) * 1.4;
    let mut chart = chart(panel, samples, 0.0..most);
    for (begin, act) in acts(samples) {
        chart.draw_series([edge(begin, most)]).unwrap();
        let at = (begin + gap(samples), most);
        write(&mut chart, at, act.act.to_owned(), INK, (HPos::Left, VPos::Top));
    }
    mesh(&mut chart, script.load, &|value| format!("{value:.0}"), 4);
    let points = stairs(samples, |sample| sample.load);
    chart.draw_series(AreaSeries::new(points.clone(), 0.0, INK.mix(0.12))).unwrap();
    chart.draw_series(LineSeries::new(points, INK.stroke_width(2))).unwrap();
}

fn draw_metric(panel: &Panel, script: &Script, samples: &[Sample]) {
    let most = samples.iter().map(|sample| sample.measured).fold(script.above, f64::max) * 1.2;
    let mut chart = chart(panel, samples, 0.0..most);
    for (begin, _) in acts(samples) {
        chart.draw_series([edge(begin, most)]).unwrap();
    }
    mesh(&mut chart, &format!("{}, %", script.metric), &|value| format!("{value:.0}"), 5);
    let end = end(samples);
    dashed(&mut chart, [(0.0, script.above), (end, script.above)].into(), HIGH);
    let text = format!("scale up above {:.0}", script.above);
    write(&mut chart, (end - gap(samples), script.above), text, HIGH, (HPos::Right, VPos::Bottom));
    for line in threshold(script.pair, samples) {
        let (begin, below) = line[0];
        let text = format!("its pair below {below:.0}");
        dashed(&mut chart, line, LOW);
        write(&mut chart, (begin + gap(samples), below), text, LOW, (HPos::Left, VPos::Bottom));
    }
    let points = stairs(samples, |sample| sample.measured);
    chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2))).unwrap();
}

fn draw_size(panel: &Panel, script: &Script, samples: &[Sample]) {
    let levels = levels(script, samples);
    let height = |sample: &Sample| {
        let level = script.level(&sample.size);
        levels.iter().find(|(_, found)| *found == level).map_or(0.0, |(height, _)| *height)
    };
    let named = |value: &f64| {
        let level = levels.iter().find(|(height, _)| (height - value).abs() < 0.01);
        level.map_or(String::new(), |(_, level)| level.clone())
    };
    let most = levels[levels.len() - 1].0 + 0.5;
    let mut chart = chart(panel, samples, 0.0..most);
    for (begin, _) in acts(samples) {
        chart.draw_series([edge(begin, most)]).unwrap();
    }
    mesh(&mut chart, &script.axis.to_string(), &named, levels.len() + 1);
    let points = stairs(samples, height);
    chart.draw_series(AreaSeries::new(points.clone(), 0.0, BLUE.mix(0.15))).unwrap();
    chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2))).unwrap();
}

fn draw_alarms(panel: &Panel, script: &Script, samples: &[Sample]) {
    let rows = [(1.0, script.alarm, HIGH), (0.0, script.pair, LOW)];
    let mut chart = chart_with_times(panel, samples, 0.0..2.0);
    for (begin, _) in acts(samples) {
        chart.draw_series([edge(begin, 2.0)]).unwrap();
    }
    mesh_with_times(&mut chart, end(samples));
    for (row, name, color) in rows {
        let bar =
            |(begin, end), style: ShapeStyle| Rectangle::new([(begin, row + 0.15), (end, row + 0.5)], style);
        let exists = spans(samples, |sample| sample.alarms.contains_key(name));
        let fires = spans(samples, |sample| sample.alarms.get(name).is_some_and(Alarm::fires));
        chart.draw_series(exists.into_iter().map(|span| bar(span, color.mix(0.18).filled()))).unwrap();
        chart.draw_series(fires.into_iter().map(|span| bar(span, color.filled()))).unwrap();
        write(&mut chart, (gap(samples), row + 0.58), name.to_owned(), color, (HPos::Left, VPos::Bottom));
    }
}

fn gap(samples: &[Sample]) -> f64 {
    GAP * end(samples)
}

fn end(samples: &[Sample]) -> f64 {
    samples.last().map_or(1.0, |last| last.at)
}

/// A panel without times of its own.
fn chart<'a>(panel: &Panel<'a>, samples: &[Sample], heights: Range<f64>) -> Chart<'a> {
    let mut builder = ChartBuilder::on(panel);
    builder.margin(MARGIN).margin_bottom(0).y_label_area_size(LABELS);
    builder.build_cartesian_2d(Times(end(samples)), heights).unwrap()
}

/// The lowest panel, with the times of all.
fn chart_with_times<'a>(panel: &Panel<'a>, samples: &[Sample], heights: Range<f64>) -> Chart<'a> {
    let mut builder = ChartBuilder::on(panel);
    builder.margin(MARGIN).y_label_area_size(LABELS).x_label_area_size(42);
    builder.build_cartesian_2d(Times(end(samples)), heights).unwrap()
}

fn mesh(chart: &mut Chart, title: &str, label: &dyn Fn(&f64) -> String, labels: usize) {
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().bold_line_style(FAINT).light_line_style(TRANSPARENT).axis_style(INK);
    mesh.label_style(font(13)).axis_desc_style(font(14));
    mesh.y_desc(title).y_labels(labels).y_label_formatter(&label).draw().unwrap();
}

fn mesh_with_times(chart: &mut Chart, end: f64) {
    let unit = if end > LONG { "hours:minutes" } else { "minutes:seconds" };

    let label = |at: &f64| label(*at, end);
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().axis_style(INK).label_style(font(13)).axis_desc_style(font(14));
    mesh.x_desc(unit).x_label_formatter(&label).y_desc("alarms (solid: it fires)");
    mesh.y_labels(0).draw().unwrap();
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn write(chart: &mut Chart, at: (f64, f64), text: String, color: RGBColor, (h, v): (HPos, VPos)) {
    let style = font(14).color(&color).pos(Pos::new(h, v));
    chart.draw_series([Text::new(text, at, style)]).unwrap();
}

fn dashed(chart: &mut Chart, points: Vec<(f64, f64)>, color: RGBColor) {
    chart.draw_series(DashedLineSeries::new(points, 6, 4, color.stroke_width(1))).unwrap();
}

/// Where an act begins.
fn edge(at: f64, height: f64) -> PathElement<(f64, f64)> {
    PathElement::new([(at, 0.0), (at, height)], INK.mix(0.35))
}

/// The acts: when each began, and its first sample.
fn acts(samples: &[Sample]) -> impl Iterator<Item = (f64, &Sample)> {
    samples.chunk_by(|a, b| a.act == b.act).map(|act| (act[0].at, &act[0]))
}

/// A value that holds until the next sample.
fn stairs(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    let steps =
        samples.windows(2).flat_map(|pair| [(pair[0].at, value(&pair[0])), (pair[1].at, value(&pair[0]))]);
    steps.collect()
}

/// When something was so.
fn spans(samples: &[Sample], is_so: impl Fn(&Sample) -> bool) -> Vec<(f64, f64)> {
    let mut spans: Vec<(f64, f64)> = Vec::new();
    let mut goes_on = false;
    for pair in samples.windows(2) {
        let holds = is_so(&pair[0]);
        match spans.last_mut() {
            Some(last) if holds && goes_on => last.1 = pair[1].at,
            _ if holds => spans.push((pair[0].at, pair[1].at)),
            _ => {}
        }
        goes_on = holds;
    }
    spans
}

/// The sizes along the axis, in the order in which they were first reached, and how high they are drawn.
fn levels(script: &Script, samples: &[Sample]) -> Vec<(f64, String)> {
    let mut levels: Vec<String> = samples.iter().map(|sample| script.level(&sample.size)).collect();
    let mut seen = BTreeSet::new();
    levels.retain(|level| seen.insert(level.clone()));
    (1..).map(f64::from).zip(levels).collect()
}

/// An alarm's threshold while the alarm exists: one line for each threshold.
fn threshold(name: &str, samples: &[Sample]) -> Vec<Vec<(f64, f64)>> {
    let of = |sample: &Sample| sample.alarms.get(name).map(|alarm| alarm.threshold);
    let same = |a: &Sample, b: &Sample| of(a) == of(b);
    let line = |group: &[Sample]| {
        let threshold = of(&group[0])?;
        Some(vec![(group[0].at, threshold), (group[group.len() - 1].at, threshold)])
    };
    samples.chunk_by(same).filter_map(line).collect()
}
