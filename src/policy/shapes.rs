//! `[[ladder]]` and `[[flex]]`: a policy's own ladders and flexible shapes, checked.

use crate::document::{Fault, Faults};
use crate::ladder::{FlexShape, GIB_PER_OCPU, Ladder, Ladders, Rung};
use crate::platform;
use crate::size::{Bounds, Flex};

/// Far more cores or accelerators than any machine has. Their percentage, a hundred for each, still fits into the number.
const MOST_OF_A_KIND: u32 = 100_000;

/// Refuses an element of a list whose name is empty, or that of an element before it.
pub(super) fn check_name<'a>(
    list: &str,
    key: &'static str,
    name: &str,
    before: impl IntoIterator<Item = &'a str>,
) -> Result<(), Fault> {
    let mut before = before.into_iter();
    if name.trim().is_empty() {
        return Err(Fault::of(key, format!("`{key}` is empty: expected a name")));
    }
    match before.position(|other| other == name) {
        Some(first) => {
            let problem = format!("{list} {} has it, too; expected another", first + 1);
            Err(Fault::of(key, format!("`{key} = \"{name}\"`: {problem}")))
        }
        None => Ok(()),
    }
}

/// Checks the rungs of one ladder.
pub(super) fn check_ladder(ladder: &Ladder) -> Result<(), Faults> {
    let place = format!("ladder `{}`", ladder.name);
    if ladder.rungs.is_empty() {
        return Err(Fault::of("rungs", "it has no rungs: expected at least one").about(&place).into());
    }
    let mut faults = Faults::default();
    let has_gpu_memory = ladder.rungs.iter().any(|rung| rung.gpu_memory_gib.is_some());
    for (i, rung) in ladder.rungs.iter().enumerate() {
        let below = ladder.rungs.get(..i).unwrap_or_default();
        let checked = check_rung(rung, below).and_then(|()| check_accelerators(rung, has_gpu_memory));
        faults.note(checked.map_err(|fault| on_rung(fault, ladder, i)));
    }
    faults.into_result()
}

/// The descriptions of accelerators must be comparable: all rungs of a ladder that have some give one, or none does.
fn check_accelerators(rung: &Rung, has_gpu_memory: bool) -> Result<(), Fault> {
    let Rung { shape, gpus, accelerator, gpu_memory_gib, .. } = rung;
    if gpu_memory_gib.is_some_and(|gib| !gib.is_finite() || gib <= 0.0) {
        let problem = format!("shape `{shape}` has a `gpu_memory_gib` that is not above 0");
        return Err(Fault::of("gpu_memory_gib", problem));
    }
    let given = [("accelerator", accelerator.is_some()), ("gpu_memory_gib", gpu_memory_gib.is_some())];
    if let Some((key, _)) = given.into_iter().find(|(_, is_set)| *is_set && *gpus == 0) {
        let problem = format!("shape `{shape}` has `{key}` and no accelerator: expected `gpus`, too");
        return Err(Fault::of(key, problem));
    }
    if has_gpu_memory && *gpus > 0 && gpu_memory_gib.is_none() {
        let problem = format!("shape `{shape}` has no `gpu_memory_gib`, and another rung has: expected both");
        return Err(Fault::of("gpus", problem));
    }
    Ok(())
}

fn on_rung(fault: Fault, ladder: &Ladder, index: usize) -> Fault {
    fault.about(&format!("rung {} of ladder `{}`", index + 1, ladder.name)).nth(index).within("rungs")
}

fn check_rung(rung: &Rung, below: &[Rung]) -> Result<(), Fault> {
    let shape = &rung.shape;
    if shape.trim().is_empty() {
        return Err(Fault::of("shape", "`shape` is empty: expected a shape as the API spells it"));
    }
    if below.iter().any(|other| other.shape == *shape) {
        return Err(Fault::of("shape", format!("shape `{shape}` is on it twice")));
    }
    if rung.vcpus == 0 || !rung.memory_gib.is_finite() || rung.memory_gib <= 0.0 {
        let key = if rung.vcpus == 0 { "vcpus" } else { "memory_gib" };
        return Err(Fault::of(key, format!("shape `{shape}` needs `vcpus` and `memory_gib` above 0")));
    }
    for (key, number) in [("vcpus", rung.vcpus), ("gpus", rung.gpus)] {
        if number > MOST_OF_A_KIND {
            let expected = format!("expected at most {MOST_OF_A_KIND}");
            return Err(Fault::of(key, format!("shape `{shape}` has `{key} = {number}`: {expected}")));
        }
    }
    if rung.price.is_some_and(|price| !price.is_finite() || price < 0.0) {
        return Err(Fault::of("price", format!("shape `{shape}` has a `price` that is no amount")));
    }
    Ok(())
}

/// Refuses a rung of a flexible shape without its size, and a rung of another shape with one.
pub(super) fn check_sizes(ladder: &Ladder, ladders: &Ladders) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for (i, rung) in ladder.rungs.iter().enumerate() {
        faults.note(check_size(&rung.shape, ladders).map_err(|fault| on_rung(fault, ladder, i)));
    }
    faults.into_result()
}

fn check_size(written: &str, ladders: &Ladders) -> Result<(), Fault> {
    let shape = written.split_once(':').map_or(written, |(shape, _)| shape);
    let flexible = ladders.flex().any(|flex| flex.shape == shape);
    if !flexible && platform::is_flexible(shape) {
        let expected = format!("expected a `[[flex]]` with `shape = \"{shape}\"` and its limits");
        let problem = format!("`{shape}` is flexible, and a `[[ladder]]` does not limit its size");
        return Err(Fault::of("shape", format!("{problem}: {expected}")));
    }
    if !flexible && shape != written {
        let expected = "expected it without a size, or a `[[flex]]` of it";
        return Err(Fault::of("shape", format!("`{shape}` is no flexible shape: {expected}")));
    }
    let sized =
        Flex::read(written).is_some_and(|(shape, flex)| flex.rung(shape) == written && flex.is_allowed());
    if flexible && !sized {
        let expected =
            format!("expected its OCPUs and GB, too, as in `{shape}:2:32`, with {GIB_PER_OCPU} GB for each");
        return Err(Fault::of("shape", format!("`{written}` is flexible: {expected}")));
    }
    Ok(())
}

/// Checks one flexible shape beside those that are built in.
pub(super) fn check_flex(flex: &FlexShape, built_in: &Ladders) -> Result<(), Faults> {
    let mut faults = Faults::default();
    faults.note(check_flex_sizes(flex, built_in));
    if flex.vcpus_per_ocpu == 0 {
        faults.push(Fault::of("vcpus_per_ocpu", "`vcpus_per_ocpu = 0`: expected 1 or more"));
    }
    for (key, price) in [("price_per_ocpu", flex.price_per_ocpu), ("price_per_gib", flex.price_per_gib)] {
        if price.is_some_and(|price| !price.is_finite() || price < 0.0) {
            faults.push(Fault::of(key, "its price is no amount"));
        }
    }
    faults.into_result().map_err(|faults| faults.about(&format!("flexible shape `{}`", flex.shape)))
}

fn check_flex_sizes(flex: &FlexShape, built_in: &Ladders) -> Result<(), Fault> {
    for (key, Bounds { min, max }) in [("ocpus", flex.ocpus), ("memory_gib", flex.memory_gib)] {
        if min == 0 || min > max {
            let written = format!("`{key} = {{ min = {min}, max = {max} }}`");
            return Err(Fault::of(key, format!("{written}: expected 1 or more, in order")));
        }
    }
    let misspelled =
        |known: &&FlexShape| known.shape != flex.shape && known.shape.eq_ignore_ascii_case(&flex.shape);
    if let Some(known) = built_in.flex().find(misspelled) {
        return Err(Fault::of("shape", format!("did you mean `{}`?", known.shape)));
    }
    let least = flex.ocpus.min.saturating_mul(GIB_PER_OCPU.min);
    let most = flex.ocpus.max.saturating_mul(GIB_PER_OCPU.max);
    if flex.memory_gib.max < least || flex.memory_gib.min > most {
        let problem = format!("leaves no core its {GIB_PER_OCPU} GB: expected {least} to {most} in it");
        return Err(Fault::of("memory_gib", format!("`memory_gib` {problem}")));
    }
    Ok(())
}
