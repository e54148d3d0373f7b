//! `stepladder shapes`: prints the active ladders as tables.

use std::borrow::Cow;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use stepladder::ladder::{FlexShape, Ladder, Rung};
use stepladder::platform;
use stepladder::policy::Policy;
use stepladder::text::plain;

use self::filter::ShapeFilter;
use super::{CommandError, CommandOutput, Format, PolicyOption};

mod filter;

/// List the active ladders of shapes, or show on which ladder a shape is
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stepladder shapes
  stepladder shapes ml.g5
  stepladder shapes ml.g5.2xlarge
  stepladder shapes --vcpus 8.. --memory 32..64 --max-price 1
  stepladder shapes --gpus 1..
  stepladder shapes --policy stepladder.toml --format json")]
pub(super) struct ShapesOptions {
    /// Only the ladders whose name begins with NAME, or that hold this shape
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    filter: ShapeFilter,
    #[command(flatten)]
    policy: PolicyOption,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl ShapesOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let policy = self.policy.load()?;
        let tables = policy.ladders.iter().filter(|ladder| self.matches(ladder)).map(Cow::Borrowed);
        let mut ladders: Vec<Cow<Ladder>> = tables.collect();
        if ladders.is_empty() {
            // The name may be a flexible shape with its size, whose ladder is computed.
            ladders.extend(self.name.as_deref().and_then(|name| policy.ladders.holding(name)));
        }
        let matches =
            |flex: &&FlexShape| self.name.as_deref().is_none_or(|name| flex.shape.starts_with(name));
        let flexible: Vec<&FlexShape> = policy.ladders.flex().filter(matches).collect();
        if let (true, true, Some(name)) = (ladders.is_empty(), flexible.is_empty(), &self.name) {
            let nearest = policy.ladders.nearest(name, platform::is_flexible(name));
            let hint =
                nearest.map_or_else(String::new, |nearest| format!("; did you mean `{}`?", plain(nearest)));
            let message = format!("no ladder has the name `{}` or lists that shape{hint}", plain(name));
            return Err(CommandError::invalid_input("no_ladder", message));
        }
        let place = self.name.as_deref().and_then(|name| ShapePlace::of(name, &policy));
        self.output(&ladders, &flexible, place.as_ref())
    }

    /// What the filters keep of these ladders and flexible shapes.
    fn output(
        &self,
        ladders: &[Cow<Ladder>],
        flexible: &[&FlexShape],
        place: Option<&ShapePlace>,
    ) -> Result<CommandOutput, CommandError> {
        let kept = ladders.iter().map(|ladder| (ladder.as_ref(), self.filter.rungs(ladder)));
        let kept: Vec<(&Ladder, Vec<&Rung>)> = kept.filter(|(_, rungs)| !rungs.is_empty()).collect();
        let flexible: Vec<&FlexShape> =
            flexible.iter().copied().filter(|flex| self.filter.keeps_flexible(flex)).collect();
        if kept.is_empty() && flexible.is_empty() {
            let message = "no shape passes the filters: widen a range, or remove one".to_owned();
            return Err(CommandError::invalid_input("no_shape", message));
        }
        Ok(match self.format {
            Format::Json => {
                let ladders: Vec<Value> =
                    kept.iter().map(|(ladder, rungs)| ladder_value(ladder, rungs)).collect();
                let flexible: Vec<Value> = flexible.iter().map(|flex| flexible_value(flex)).collect();
                let mut value = json!({ "ladders": ladders, "flexible": flexible });
                if let Some(place) = place {
                    value["shape"] = place.value();
                }
                CommandOutput::json(&value)
            }
            Format::Text => {
                let mut parts: Vec<String> = place.map(ShapePlace::text).into_iter().collect();
                parts.extend(kept.iter().map(|(ladder, rungs)| table(ladder, rungs)));
                if !flexible.is_empty() {
                    parts.push(flexible.iter().map(|flex| flexible_line(flex)).collect());
                }
                CommandOutput::success(parts.join("\n"))
            }
        })
    }

    fn matches(&self, ladder: &Ladder) -> bool {
        self.name.as_deref().is_none_or(|name| ladder.name.starts_with(name) || ladder.rung(name).is_some())
    }
}

/// Where a shape is: a change of shape leads to one of its neighbours.
struct ShapePlace {
    shape: String,
    ladder: String,
    /// Its place, counted from 1, and the number of rungs.
    rung: [usize; 2],
    below: Option<String>,
    above: Option<String>,
}

impl ShapePlace {
    /// The place of a shape on the ladder that counts for it; `None` where no ladder holds it.
    fn of(shape: &str, policy: &Policy) -> Option<Self> {
        let ladder = policy.ladders.holding(shape)?;
        let position = ladder.position(shape)?;
        let name = |rung: &Rung| rung.shape.clone();
        Some(Self {
            shape: shape.to_owned(),
            ladder: ladder.name.to_string(),
            rung: [position + 1, ladder.rungs.len()],
            below: ladder.down(shape).map(name),
            above: ladder.up(shape).map(name),
        })
    }

    fn text(&self) -> String {
        let Self { shape, ladder, rung: [rung, rungs], below, above } = self;
        let neighbour = |shape: &Option<String>| {
            shape.as_ref().map_or_else(|| "nothing".to_owned(), |shape| format!("`{}`", plain(shape)))
        };
        format!(
            "`{}` is rung {rung} of {rungs} on the ladder `{}`: {} below it, {} above it.\n",
            plain(shape),
            plain(ladder),
            neighbour(below),
            neighbour(above)
        )
    }

    fn value(&self) -> Value {
        let Self { shape, ladder, rung: [rung, rungs], below, above } = self;
        json!({ "name": shape, "ladder": ladder, "rung": rung, "rungs": rungs, "below": below, "above": above })
    }
}

fn ladder_value(ladder: &Ladder, rungs: &[&Rung]) -> Value {
    let of_rung = |rung: &&Rung| {
        json!({ "shape": rung.shape, "vcpus": rung.vcpus, "memory_gib": rung.memory_gib,
                "gpus": rung.gpus, "accelerator": rung.accelerator, "gpu_memory_gib": rung.gpu_memory_gib,
                "price": rung.price })
    };
    json!({ "name": ladder.name, "rungs": rungs.iter().map(of_rung).collect::<Vec<_>>() })
}

fn flexible_value(flex: &FlexShape) -> Value {
    json!({ "shape": flex.shape, "ocpus": flex.ocpus, "memory_gib": flex.memory_gib,
            "vcpus_per_ocpu": flex.vcpus_per_ocpu, "price_per_ocpu": flex.price_per_ocpu,
            "price_per_gib": flex.price_per_gib })
}

fn flexible_line(FlexShape { shape, ocpus, memory_gib, .. }: &FlexShape) -> String {
    let shape = plain(shape);
    format!("{shape}  doubled and halved: {ocpus} OCPU, {memory_gib} GB\n")
}

fn table(ladder: &Ladder, rungs: &[&Rung]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["  shape", "vCPU", "GiB", "GPU", "USD/h"]);
    for rung in rungs {
        let price = rung.price.map_or_else(String::new, |price| format!("{price:.4}"));
        let shape = format!("  {}", plain(&rung.shape));
        table.add_row([
            shape,
            rung.vcpus.to_string(),
            rung.memory_gib.to_string(),
            accelerators(rung),
            price,
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let (kept, all) = (rungs.len(), ladder.rungs.len());
    let count = if kept == all { String::new() } else { format!("  {kept} of {all} rungs") };
    format!("{}{count}\n{}\n", plain(&ladder.name), table.trim_fmt())
}

/// How many accelerators a rung has, of which model, and the memory of each: as in `4 × A10G (22.4 GiB)`.
fn accelerators(Rung { gpus, accelerator, gpu_memory_gib, .. }: &Rung) -> String {
    if *gpus == 0 {
        return String::new();
    }
    let model = accelerator.as_ref().map(|model| format!(" × {}", plain(model)));
    let memory = gpu_memory_gib.map(|gib| format!(" ({gib} GiB)"));
    format!("{gpus}{}{}", model.unwrap_or_default(), memory.unwrap_or_default())
}
