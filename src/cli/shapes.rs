//! `stepladder shapes`: prints the active ladders as tables.

use std::borrow::Cow;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use stepladder::ladder::{FlexShape, Ladder, Rung};
use stepladder::platform;
use stepladder::text::plain;

use super::{CommandError, CommandOutput, Format, PolicyOption};

/// List the active ladders of shapes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stepladder shapes
  stepladder shapes ml.g5
  stepladder shapes --policy stepladder.toml --format json")]
pub(super) struct ShapesOptions {
    /// Only the ladders whose name begins with NAME, or that hold this shape
    #[arg(value_name = "NAME")]
    name: Option<String>,
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
        Ok(match self.format {
            Format::Json => {
                let ladders: Vec<Value> = ladders.iter().map(|ladder| ladder_value(ladder)).collect();
                let flexible: Vec<Value> = flexible.iter().map(|flex| flexible_value(flex)).collect();
                CommandOutput::json(&json!({ "ladders": ladders, "flexible": flexible }))
            }
            Format::Text => {
                let mut parts: Vec<String> = ladders.iter().map(|ladder| table(ladder)).collect();
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

fn ladder_value(ladder: &Ladder) -> Value {
    let rung = |rung: &Rung| {
        json!({ "shape": rung.shape, "vcpus": rung.vcpus, "memory_gib": rung.memory_gib,
                "gpus": rung.gpus, "accelerator": rung.accelerator, "gpu_memory_gib": rung.gpu_memory_gib,
                "price": rung.price })
    };
    json!({ "name": ladder.name, "rungs": ladder.rungs.iter().map(rung).collect::<Vec<_>>() })
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

fn table(ladder: &Ladder) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["  shape", "vCPU", "GiB", "GPU", "USD/h"]);
    for rung in &ladder.rungs {
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
    format!("{}\n{}\n", plain(&ladder.name), table.trim_fmt())
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
