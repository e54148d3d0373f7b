//! Ladders and flexible shapes of a policy's own, checked.

use super::Error;
use crate::ladder::{FlexShape, GIB_PER_OCPU, Ladder, Ladders};
use crate::size::{Bounds, Flex};

/// Far more cores or accelerators than any machine has; and so few that their percentage, a hundred for each, is counted in
/// the same numbers.
const MOST_OF_A_KIND: u32 = 100_000;

/// What is found by its name has one, and no other has the same.
fn distinct<'a>(what: &str, key: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut known: Vec<&str> = Vec::new();
    for name in names {
        let place = format!("{what} {}", known.len() + 1);
        if name.trim().is_empty() {
            return Err(Error::invalid(place, format!("`{key}` is empty: expected a name")));
        }
        if let Some(first) = known.iter().position(|other| *other == name) {
            let problem = format!("`{key} = \"{name}\"`: {what} {} has it, too; expected another", first + 1);
            return Err(Error::invalid(place, problem));
        }
        known.push(name);
    }
    Ok(())
}

/// Ladders that can be climbed.
pub(super) fn checked_ladders(ladders: Vec<Ladder>) -> Result<Vec<Ladder>, Error> {
    distinct("ladder", "name", ladders.iter().map(|ladder| &*ladder.name))?;
    for ladder in &ladders {
        let place = format!("ladder `{}`", ladder.name);
        let invalid = |problem: String| Err(Error::invalid(place.clone(), problem));
        if ladder.rungs.is_empty() {
            return invalid("it has no rungs: expected at least one".to_owned());
        }
        for (i, rung) in ladder.rungs.iter().enumerate() {
            let invalid = |problem| Err(Error::invalid(format!("rung {} of {place}", i + 1), problem));
            if rung.shape.trim().is_empty() {
                return invalid("`shape` is empty: expected a shape as the API spells it".to_owned());
            }
            if ladder.rungs.iter().take(i).any(|below| below.shape == rung.shape) {
                return invalid(format!("shape `{}` is on it twice", rung.shape));
            }
            if rung.vcpus == 0 || !rung.memory_gib.is_finite() || rung.memory_gib <= 0.0 {
                return invalid(format!("shape `{}` needs `vcpus` and `memory_gib` above 0", rung.shape));
            }
            for (key, number) in [("vcpus", rung.vcpus), ("gpus", rung.gpus)] {
                if number > MOST_OF_A_KIND {
                    return invalid(format!(
                        "shape `{}` has `{key} = {number}`: expected at most {MOST_OF_A_KIND}",
                        rung.shape
                    ));
                }
            }
            if rung.price.is_some_and(|price| !price.is_finite() || price < 0.0) {
                return invalid(format!("shape `{}` has a `price` that is no amount", rung.shape));
            }
        }
    }
    Ok(ladders)
}

/// A rung of a flexible shape is nothing without its size, and no other shape has one.
pub(super) fn sizes_of_flexible_rungs(ladders: &Ladders) -> Result<(), Error> {
    for ladder in ladders.iter() {
        for (i, rung) in ladder.rungs.iter().enumerate() {
            let place = format!("rung {} of ladder `{}`", i + 1, ladder.name);
            let invalid = |problem| Err(Error::invalid(place.clone(), problem));
            let written = rung.shape.as_str();
            let shape = written.split_once(':').map_or(written, |(shape, _)| shape);
            let flexible = ladders.flex().any(|flex| flex.shape == shape);
            if !flexible && shape != written {
                return invalid(format!(
                    "`{shape}` is no flexible shape: expected it without a size, or a `[[flex]]` of it"
                ));
            }
            let sized = Flex::read(written)
                .is_some_and(|(shape, flex)| flex.rung(shape) == written && flex.is_allowed());
            if flexible && !sized {
                return invalid(format!(
                    "`{written}` is flexible: expected its OCPUs and GB, too, as in `{shape}:2:32`, with \
                     {GIB_PER_OCPU} GB for each"
                ));
            }
        }
    }
    Ok(())
}

/// Flexible shapes that can be made.
pub(super) fn checked_flex(shapes: Vec<FlexShape>, built_in: &Ladders) -> Result<Vec<FlexShape>, Error> {
    distinct("flex", "shape", shapes.iter().map(|flex| flex.shape.as_str()))?;
    for flex in &shapes {
        let place = format!("flexible shape `{}`", flex.shape);
        let invalid = |problem: String| Err(Error::invalid(place.clone(), problem));
        for (key, Bounds { min, max }) in [("ocpus", flex.ocpus), ("memory_gib", flex.memory_gib)] {
            if min == 0 || min > max {
                return invalid(format!(
                    "`{key} = {{ min = {min}, max = {max} }}`: expected 1 or more, in order"
                ));
            }
        }
        let misspelled =
            |known: &&FlexShape| known.shape != flex.shape && known.shape.eq_ignore_ascii_case(&flex.shape);
        if let Some(known) = built_in.flex().find(misspelled) {
            return invalid(format!("did you mean `{}`?", known.shape));
        }
        let least = flex.ocpus.min.saturating_mul(GIB_PER_OCPU.min);
        let most = flex.ocpus.max.saturating_mul(GIB_PER_OCPU.max);
        if flex.memory_gib.max < least || flex.memory_gib.min > most {
            return invalid(format!(
                "`memory_gib` leaves no core its {GIB_PER_OCPU} GB: expected {least} to {most} in it"
            ));
        }
        if flex.vcpus_per_ocpu == 0 {
            return invalid("`vcpus_per_ocpu = 0`: expected 1 or more".to_owned());
        }
        let prices = [flex.price_per_ocpu, flex.price_per_gib].into_iter().flatten();
        if prices.into_iter().any(|price| !price.is_finite() || price < 0.0) {
            return invalid("its price is no amount".to_owned());
        }
    }
    Ok(shapes)
}
